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

// makeAccount writes a new account at path, whole or not at all. One that is
// already there stays.
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
	f, err := os.CreateTemp(filepath.Dir(path), ".account-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
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
