package main

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestTheDefaultAccountStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, err := defaultAccount(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := sidRule(first.SID); err != nil {
		t.Errorf("%s %v", first.SID, err)
	}
	if len(first.AuthTokens) != 1 || len(first.AuthTokens[0]) != 32 || len(first.SigningKey) != ed25519.PrivateKeySize {
		t.Errorf("got %d tokens and a key of %d bytes", len(first.AuthTokens), len(first.SigningKey))
	}
	again, err := defaultAccount(dir)
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("the second start: got another account, %v", err)
	}
	other, err := defaultAccount(t.TempDir())
	if err != nil || other.SID == first.SID || other.AuthTokens[0] == first.AuthTokens[0] {
		t.Errorf("another data folder: got the same account, %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "account.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v; want 600", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("got %v, %v; want account.json only", files, err)
	}
}

func TestTheKeyOfURLsStays(t *testing.T) {
	dir := t.TempDir()
	first, err := urlKey(dir)
	if err != nil || len(first) != 32 {
		t.Fatalf("got a key of %d bytes, %v", len(first), err)
	}
	again, err := urlKey(dir)
	if err != nil || !bytes.Equal(again, first) {
		t.Errorf("the second start: got another key, %v", err)
	}
	other, err := urlKey(t.TempDir())
	if err != nil || bytes.Equal(other, first) {
		t.Errorf("another data folder: got the same key, %v", err)
	}
	path := filepath.Join(dir, "url.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v; want 600", info.Mode(), err)
	}
	for _, damaged := range []string{"", "secret", strings.Repeat("0", 62)} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if key, err := urlKey(dir); err == nil || !strings.Contains(err.Error(), "is damaged: restore it, or delete it") {
			t.Errorf("%q: got a key of %d bytes, %v", damaged, len(key), err)
		} else if damaged != "" && strings.Contains(err.Error(), damaged) {
			t.Errorf("the key is in the error: %v", err)
		}
	}
}

func TestManyFirstStartsAgreeOnOneAccount(t *testing.T) {
	dir := t.TempDir()
	sids := make([]string, 20)
	var wg sync.WaitGroup
	for i := range sids {
		wg.Go(func() {
			a, err := defaultAccount(dir)
			if err != nil {
				t.Error(err)
			}
			sids[i] = a.SID
		})
	}
	wg.Wait()
	for _, s := range sids {
		if s != sids[0] {
			t.Fatalf("got %s and %s", sids[0], s)
		}
	}
}

func TestADamagedAccountIsNotReplaced(t *testing.T) {
	for name, body := range map[string]string{
		"empty":      "",
		"half":       `{"sid": "AC0123`,
		"no token":   `{"sid": "AC0123456789abcdef0123456789abcdef", "signing_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}`,
		"short key":  `{"sid": "AC0123456789abcdef0123456789abcdef", "auth_token": "secret", "signing_key": "MDEy"}`,
		"not base64": `{"sid": "AC0123456789abcdef0123456789abcdef", "auth_token": "secret", "signing_key": "secret!"}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "account.json")
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := defaultAccount(dir)
		if err == nil || !strings.Contains(err.Error(), "account.json is damaged") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", name, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != body {
			t.Errorf("%s: the file was changed: %q, %v", name, kept, err)
		}
	}
}
