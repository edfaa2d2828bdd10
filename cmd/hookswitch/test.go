package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/runtime/calltest"
)

const testUsage = `hookswitch test runs call scripts: what a caller does, and what must then happen.

  hookswitch test [flags] FILE|DIR...    a DIR stands for every *.txtar in it and below

A script is a text file. This one, menu.txtar, calls a web server that runs on
this machine; time in it is virtual, so its five seconds pass in milliseconds:

  # Who presses nothing for five seconds is asked again.
  server http://127.0.0.1:3000
  0s   call /voice
  8s   press 1
  +3s  hangup

  hookswitch test menu.txtar             prints the trace: every request, word and key
  hookswitch test -update menu.txtar     writes it into the script, as what is wanted
  hookswitch test menu.txtar             from now on: ok, or FAIL and the difference

Documents can also stand in the script itself (-- POST /voice --) or in a file
beside it (call menu.xml). docs/call-scripts.md is the whole format.

`

// script is one call script under test, and what became of it.
type script struct {
	path   string
	read   *calltest.Script // nil when it could not be read
	trace  string
	diff   string // from the trace wanted, "" for none
	fault  string // why there is no trace, "" when there is one
	update bool   // the file got the trace
	took   time.Duration
	done   chan struct{} // closed when all of it is known
}

func (s *script) failed() bool { return s.fault != "" || s.diff != "" && !s.update }

// testCommand is "hookswitch test". It returns 0 when every script has the
// trace it wants, 1 when one has not, and 2 when the command line is wrong.
func testCommand(args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(errOut)
	update := flags.Bool("update", false, "write the traces into the scripts as what is wanted; read the difference before you keep it")
	only := flags.String("run", "", "run only the scripts whose path matches this `regexp`")
	verbose := flags.Bool("v", false, "print every trace")
	quiet := flags.Bool("q", false, "print only what fails")
	junit := flags.String("junit", "", "write a JUnit XML report to this `file`")
	server := flags.String("server", "", "call paths without a section at this `url`, such as http://127.0.0.1:3000")
	timeout := flags.Duration("timeout", time.Minute, "real time after which one script is given up")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), testUsage, "Flags:\n")
		flags.PrintDefaults()
	}
	for _, arg := range args { // help that was asked for is no error
		if arg == "-h" || arg == "-help" || arg == "--help" {
			flags.SetOutput(out)
			flags.Usage()
			return 0
		}
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	scripts, err := findScripts(flags.Args(), *only)
	if err == nil && *server != "" {
		*server, err = calltest.Server(*server)
	}
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch test:", err)
		return 2
	}

	began := time.Now()
	var playing sync.WaitGroup
	defer playing.Wait()
	playing.Go(func() { playScripts(scripts, *server, *timeout, *update) })
	failed := 0
	for _, s := range scripts {
		<-s.done
		if s.failed() {
			failed++
		}
		s.print(out, *verbose, *quiet)
	}
	took := time.Since(began)
	if !*quiet || failed > 0 {
		fmt.Fprintf(out, "%s, %d failed, in %s\n", plural(len(scripts), "script"), failed, took.Round(time.Millisecond))
	}
	if *junit != "" {
		if err := writeFile(*junit, func(w io.Writer) error { return writeJUnit(w, scripts, took) }); err != nil {
			fmt.Fprintln(errOut, "hookswitch test:", err)
			return 2
		}
	}
	if failed > 0 {
		return 1
	}
	return 0
}

// findScripts finds the scripts that the command line names.
func findScripts(paths []string, only string) ([]*script, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	if len(paths) == 0 {
		return nil, errors.New("no script named; write: hookswitch test FILE|DIR... (--help says more)")
	}
	var found []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			found = append(found, path)
			continue
		}
		err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && file != path && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
				return filepath.SkipDir
			case !d.IsDir() && filepath.Ext(file) == ".txtar":
				found = append(found, file)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var scripts []*script
	for _, path := range found {
		if match.MatchString(filepath.ToSlash(path)) && !slices.ContainsFunc(scripts, func(s *script) bool { return s.path == path }) {
			scripts = append(scripts, &script{path: path, done: make(chan struct{})})
		}
	}
	if len(scripts) == 0 {
		return nil, fmt.Errorf("no call script (*.txtar) in %s matches %q", strings.Join(paths, " "), only)
	}
	return scripts, nil
}

// playScripts plays scripts in as many processes as there are processors, and
// returns when all are done.
func playScripts(scripts []*script, server string, timeout time.Duration, update bool) {
	next := make(chan *script)
	var players sync.WaitGroup
	for range min(len(scripts), runtime.GOMAXPROCS(0)) {
		players.Go(func() {
			p := player{timeout: timeout}
			defer p.stop()
			for s := range next {
				s.play(&p, server, update)
				close(s.done)
			}
		})
	}
	for _, s := range scripts {
		next <- s
	}
	close(next)
	players.Wait()
}

// play plays s and compares its trace with the one it wants.
func (s *script) play(p *player, server string, update bool) {
	var err error
	if s.read, err = calltest.ReadFile(s.path); err != nil {
		s.fault = err.Error()
		return
	}
	began := time.Now()
	r := p.play(childJob{File: s.path, Server: server})
	s.trace, s.fault, s.took = r.Trace, r.Fault, time.Since(began)
	if s.fault != "" {
		return
	}
	if s.read.HasWant {
		s.diff = calltest.Diff(s.read.Want, s.trace)
	}
	if update && (s.diff != "" || !s.read.HasWant) {
		if err := os.WriteFile(s.path, s.read.WithWant(s.trace), 0o644); err != nil {
			s.fault = err.Error()
			return
		}
		s.update = true
	}
}

// print says what became of s.
func (s *script) print(w io.Writer, verbose, quiet bool) {
	look := s.read != nil && !s.read.HasWant && !s.update && s.fault == ""
	if quiet && !s.failed() && !look {
		return
	}
	took := s.took.Round(100 * time.Microsecond)
	switch {
	case s.fault != "":
		fmt.Fprintf(w, "FAIL  %s\n%s", s.path, indent(s.fault))
	case s.update:
		fmt.Fprintf(w, "wrote %s (%s)\n%s", s.path, took, indent(s.diff))
	case s.diff != "":
		fmt.Fprintf(w, "FAIL  %s (%s): - is wanted, + is what happened\n%s", s.path, took, indent(s.diff))
	case look:
		fmt.Fprintf(w, "new   %s (%s): it wants nothing yet; to keep this trace: hookswitch test -update %s\n%s",
			s.path, took, s.path, indent(s.trace))
	default:
		fmt.Fprintf(w, "ok    %s (%s)\n", s.path, took)
	}
	if verbose && s.fault == "" && !look {
		fmt.Fprint(w, indent(s.trace))
	}
}

// indent sets text off from the line above it.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// writeFile makes a file of what write writes.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
