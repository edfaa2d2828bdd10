//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const benchUsage = `hookswitch bench measures real calls over loopback and prints one table.

  hookswitch bench [flags]

It starts this program's own server as a child, with a webhook of its own, calls
it over SIP and RTP, and measures with the kernel's time stamps and /proc. A key
pressed in a call, a webhook asked at its start and G.711 both ways are part of it.

With --target it calls another server instead, to compare. That one should answer
at once and play for a minute; where it plays 440 Hz and changes to 1600 Hz at the
key 1, the row for keys is measured too. --pid names its process, for CPU and memory.

`

// benchFlags is what to measure.
type benchFlags struct {
	target     string
	pid        int
	calls      []int // at once, one pacing row each
	seconds    int   // of each measurement
	rates      []int // new calls per second to try
	scripts    int   // to run
	quick      bool
	jsonOutput bool
}

// Limits of a run: what one machine can be asked to do to itself.
const (
	mostBenchCalls   = 5000
	mostBenchSeconds = 600
)

func parseBenchFlags(args []string, errOut io.Writer) (benchFlags, error) {
	b := benchFlags{rates: []int{100, 200, 400, 700, 1000, 1300, 1600, 2000}, scripts: 300}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Usage = func() {
		fmt.Fprint(errOut, benchUsage)
		flags.PrintDefaults()
	}
	flags.StringVar(&b.target, "target", "", "call `sip:host:port` instead of a server of our own")
	flags.IntVar(&b.pid, "pid", 0, "process of the target, for its CPU time and memory")
	calls := flags.String("calls", "100,200,500", "calls at once, one row for each `number`")
	flags.IntVar(&b.seconds, "seconds", 4, "length of each measurement")
	flags.BoolVar(&b.quick, "quick", false, "under ten seconds: 50 calls, one second each, few rates")
	flags.BoolVar(&b.jsonOutput, "json", false, "print JSON instead of a table")
	if err := flags.Parse(args); err != nil {
		return b, err
	}
	if b.quick {
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["calls"] {
			*calls = "50"
		}
		if !given["seconds"] {
			b.seconds = 1
		}
		b.rates, b.scripts = []int{100, 400}, 60
	}
	for s := range strings.SplitSeq(*calls, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > mostBenchCalls {
			return b, fmt.Errorf("--calls %s: each number is 1 to %d", *calls, mostBenchCalls)
		}
		b.calls = append(b.calls, n)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return b, err
	}
	for _, n := range b.calls {
		if need := uint64(2*n + 100); need > limit.Max {
			return b, fmt.Errorf("%d calls need %d open files in the server, and the limit is %d; raise it with ulimit -n", n, need, limit.Max)
		}
	}
	switch {
	case flags.NArg() > 0:
		return b, fmt.Errorf("%q: bench takes flags only", flags.Arg(0))
	case b.seconds < 1 || b.seconds > mostBenchSeconds:
		return b, fmt.Errorf("--seconds %d: 1 to %d", b.seconds, mostBenchSeconds)
	case b.pid != 0 && b.target == "":
		return b, errors.New("--pid goes with --target; our own server's process is known")
	}
	return b, nil
}

// bench measures and prints what it found; also what it found before an error.
// It returns the exit code.
func bench(args []string, out, errOut io.Writer) int {
	flags, err := parseBenchFlags(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch bench:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	rows, err := measure(ctx, flags, func(what string) {
		fmt.Fprintf(errOut, "%4.0f s  %s\n", time.Since(began).Seconds(), what)
	})
	machine := fmt.Sprintf("%d cores, %s/%s, %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), version())
	if flags.jsonOutput {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"machine": machine, "rows": rows}); err != nil {
			fmt.Fprintln(errOut, "hookswitch bench:", err)
			return 1
		}
	} else {
		fmt.Fprintf(out, "%s; server and callers share them\n\n", machine)
		writeTable(out, rows)
	}
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch bench:", err)
		return 1
	}
	return 0
}

// measure makes all rows, and tells progress what it is doing.
func measure(ctx context.Context, flags benchFlags, progress func(string)) (rows []benchRow, err error) {
	data, err := os.MkdirTemp("", "hookswitch-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(data)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	hook, stopHook, err := benchWebhook()
	if err != nil {
		return nil, err
	}
	defer stopHook()
	ticking, stopClock := context.WithCancel(ctx)
	clock, stopped := newRTPClock(ticking)
	defer func() { stopClock(); <-stopped }()

	// Each measurement has a server fresh from its start.
	on := func(what string, f func(context.Context, *callers) ([]benchRow, error)) error {
		if ctx.Err() != nil {
			return errors.New("stopped")
		}
		progress(what)
		uri, pid := flags.target, flags.pid
		if uri == "" {
			s, err := startServer(ctx, self, hook, data)
			if err != nil {
				return err
			}
			defer s.Stop()
			uri, pid = s.uri, s.pid
		}
		u, err := newUAC(uri)
		if err != nil {
			return err
		}
		defer u.Close()
		got, err := f(ctx, &callers{uac: u, clock: clock, pid: pid})
		rows = append(rows, got...)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	err = on(fmt.Sprintf("light load: 50 calls a second for %d s", flags.seconds), func(ctx context.Context, c *callers) ([]benchRow, error) {
		return c.light(ctx, flags.seconds)
	})
	if err != nil {
		return rows, err
	}
	for _, n := range flags.calls {
		err := on(fmt.Sprintf("%d calls playing for %d s", n, flags.seconds), func(ctx context.Context, c *callers) ([]benchRow, error) {
			return c.playing(ctx, n, flags.seconds)
		})
		if err != nil {
			return rows, err
		}
	}
	err = on("new calls: more a second, until one fails", func(ctx context.Context, c *callers) ([]benchRow, error) {
		return c.ramp(ctx, flags.rates)
	})
	if err != nil {
		return rows, err
	}
	if flags.target != "" {
		return rows, nil
	}
	progress("documents and call scripts")
	parse, err := parseRow()
	if err != nil {
		return rows, err
	}
	rows = append(rows, parse)
	scripts, err := scriptsRow(ctx, self, data, flags.scripts)
	if err != nil {
		return rows, err
	}
	return append(rows, scripts), nil
}
