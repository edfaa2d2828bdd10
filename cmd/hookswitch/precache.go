package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/texml"
)

const precacheUsage = `usage: hookswitch precache [FLOW...] [flags]

Has the texts of documents spoken before anybody calls, and keeps the sound in
the cache (ai.cache): a call then waits for no provider, and pays none. FLOW is a
TeXML file, a folder with an index.xml, or an example such as embed:hello.xml; the
documents that it leads to count too. Without FLOW those of the routes are taken.
Texts with {{templates}} are known in the call only, and left out.

`

// precache is the command: it fills the cache of voices.
func precache(args []string, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("precache", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	configPath := fs.String("config", "", "configuration `file` (default hookswitch.yaml, if there is one)")
	data := fs.String("data", "", "`folder` of the cache, unless ai.cache.folder names one (data; default hookswitch-data)")
	dialect := fs.String("dialect", "", "telnyx or twilio (default: telnyx)")
	operands, err := parseOperands(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, precacheUsage)
		fs.SetOutput(out)
		fs.PrintDefaults()
		return 0
	}
	if err != nil {
		fmt.Fprintln(errOut, "hookswitch precache:", err, "(--help shows what there is)")
		return 2
	}
	cfg, slips := serveConfig(*configPath)
	for _, s := range slips {
		fmt.Fprintln(errOut, s)
	}
	if cfg == nil {
		return 1
	}
	if err := override(cfg, "", "", "", "", *data, *dialect); err != nil {
		fmt.Fprintln(errOut, "hookswitch precache:", err)
		return 2
	}
	if len(operands) == 0 {
		for _, r := range cfg.FlowRoutes() {
			if r.Flow != "" {
				operands = append(operands, r.Flow)
			}
		}
	}
	if len(operands) == 0 {
		fmt.Fprintln(errOut, "hookswitch precache: no flow is named, and no route has one; write: hookswitch precache menu.xml")
		return 2
	}
	d := texml.Telnyx
	if named, err := texml.ParseDialect(*dialect); err == nil {
		d = named
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := fillCache(ctx, cfg, operands, d, out, errOut); err != nil {
		fmt.Fprintln(errOut, "hookswitch precache:", err)
		return 1
	}
	return 0
}

// line is one text of a document.
type line struct {
	at     string
	speech ai.Speech
}

// fillCache has all texts of flows spoken, in each rate that calls may have.
func fillCache(ctx context.Context, cfg *Config, documents []string, d texml.Dialect, out, errOut io.Writer) (err error) {
	if cfg.AI.Cache.Size == 0 {
		return errors.New("ai.cache.size is 0, so nothing is kept")
	}
	var lines []line
	left := 0
	for _, flow := range documents {
		var files flows.Files
		_, err := files.Add(flow)
		if err := errors.Join(err, files.Close()); err != nil {
			return err
		}
		for _, c := range checkFlow(flow, d) {
			if c.slips.Failed() {
				return c.slips
			}
			doc, err := texml.Parse(c.source, c.body, d)
			if err != nil {
				return err
			}
			for _, say := range sayings(doc.Verbs) {
				for speech := range runtime.Speeches(say) {
					if strings.Contains(speech.Text, "{{") {
						left++
					}
					if speech.Text == "" || strings.Contains(speech.Text, "{{") {
						continue
					}
					l := line{at: fmt.Sprintf("%s:%d:%d", c.source, say.At().Line, say.At().Col), speech: speech}
					if !slices.ContainsFunc(lines, func(have line) bool { return have.speech == l.speech }) {
						lines = append(lines, l)
					}
				}
			}
		}
	}
	log := slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := newSpeech(cfg, true, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.voice == nil {
		return s.none
	}
	rates := []int{8000}
	if slices.Contains(cfg.Media.Codecs, "g722") {
		rates = append(rates, 16000)
	}
	failed := 0
	var all time.Duration
	for i, l := range lines {
		for _, rate := range rates {
			long, err := drain(ctx, s.voice, l.speech, rate)
			if ctx.Err() != nil {
				return errors.New("cut short; what is done is kept")
			}
			if err != nil {
				failed++
				fmt.Fprintf(out, "%3d/%d  %s  %v\n", i+1, len(lines), l.at, err)
				continue
			}
			all += long
			fmt.Fprintf(out, "%3d/%d  %s  %.1f s at %d Hz\n", i+1, len(lines), l.at, long.Seconds(), rate)
		}
	}
	fmt.Fprintf(out, "%s, %.1f s of sound; %s with templates left out\n", plural(len(lines), "text"), all.Seconds(), plural(left, "text"))
	if failed > 0 {
		return fmt.Errorf("%s could not be spoken", plural(failed, "text"))
	}
	return nil
}

// drain has speech spoken and returns how long it is.
func drain(ctx context.Context, voice ai.TTS, speech ai.Speech, rate int) (time.Duration, error) {
	samples := 0
	for f, err := range voice.Speak(ctx, speech, rate) {
		if err != nil {
			return 0, err
		}
		samples += len(f)
	}
	return time.Duration(samples) * time.Second / time.Duration(rate), nil
}

// sayings are all <Say> of verbs and in them.
func sayings(nodes []texml.Node) (says []*texml.Say) {
	for _, n := range nodes {
		switch n := n.(type) {
		case *texml.Say:
			says = append(says, n)
		case *texml.Gather:
			says = append(says, sayings(n.Prompts)...)
		case *texml.Pay:
			for _, p := range n.Prompts {
				says = append(says, sayings(p.Prompts)...)
			}
		}
	}
	return says
}
