package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hookswitch/hookswitch/runtime"
)

// savedAccount is account.json in the data folder.
type savedAccount struct {
	SID        string `json:"sid"`
	AuthToken  string `json:"auth_token"`
	SigningKey []byte `json:"signing_key"` // Ed25519 seed; base64 in the file
}

// defaultAccount is the account that is there when none is configured. The
// first start makes it and keeps it in the data folder, in account.json, which
// only its owner can read; later ones find it there.
func defaultAccount(dataDir string) (Account, error) {
	path := filepath.Join(dataDir, "account.json")
	a, err := readAccount(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return Account{}, fmt.Errorf("make an account: %w", err)
	}
	if err := makeAccount(path); err != nil {
		return Account{}, fmt.Errorf("make an account: %w", err)
	}
	return readAccount(path)
}

func readAccount(path string) (Account, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Account{}, err
	}
	var s savedAccount
	err = json.Unmarshal(b, &s) // its errors quote no values of strings
	if err != nil || sidRule(s.SID) != nil || s.AuthToken == "" || len(s.SigningKey) != ed25519.SeedSize {
		return Account{}, fmt.Errorf("%s is damaged: restore it, or delete it to get a new account with a new token and key", path)
	}
	return Account{
		SID:        s.SID,
		AuthTokens: []string{s.AuthToken},
		SigningKey: SigningKey(ed25519.NewKeyFromSeed(s.SigningKey)),
		Dialect:    "telnyx",
	}, nil
}

// urlKey is what signs the URLs of recordings. It lies beside the account, in
// url.key: the first start makes it. Whoever deletes it gets a new one at the
// next start, and ends all URLs that were told.
func urlKey(dataDir string) (runtime.URLKey, error) {
	path := filepath.Join(dataDir, "url.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		var random [32]byte
		rand.Read(random[:]) // never fails (crypto/rand)
		if err := writeOnce(path, []byte(hex.EncodeToString(random[:])+"\n")); err != nil {
			return nil, fmt.Errorf("make a key for URLs: %w", err)
		}
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is damaged: restore it, or delete it to get a new one", path)
	}
	return key, nil
}

// makeAccount writes a new account at path. One that is already there stays.
func makeAccount(path string) error {
	var random [64]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	b, err := json.MarshalIndent(savedAccount{
		SID:        "AC" + hex.EncodeToString(random[:16]),
		AuthToken:  hex.EncodeToString(random[16:32]),
		SigningKey: random[32:],
	}, "", "  ")
	if err != nil {
		return err
	}
	return writeOnce(path, append(b, '\n'))
}

// writeOnce writes a file that only its owner can read, whole or not at all.
// One that is already there stays.
func writeOnce(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// Link, unlike Rename, leaves what another start has put there meanwhile.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close()) // the name, too, is to outlive a power cut
}
