package runtime_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/runtime/calltest"
)

var update = flag.Bool("update", false, "write the traces into testdata/calls as what is wanted")

// TestCalls plays every call script. With -update it rewrites what they want.
func TestCalls(t *testing.T) {
	files, err := filepath.Glob("../testdata/calls/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no call scripts found", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			s, err := calltest.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(string(s.WithWant("")), "\n"); !strings.HasPrefix(first, "# ") {
				t.Errorf("it begins with %q, want a comment that says what it shows", first)
			}
			got := calltest.Play(t, s, calltest.Env{})
			diff := calltest.Diff(s.Want, got)
			if diff == "" {
				return
			}
			if !*update {
				t.Fatalf("- is wanted, + is what happened:\n%s", diff)
			}
			if err := os.WriteFile(file, s.WithWant(got), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}
