//go:build linux

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// TestE2EG722 calls in wideband with the telephone of others, baresip.
func TestE2EG722(t *testing.T) {
	if testing.Short() {
		t.Skip("it calls for ten seconds")
	}
	need(t, "baresip")
	program := buildProgram(t)
	data := t.TempDir()
	config := filepath.Join(data, "wideband.yaml")
	if err := os.WriteFile(config, []byte("media: {codecs: [g722, pcmu]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const theirs, ours = 5000, 5500 // above what a telephone of old has
	recorded := make(chan url.Values, 1)
	var document string
	mux := http.NewServeMux()
	mux.HandleFunc("/voice", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, "<Response>%s</Response>", document)
	})
	mux.HandleFunc("/tone.wav", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(wav.Encode(pcm.Tone(16000, 2*time.Second, 0.3, ours)))
	})
	mux.HandleFunc("/done", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<Response/>") })
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm() // of our own server
		recorded <- r.Form
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	s, err := startServer(t.Context(), program, web.URL+"/voice", data, "--config", config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()

	t.Run("a tone each way", func(t *testing.T) {
		document = `<Play>/tone.wav</Play><Record format="wav" playBeep="false" timeout="0" maxLength="2" trim="do-not-trim" action="/done" recordingStatusCallback="/status"/>`
		b := newBaresipIn(t, "G722", 16000, theirs)
		b.command("dial", s.uri)
		b.wantEvent("CALL_ESTABLISHED")
		b.wantEvent("CALL_CLOSED")
		heard := b.quit()
		if got := heardSeconds(heard, ours); heard.Rate != 16000 || got < 1.7 || got > 2.2 {
			t.Errorf("baresip heard %.2f s of the tone at %d Hz, want 2 at 16000", got, heard.Rate)
		}
		var told url.Values
		select {
		case told = <-recorded:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was recorded")
		}
		file, err := os.ReadFile(filepath.Join(data, "recordings", told.Get("RecordingSid")+".wav"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := wav.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := heardSeconds(c, theirs); c.Rate != 16000 || got < 1.8 || got > 2.1 {
			t.Errorf("recorded %.2f s of the tone at %d Hz, want 2 at 16000", got, c.Rate)
		}
	})
	for _, far := range []struct {
		codec string
		rate  int
		hz    float64 // that the far end sings
	}{{"G722", 16000, 5000}, {"PCMU", 8000, 600}} {
		t.Run("bridged to "+far.codec, func(t *testing.T) {
			bob := newBaresipIn(t, far.codec, far.rate, far.hz)
			document = fmt.Sprintf(`<Dial><Sip>sip:phone@127.0.0.1:%d</Sip></Dial>`, bob.port)
			alice := newBaresipIn(t, "G722", 16000, 1000)
			alice.command("dial", s.uri)
			bob.wantEvent("CALL_ESTABLISHED")
			<-time.After(2 * time.Second)
			alice.command("hangup", "")
			bob.wantEvent("CALL_CLOSED")
			if got := heardSeconds(alice.quit(), far.hz); got < 1.3 {
				t.Errorf("the caller heard %.2f s of the callee, want nearly 2", got)
			}
			if got := heardSeconds(bob.quit(), 1000); got < 1.3 {
				t.Errorf("the callee heard %.2f s of the caller, want nearly 2", got)
			}
		})
	}
	if err := s.Stop(); err != nil {
		t.Errorf("hookswitch serve: %v\n%s", err, s.said)
	}
}
