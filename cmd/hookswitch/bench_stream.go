//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/vad"
)

// restFrames is how many frames lie between two that a delay is measured of: what
// held one up is over before the next. All that is sent on a stream is played, so
// one frame that is late makes all behind it late.
const restFrames = 10

// streams makes the rows of calls that are connected to a media stream.
func (b *benchRun) streams(ctx context.Context) error {
	for _, n := range b.flags.streams {
		for _, every := range []int{restFrames, 1} {
			name := fmt.Sprintf("%d on streams", n)
			what := fmt.Sprintf("%s that send back 1 frame in %d, for %d s", name, every, b.flags.seconds)
			err := b.on(ctx, what, fmt.Sprintf("/stream?every=%d", every), nil, func(c *callers) ([]benchRow, error) {
				rows, err := c.streamed(ctx, name+": ", n, b.flags.seconds)
				if err != nil || every == 1 {
					return rows[min(len(rows), 1):], err // what all frames cost
				}
				return rows[:1], nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// streamed holds n calls whose sound a server of streams sends back. It measures
// how long a frame that comes back is on its way, and what the calls cost.
func (c *callers) streamed(ctx context.Context, name string, n, seconds int) (rows []benchRow, err error) {
	// What the first call ever leaves behind is no other call's memory.
	if err := c.holding(ctx, 1, func([]*rtpEnd) error { return nil }); err != nil {
		return nil, err
	}
	idle, err := c.memory()
	if err != nil {
		return nil, err
	}
	err = c.holding(ctx, n, func(ends []*rtpEnd) error {
		k, err := c.spend(ctx, ends, seconds)
		if err != nil {
			return err
		}
		var delays []time.Duration
		silent := 0
		for _, e := range ends {
			d := e.Delays()
			e.Lateness() // ends the watch
			if delays = append(delays, d...); len(d) == 0 {
				silent++
			}
		}
		if len(delays) == 0 {
			return errors.New("nothing comes back")
		}
		note := "caller, server, application and back; " + k.lateness()
		if silent > 0 {
			note += fmt.Sprintf("; %d of %d heard nothing", silent, n)
		}
		rows = []benchRow{{name + "round trip", append(spread(delays), ms("max", delays[len(delays)-1])), note}}
		if c.pid != 0 {
			rows = append(rows, k.rows(name, n, idle, "after one call")...)
		}
		return nil
	})
	return rows, err
}

// streamEcho is an application that sends a call back what it hears, every so
// many frames of it, until the stream ends.
func streamEcho(w http.ResponseWriter, r *http.Request) {
	every, err := strconv.Atoi(r.FormValue("every"))
	if err != nil || every < 1 {
		http.Error(w, "every how many frames?", http.StatusBadRequest)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	for n := 0; ; {
		_, text, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		var in struct {
			Event string
			Media struct {
				Payload string `json:"payload"`
			}
		}
		if json.Unmarshal(text, &in) != nil || in.Event != "media" {
			continue
		}
		if n++; n%every != 0 {
			continue
		}
		back, err := json.Marshal(map[string]any{"event": "media", "media": in.Media})
		if err != nil || conn.Write(r.Context(), websocket.MessageText, back) != nil {
			return
		}
	}
}

// instantVoice is a provider, with the API of OpenAI, that has two seconds of
// sound ready for every text.
func instantVoice() http.HandlerFunc {
	var voice []byte
	for _, s := range pcm.Tone(24000, 2*time.Second, 0.3, promptTone).Samples {
		voice = append(voice, byte(s), byte(s>>8))
	}
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // a broken one breaks the answer too
		w.Header().Set("Content-Type", "audio/pcm")
		w.Write(voice)
	}
}

// speech makes the rows of voices and of the detector, in this process.
func (b *benchRun) speech(ctx context.Context) error {
	b.progress("voices and the detector of speech")
	for _, v := range []struct {
		name, note string
		texts      int
		config     AIConfig
	}{
		{"local voice", "a new sentence of 12 words; the engine's program runs for each", 10, AIConfig{}},
		{"provider", "a new sentence each, and a server on loopback that answers at once", 200,
			AIConfig{TTS: map[string]Provider{"bench": {Provider: "openai", BaseURL: b.hook + "/v1", APIKey: "none", Voice: "nova", Timeout: 10 * time.Second}}}},
	} {
		rows, err := voiceRows(ctx, v.name, v.note, v.config, v.texts)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		b.rows = append(b.rows, rows...)
	}
	b.rows = append(b.rows, detectorRow())
	return nil
}

// voiceRows measure from a text to its first frame, for texts that nobody has
// spoken yet and then for one that is kept.
func voiceRows(ctx context.Context, name, note string, config AIConfig, texts int) ([]benchRow, error) {
	s, err := newSpeech(&Config{AI: config}, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer s.close()
	if s.voice == nil {
		return []benchRow{{name: "text to first frame, " + name, note: s.String()}}, nil
	}
	s.warming.Wait()
	first := func(text string) (took time.Duration, err error) {
		began := time.Now()
		for _, err := range s.voice.Speak(ctx, ai.Speech{Text: text}, 8000) {
			if err != nil {
				return 0, err
			}
			if took == 0 {
				took = time.Since(began)
			}
		}
		return took, nil
	}
	var fresh, kept []time.Duration
	for i := range texts {
		text := fmt.Sprintf("Welcome to the clinic, you are now number %d of those who wait.", i)
		took, err := first(text)
		if err != nil {
			return nil, err
		}
		fresh = append(fresh, took)
		for range 5 {
			took, err := first(text)
			if err != nil {
				return nil, err
			}
			kept = append(kept, took)
		}
	}
	return []benchRow{
		{"text to first frame, " + name, spread(fresh), note},
		{"text to first frame, " + name + ", spoken before", []figure{
			{"p50", float64(percentile(kept, 0.5).Nanoseconds()) / 1000, "µs"}, {"p99", float64(percentile(kept, 0.99).Nanoseconds()) / 1000, "µs"}}, "from memory"},
	}, nil
}

// detectorRow is what it costs to tell speech from noise.
func detectorRow() benchRow {
	row := benchRow{name: "detector of speech, a frame", note: "20 ms of a tone, the dearest sound; in one process, on one core"}
	for _, rate := range []int{8000, 16000} {
		d, frame := vad.New(rate), pcm.Tone(rate, pcm.FrameTime, 0.3, promptTone).Samples
		row.figures = append(row.figures, microseconds(fmt.Sprintf("%d kHz", rate/1000), func() { d.Hear(frame) }))
	}
	return row
}
