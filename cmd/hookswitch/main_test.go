package main

import (
	"os"
	"testing"
)

// TestMain lets the test binary stand in for the program where that starts
// itself again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		testChild()
	}
	os.Exit(m.Run())
}
