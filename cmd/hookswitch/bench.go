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
	"slices"
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

With one of these it measures what they name, in place of all others:

  hookswitch bench --bridged 100,200 --dials   calls the server dials somebody for
  hookswitch bench --bridged 200 --transcode   the callees speak A-law, the callers μ-law
  hookswitch bench --bridged 200 --record      both sides of each call are recorded
  hookswitch bench --rooms 3,10,50             conferences of so many, 100 calls or more in all
  hookswitch bench --streams 1,50,100          calls connected to a media stream that sends their sound back
  hookswitch bench --speech                    from a text to its first frame, and the detector of speech

Each frame carries its number as sound, so the delay of a bridge is that of every
frame, from one telephone to the other. A --target is to dial the callees that
wait at --callee, one for each call.

`

// benchFlags is what to measure.
type benchFlags struct {
	target  string
	pid     int
	calls   []int // at once, one pacing row each
	seconds int   // of each measurement
	rates   []int // new calls per second to try
	scripts int   // to run

	bridged           []int // calls at once that have a callee each
	dials             bool
	rooms             []int // members of each conference
	transcode, record bool
	callee            string // where the callees wait

	streams []int // calls at once that are connected to a stream
	speech  bool

	quick      bool
	jsonOutput bool
}

// Limits of a run: what one machine can be asked to do to itself.
const (
	mostBenchCalls   = 5000
	mostRoomMembers  = 250
	leastRoomCalls   = 100 // in all conferences together
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
	bridged := flags.String("bridged", "", "bridged calls at once, rows for each `number`")
	flags.BoolVar(&b.dials, "dials", false, "how fast the server dials, and how often a second")
	rooms := flags.String("rooms", "", "members of a conference, rows for each `number`")
	streams := flags.String("streams", "", "calls at once on a media stream, rows for each `number`")
	flags.BoolVar(&b.speech, "speech", false, "from a text to its first frame, and the detector of speech")
	flags.BoolVar(&b.transcode, "transcode", false, "callees speak another codec than callers")
	flags.BoolVar(&b.record, "record", false, "record what is bridged, and the conferences")
	flags.StringVar(&b.callee, "callee", "127.0.0.1:0", "`host:port` where callees wait; port 0 is any")
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
	for _, list := range []struct {
		flag, text string
		most       int
		numbers    *[]int
	}{
		{"calls", *calls, mostBenchCalls, &b.calls},
		{"bridged", *bridged, mostBenchCalls, &b.bridged},
		{"rooms", *rooms, mostRoomMembers, &b.rooms},
		{"streams", *streams, mostBenchCalls, &b.streams},
	} {
		if list.text == "" && list.flag != "calls" {
			continue
		}
		for s := range strings.SplitSeq(list.text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil || n < 1 || n > list.most {
				return b, fmt.Errorf("--%s %s: each number is 1 to %d", list.flag, list.text, list.most)
			}
			*list.numbers = append(*list.numbers, n)
		}
	}
	if err := enoughFiles(b); err != nil {
		return b, err
	}
	switch {
	case flags.NArg() > 0:
		return b, fmt.Errorf("%q: bench takes flags only", flags.Arg(0))
	case b.seconds < 1 || b.seconds > mostBenchSeconds:
		return b, fmt.Errorf("--seconds %d: 1 to %d", b.seconds, mostBenchSeconds)
	case b.pid != 0 && b.target == "":
		return b, errors.New("--pid goes with --target; our own server's process is known")
	case (b.transcode || b.record) && len(b.bridged) == 0 && !b.dials && len(b.rooms) == 0:
		return b, errors.New("--transcode and --record go with --bridged, --dials or --rooms")
	case b.target != "" && (len(b.bridged) > 0 || b.dials) && strings.HasSuffix(b.callee, ":0"):
		return b, errors.New("--callee names the host:port that the target dials")
	case b.target != "" && len(b.rooms) > 0:
		return b, errors.New("--rooms goes without --target: only our own server can be told who meets where")
	case b.target != "" && (len(b.streams) > 0 || b.speech):
		return b, errors.New("--streams and --speech go without --target: only our own server can be told of the stream")
	}
	return b, nil
}

// some reports whether the rows of certain flags are asked for, and no others.
func (b benchFlags) some() bool {
	return len(b.bridged) > 0 || b.dials || len(b.rooms) > 0 || len(b.streams) > 0 || b.speech
}

// enoughFiles reports whether the server may open the files that the calls
// need: two a stream, and one for a recording.
func enoughFiles(b benchFlags) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	calls, each := b.calls, 2
	if b.some() {
		calls, each = slices.Concat(b.bridged, b.streams), 5
	}
	for _, n := range calls {
		if need := uint64(each*n + 100); need > limit.Max {
			return fmt.Errorf("%d calls need %d open files in the server, and the limit is %d; raise it with ulimit -n", n, need, limit.Max)
		}
	}
	return nil
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

	b := &benchRun{flags: flags, progress: progress, self: self, hook: hook, data: data, clock: clock}
	if flags.some() {
		err = b.parties(ctx)
		if err == nil {
			err = b.streams(ctx)
		}
		if err == nil && flags.speech {
			err = b.speech(ctx)
		}
		return b.rows, err
	}
	err = b.on(ctx, fmt.Sprintf("light load: 50 calls a second for %d s", flags.seconds), "/voice", nil, func(c *callers) ([]benchRow, error) {
		return c.light(ctx, flags.seconds)
	})
	if err != nil {
		return b.rows, err
	}
	for _, n := range flags.calls {
		err := b.on(ctx, fmt.Sprintf("%d calls playing for %d s", n, flags.seconds), "/voice", nil, func(c *callers) ([]benchRow, error) {
			return c.playing(ctx, fmt.Sprintf("%d calls: ", n), n, flags.seconds)
		})
		if err != nil {
			return b.rows, err
		}
	}
	err = b.on(ctx, "new calls: more a second, until one fails", "/voice", nil, func(c *callers) ([]benchRow, error) {
		return c.ramp(ctx, "new calls", flags.rates)
	})
	if err != nil || flags.target != "" {
		return b.rows, err
	}
	progress("documents and call scripts")
	parse, err := parseRow()
	if err != nil {
		return b.rows, err
	}
	scripts, err := scriptsRow(ctx, self, data, flags.scripts)
	if err != nil {
		return append(b.rows, parse), err
	}
	return append(b.rows, parse, scripts), nil
}

// A benchRun is what the measurements share.
type benchRun struct {
	flags            benchFlags
	progress         func(string)
	self, hook, data string // program, web server, folder
	clock            *rtpClock
	rows             []benchRow // so far
}

// on makes the rows of one measurement with a server fresh from its start,
// whose calls get the web server's document, and who dials callees, if any.
func (b *benchRun) on(ctx context.Context, what, document string, callees *uas, f func(*callers) ([]benchRow, error)) error {
	if ctx.Err() != nil {
		return errors.New("stopped")
	}
	b.progress(what)
	uri, pid := b.flags.target, b.flags.pid
	if uri == "" {
		s, err := startServer(ctx, b.self, b.hook+document, b.data)
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
	got, err := f(&callers{uac: u, callees: callees, clock: b.clock, pid: pid})
	b.rows = append(b.rows, got...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
