package main

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSpeechManual: each block of the manual is a configuration that makes
// providers, and every kind of them has one.
func TestSpeechManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/speech.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // whatever voices this machine has
	keys := func(name string) (string, bool) { return "key", strings.HasSuffix(name, "_API_KEY") }
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	seen := make(map[string]bool)
	for _, block := range blocks {
		cfg, slips := parseConfig(filepath.Join(t.TempDir(), "hookswitch.yaml"), []byte(block[1]), keys)
		if len(slips) > 0 {
			t.Errorf("%v in\n%s", slips, block[1])
			continue
		}
		var s speech
		voices, ears := s.voices(cfg.AI, slog.New(slog.DiscardHandler)), s.listeners(cfg.AI)
		for _, v := range voices {
			seen["tts "+v.Kind] = v.TTS != nil
		}
		for _, e := range ears {
			seen["asr "+e.Kind] = e.ASR != nil
		}
		if len(voices) != len(cfg.AI.TTS) || len(ears) != len(cfg.AI.ASR) {
			t.Errorf("%d voices and %d ears of\n%s", len(voices), len(ears), block[1])
		}
		for _, shut := range s.shut {
			if err := shut(); err != nil {
				t.Error(err)
			}
		}
	}
	for section, kinds := range map[string][]string{"asr": asrKinds, "tts": ttsKinds} {
		for _, kind := range kinds {
			if kind != "local" && !seen[section+" "+kind] {
				t.Errorf("the manual has no block for %s of %s", section, kind)
			}
			if !strings.Contains(string(text), "### "+kind+"\n") {
				t.Errorf("the manual has no heading %s", kind)
			}
		}
	}
}

// TestOrderOfVoices holds who comes first, who is aside, and where the local
// voices are.
func TestOrderOfVoices(t *testing.T) {
	dir := t.TempDir()
	flite := filepath.Join(dir, "flite")
	if err := os.WriteFile(flite, []byte("#!/bin/sh\necho 'Voices available: slt'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	const two = "b: {provider: openai, apiKey: k}, a: {provider: deepgram, apiKey: k}"
	for _, tt := range []struct{ name, file, want string }{
		{"nothing is configured", "{}", "local"},
		{"by the alphabet", "ai: {tts: {" + two + "}}", "a b local"},
		{"by the defaults", "ai: {tts: {" + two + "}, defaults: {tts: [b]}}", "b (a) local"},
		{"local voices first", "ai: {tts: {" + two + "}, defaults: {tts: [local, b]}}", "local b (a)"},
		{"local voices by another name, aside", "ai: {tts: {" + two + ", mine: {provider: local}}, defaults: {tts: [b]}}", "b (a) (mine)"},
	} {
		cfg, slips := parseConfig("f", []byte(tt.file), noEnv)
		if len(slips) > 0 {
			t.Fatal(slips)
		}
		var s speech
		var got []string
		for _, v := range s.voices(cfg.AI, slog.New(slog.DiscardHandler)) {
			if v.Aside {
				v.Name = "(" + v.Name + ")"
			}
			got = append(got, v.Name)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestServeTellsWhoListens: a provider that is not there is told at the start,
// and not first by a caller who is not understood.
func TestServeTellsWhoListens(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + gone.Addr().String() + "/v1"
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, listens, log string }{
		{"nobody", "{}", "nobody, keys only; ai.asr in the configuration names who understands speech", ""},
		{"two, and one aside", "ai: {asr: {a: {provider: deepgram, apiKey: k}, b: {provider: openai, baseUrl: '" + url + "'}, c: {provider: openai, baseUrl: '" + url + "'}}, defaults: {asr: [b, a]}}",
			"b (openai), then a (deepgram)", "b: cannot be reached"},
	} {
		cfg, slips := parseConfig(filepath.Join(t.TempDir(), "hookswitch.yaml"), []byte(tt.file), noEnv)
		if len(slips) > 0 {
			t.Fatal(slips)
		}
		var log bytes.Buffer
		s, err := newSpeech(cfg, false, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		s.warming.Wait()
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if got := s.listens(); got != tt.listens {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.listens)
		}
		if !strings.Contains(log.String(), tt.log) || strings.Contains(log.String(), "c: ") {
			t.Errorf("%s: the log is %q, want %q in it, and nothing of c", tt.name, log.String(), tt.log)
		}
	}
}
