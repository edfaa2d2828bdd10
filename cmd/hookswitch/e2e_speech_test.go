//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// TestE2ESpeech speaks with flite and listens with pocketsphinx, over calls in
// wideband of the built program, and speaks with a provider.
func TestE2ESpeech(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for half a minute")
	}
	program := buildProgram(t)
	t.Run("a document speaks", func(t *testing.T) { testSpeaks(t, program) })
	t.Run("callers speak", func(t *testing.T) { testListens(t, program) })
	t.Run("a provider speaks", func(t *testing.T) { testProviderSpeaks(t, program) })
}

// recognise is what pocketsphinx understands of 16 kHz sound by a grammar, in
// JSGF: what may be said at all.
func recognise(sound pcm.Clip, dir, grammar string) (string, error) {
	rules, file := filepath.Join(dir, "said.gram"), filepath.Join(dir, "said.wav")
	if err := os.WriteFile(rules, []byte("#JSGF V1.0;\ngrammar said;\npublic <said> = "+grammar+";\n"), 0o600); err != nil {
		return "", err
	}
	if err := os.WriteFile(file, wav.Encode(sound), 0o600); err != nil {
		return "", err
	}
	said, err := exec.Command("pocketsphinx_continuous", "-infile", file, "-jsgf", rules, "-logfn", os.DevNull).Output()
	return strings.Join(strings.Fields(string(said)), " "), err
}

// speechServer starts the program in wideband with more of a configuration.
func speechServer(t *testing.T, program, flow, config string) *benchServer {
	t.Helper()
	data := t.TempDir()
	file := filepath.Join(data, "speech.yaml")
	if err := os.WriteFile(file, []byte("media: {codecs: [g722, pcmu]}\n"+config), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), program, flow, data, "--config", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil || t.Failed() {
			t.Logf("hookswitch serve: %v\n%s", err, s.said)
		}
	})
	return s
}

// testSpeaks has pocketsphinx understand what <Say> says to a telephone.
func testSpeaks(t *testing.T, program string) {
	need(t, "flite")
	need(t, "baresip")
	need(t, "pocketsphinx_continuous")
	const (
		grammar = "the (office | shop | garden) is (open | closed) (today | on monday | on friday)" // eighteen sentences
		want    = "the office is closed on friday"
	)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<Response><Pause length="1"/><Say voice="woman">The office is closed on Friday.</Say><Pause length="1"/></Response>`)
	}))
	defer web.Close()
	s := speechServer(t, program, web.URL, "")
	b := newBaresipIn(t, "G722", 16000, 0)
	b.command("dial", s.uri)
	b.wantEvent("CALL_ESTABLISHED")
	b.wantEvent("CALL_CLOSED")
	got, err := recognise(b.quit(), t.TempDir(), grammar)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("pocketsphinx understood %q, want %q", got, want)
	}
}

// testListens has callers say a word each into the prompt of a <Gather>, whose
// ears are a server with the API of OpenAI and pocketsphinx in it.
func testListens(t *testing.T, program string) {
	need(t, "flite")
	need(t, "baresip")
	need(t, "pocketsphinx_continuous")
	words := []string{"yes", "no", "operator", "goodbye"}
	mux := http.NewServeMux()
	dir := t.TempDir()
	var asked atomic.Int64
	mux.HandleFunc("POST /v1/audio/transcriptions", func(w http.ResponseWriter, r *http.Request) {
		text, err := func() (string, error) {
			file, _, err := r.FormFile("file")
			if err != nil {
				return "", err
			}
			defer file.Close()
			b, err := io.ReadAll(file)
			if err != nil {
				return "", err
			}
			sound, err := wav.Decode(b)
			if err != nil {
				return "", err
			}
			if sound.Rate != 16000 {
				return "", fmt.Errorf("the sound has a rate of %d Hz, want that of G.722", sound.Rate)
			}
			own := filepath.Join(dir, fmt.Sprint(asked.Add(1)))
			if err := os.Mkdir(own, 0o700); err != nil {
				return "", err
			}
			return recognise(sound, own, strings.Join(words, " | "))
		}()
		if err != nil || r.Header.Get("Authorization") != "Bearer secret" || r.FormValue("model") != "sphinx" {
			t.Errorf("a request to transcribe: %v, model %q, authorization %q", err, r.FormValue("model"), r.Header.Get("Authorization"))
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"text": text})
	})
	mux.HandleFunc("/voice", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<Response><Gather input="speech" speechTimeout="auto" timeout="8" action="/heard"><Play loop="0">/prompt.wav</Play></Gather><Redirect>/silent</Redirect></Response>`)
	})
	const prompt = 500 // Hz
	mux.HandleFunc("/prompt.wav", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(wav.Encode(pcm.Tone(16000, 2*time.Second, 0.3, prompt)))
	})
	type heard struct{ who, path, said string }
	all := make(chan heard, len(words))
	hear := func(w http.ResponseWriter, r *http.Request) {
		who, _, _ := strings.Cut(strings.TrimPrefix(r.FormValue("To"), "sip:"), "@")
		all <- heard{who, r.URL.Path, r.FormValue("SpeechResult")}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<Response><Hangup/></Response>`)
	}
	mux.HandleFunc("/heard", hear)
	mux.HandleFunc("/silent", hear)
	web := httptest.NewServer(mux)
	defer web.Close()
	s := speechServer(t, program, web.URL+"/voice", fmt.Sprintf("ai: {asr: {ears: {provider: openai, baseUrl: %q, apiKey: secret, model: sphinx}}}\n", web.URL+"/v1"))

	phones := make([]*baresip, len(words))
	for i, word := range words { // each calls a user named for its word
		phones[i] = newBaresipPlaying(t, "G722", spoken(t, word))
	}
	for i, word := range words {
		phones[i].command("dial", fmt.Sprintf("sip:%s@%s", word, s.addr))
	}
	for range words {
		select {
		case h := <-all:
			if h.said != h.who || h.path != "/heard" || !slices.Contains(words, h.who) {
				t.Errorf("the caller who said %q got to %s with SpeechResult=%q", h.who, h.path, h.said)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a <Gather> waits on")
		}
	}
	for i, b := range phones {
		b.wantEvent("CALL_CLOSED")
		if got := heardSeconds(b.quit(), prompt); got < 1 || got > 2.5 {
			t.Errorf("the caller who spoke after 1.5 s (%s) heard %.2f s of a prompt without an end", words[i], got)
		}
	}
}

// spoken is a word by flite, after a second and a half of silence and before
// much more of it.
func spoken(t *testing.T, word string) pcm.Clip {
	t.Helper()
	file := filepath.Join(t.TempDir(), "word.wav")
	if said, err := exec.Command("flite", "-voice", "slt", "-t", word, "-o", file).CombinedOutput(); err != nil {
		t.Fatalf("flite: %v\n%s", err, said)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wav.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	c = c.At(16000)
	before, after := pcm.Silence(16000, 1500*time.Millisecond), pcm.Silence(16000, time.Minute)
	c.Samples = slices.Concat(before.Samples, c.Samples, after.Samples)
	return c
}

// testProviderSpeaks has a <Say> voiced by a server with the API of OpenAI,
// whose sound is heard while it is still coming, and is kept.
func testProviderSpeaks(t *testing.T, program string) {
	const hz = 700 // of the voice
	voice := make([]byte, 0, 96000)
	for _, s := range pcm.Tone(24000, 2*time.Second, 0.3, hz).Samples {
		voice = append(voice, byte(s), byte(s>>8))
	}
	asked, heard := make(chan time.Time, 4), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/audio/speech", func(w http.ResponseWriter, r *http.Request) {
		asked <- time.Now()
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		for key, want := range map[string]string{"input": "Good morning.", "voice": "nova", "model": "speaker", "response_format": "pcm"} {
			if body[key] != want {
				t.Errorf("%s is %v, want %s", key, body[key], want)
			}
		}
		w.Header().Set("Content-Type", "audio/pcm")
		w.Write(voice[:len(voice)/2])
		http.NewResponseController(w).Flush()
		select {
		case <-heard:
		case <-r.Context().Done():
			return
		}
		w.Write(voice[len(voice)/2:])
	})
	mux.HandleFunc("/voice", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprint(w, `<Response><Say voice="Polly.Joanna">Good morning.</Say><Pause length="1"/><Hangup/></Response>`)
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	s := speechServer(t, program, web.URL+"/voice", fmt.Sprintf("ai: {tts: {main: {provider: openai, baseUrl: %q, apiKey: secret, model: speaker, voice: nova}}}\n", web.URL+"/v1"))

	for _, cached := range []bool{false, true} {
		p := s.call(t, "voice", 0)
		began := p.acked
		if !cached {
			began = <-asked
		}
		first := p.firstSound(t)
		if !p.hears(hz) {
			t.Fatal("what the provider says is not heard while it speaks")
		}
		if !cached {
			close(heard)
		}
		p.wantHungUp(t)
		if got := p.heardOf(hz); got < 1.9 || got > 2.1 {
			t.Errorf("heard %.2f s of the provider's 2 s", got)
		}
		if took := first.Sub(began); took > 500*time.Millisecond {
			t.Errorf("the first sound came after %s", took)
		} else {
			t.Logf("the first sound was heard after %s; cached: %t", took.Round(time.Millisecond), cached)
		}
	}
	if len(asked) > 0 {
		t.Error("a text that was spoken is asked for again")
	}
}

// firstSound waits until it was not silent for a frame, at most ten seconds.
func (e *ear) firstSound(t *testing.T) time.Time {
	t.Helper()
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for began := time.Now(); time.Since(began) < 10*time.Second; <-ticks.C {
		if last := e.last(1); last != nil && pcm.Level(last) > -40 {
			return time.Now()
		}
	}
	t.Fatal("nothing is heard")
	return time.Time{}
}
