package store

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hookswitch/hookswitch/runtime"
)

// crashing names the database for the child process of the crash test.
const crashing = "HOOKSWITCH_STORE_CRASH_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashing); path != "" {
		saveUntilKilled(path)
		return
	}
	if path := os.Getenv(recordingIn); path != "" {
		recordUntilKilled(path)
		return
	}
	os.Exit(m.Run())
}

// saveUntilKilled saves calls with two events and two callbacks each and
// prints the SID of each call once it is safe.
func saveUntilKilled(path string) {
	db, err := Open(path)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	for w := range 4 {
		go func() {
			for n := 0; ; n++ {
				call := record("AC1", fmt.Sprintf("CA%d-%d-%d", os.Getpid(), w, n), noon)
				events := []runtime.Event{{At: noon, Kind: "a"}, {At: noon, Kind: "b"}}
				err := db.Save(context.Background(), call, events, []runtime.Callback{owed("/1", noon), owed("/2", noon)})
				if err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Println(call.SID) // one write each: lines do not mix
			}
		}()
	}
	select {}
}

func TestNothingAcknowledgedIsLostByKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	var acknowledged []string
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		before := len(acknowledged)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashing+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 1 + r.IntN(50); lines.Scan(); left-- {
			if strings.HasPrefix(lines.Text(), "error") {
				t.Error(lines.Text())
			}
			acknowledged = append(acknowledged, lines.Text())
			if left == 0 {
				child.Process.Kill() // SIGKILL; the lines already in the pipe still count
			}
		}
		if err := child.Wait(); child.ProcessState.Exited() {
			t.Fatalf("the child ended by itself: %v", err)
		}
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if round == rounds-1 {
			before = 0 // at last, all of them once more
		}
		for _, sid := range acknowledged[before:] {
			if _, err := db.Call(t.Context(), "AC1", sid); err != nil {
				t.Errorf("%s was acknowledged: %v", sid, err)
			}
		}
		// What was not acknowledged is there whole or not at all.
		var halves int
		err = db.read.QueryRow(`SELECT count(*) FROM calls WHERE
			(SELECT count(*) FROM events e WHERE e.account = calls.account AND e.call = calls.sid) != 2 OR
			(SELECT count(*) FROM callbacks c WHERE c.account = calls.account AND c.call = calls.sid) != 2`).Scan(&halves)
		if err != nil || halves != 0 {
			t.Errorf("got %d calls with half of their rows, %v", halves, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(acknowledged) < rounds {
		t.Errorf("only %d calls acknowledged in %d rounds", len(acknowledged), rounds)
	}
}

func TestOpenedAgainItHasEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "folder", "with space and 100%?#.db")
	for n := range 3 {
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		save(t, db, record("AC1", fmt.Sprint("CA", n), at(n)), nil, owed("/a", noon))
		calls, err := db.Calls(t.Context(), "AC1", 10)
		if err != nil || len(calls) != n+1 {
			t.Errorf("got %d calls, %v; want %d", len(calls), err, n+1)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("got mode %o, want 600", got)
	}
}

func TestOpenSaysWhatItCannotOpen(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, target, want string }{
		{"nothing", "", "no path"},
		{"another kind of store", "postgres://u:secret@h/db", "postgres is not a kind of store we have"},
		{"no path in the URL", "sqlite://", "is not sqlite:///path"},
		{"a folder", dir, "is a directory"},
		{"another file", text, "not a database"},
	} {
		_, err := Open(c.target)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestADatabaseOfANewerVersionIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec("PRAGMA user_version = 999"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("sqlite://" + path); err == nil || !strings.Contains(err.Error(), "newer hookswitch") {
		t.Errorf("got %v, want a newer hookswitch", err)
	}
}

// A callback holds what a caller has said or pressed.
func TestADeliveredCallbackLeavesNothingOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var callbacks []runtime.Callback
	for i := range 100 {
		c := owed("http://a/", noon)
		c.Form = fmt.Sprintf("SpeechResult=pelican%d", i)
		callbacks = append(callbacks, c)
	}
	save(t, db, record("AC1", "CA1", noon), nil, callbacks...)
	for range 99 {
		due, err := db.Due(t.Context(), noon, 1, nil)
		if err != nil || len(due) != 1 {
			t.Fatalf("due: %d callbacks, %v", len(due), err)
		}
		if err := db.Delivered(t.Context(), due[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(file, []byte("pelican")); got != 1 {
		t.Errorf("the words of %d callbacks are in the file, want those of the one that is owed", got)
	}
}

func TestOneBadWriteDoesNotFailTheGroup(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "calls.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	broken := errors.New("broken")
	db.writes.turn.Lock() // so that all of them queue up
	errs := make([]error, 5)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = db.writes.do(t.Context(), func(tx *sql.Tx) error {
				if i == 2 {
					return broken
				}
				_, err := tx.Exec(saveCall, fields(record("AC1", fmt.Sprint("CA", i), noon))...)
				return err
			})
		})
	}
	for queued := 0; queued < len(errs); {
		db.writes.mu.Lock()
		queued = len(db.writes.queue)
		db.writes.mu.Unlock()
	}
	db.writes.turn.Unlock()
	wg.Wait()
	for i, err := range errs {
		if want := map[bool]error{true: broken}[i == 2]; err != want {
			t.Errorf("write %d: got %v, want %v", i, err, want)
		}
	}
	if calls, err := db.Calls(t.Context(), "AC1", 10); err != nil || len(calls) != 4 {
		t.Errorf("got %d calls, %v; want 4", len(calls), err)
	}
}

// BenchmarkSave is one state change of a call: the record, two events and a
// callback; parallel, as many calls at once.
func BenchmarkSave(b *testing.B) {
	for _, parallel := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d at once", parallel), func(b *testing.B) {
			db, err := Open(filepath.Join(b.TempDir(), "calls.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range parallel {
				wg.Go(func() {
					for n := w; n < b.N; n += parallel {
						call := record("AC1", fmt.Sprint("CA", n/4), noon)
						events := []runtime.Event{{At: noon, Kind: "fetch", Text: "POST http://localhost/voice"}, {At: noon, Kind: "answer"}}
						if err := db.Save(b.Context(), call, events, []runtime.Callback{owed("/a", noon)}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "saves/s")
		})
	}
}

// BenchmarkDue asks what is to be sent next while a server is down: much waits
// in few queues, as for a conference, or little in many, as for calls. The
// callbacks that are tried again are due later, those behind them are not.
func BenchmarkDue(b *testing.B) {
	for _, bb := range []struct{ calls, each int }{{1, 10_000}, {5000, 2}} {
		b.Run(fmt.Sprintf("%d calls owe %d each", bb.calls, bb.each), func(b *testing.B) {
			db, err := Open(filepath.Join(b.TempDir(), "calls.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			err = db.writes.do(b.Context(), func(tx *sql.Tx) error {
				for n := range bb.calls {
					all := make([]runtime.Callback, bb.each)
					for i := range all {
						all[i] = owed("http://down/status", noon)
					}
					all[0].Due = at(100)
					if err := queue(tx, "AC1", fmt.Sprint("CA", n), all); err != nil {
						return err
					}
				}
				return queue(tx, "AC1", "CA0", []runtime.Callback{owed("http://up/status", at(1))})
			})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				due, err := db.Due(b.Context(), at(1), 256, nil)
				if err != nil || len(due) != 1 {
					b.Fatalf("got %d due, %v; want 1", len(due), err)
				}
				if _, _, err := db.NextDue(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
