package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestMain lets the test binary stand in for the program where that starts
// itself again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		testChild()
	}
	dir, err := os.MkdirTemp("", "hookswitch-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = sync.OnceValues(func() (string, error) {
		program := filepath.Join(dir, "hookswitch")
		if said, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, said)
		}
		return program, nil
	})
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// built is where the program is, which the first test that calls it has built
// for all of them: to link it takes seconds.
var built func() (string, error)

// buildProgram returns where the built program is.
func buildProgram(t *testing.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}
