package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
)

const (
	// maxTranscriptions of a call are under way at a time.
	maxTranscriptions = 4

	// lastTranscript is how long engines have for what was said at the end.
	lastTranscript = 3 * time.Second

	// interimEvery is the least time between two texts of a track that are not
	// final: an engine may change its mind at any rate.
	interimEvery = 100 * time.Millisecond
)

// transcription tells the words of a call while they are spoken, from <Start> on.
type transcription struct {
	call  *call
	where string     // in the document
	told  Request    // where its events go
	form  url.Values // that each of them has
	lang  string
	ears  []*ear
	halt  context.CancelFunc
	over  chan struct{} // closed when no engine runs any more

	mu       sync.Mutex
	sequence int
}

// startTranscription begins to tell what is said. It returns nil when nothing can be
// understood, which is noted at n and told.
func (c *script) startTranscription(n *texml.Transcription) service {
	t := &transcription{call: c.call, where: c.at(n), lang: n.LanguageCode, over: make(chan struct{}),
		told: c.statusCallback(n, texml.StatusCallbacks{StatusCallback: n.StatusCallbackURL, StatusCallbackMethod: n.StatusCallbackMethod})}
	t.form = url.Values{"AccountSid": {c.rec.AccountSID}, "CallSid": {c.rec.SID}}
	if c.set.Dialect == texml.Telnyx {
		t.form = c.params(nil)
		for name := range t.form {
			switch name {
			case "AccountSid", "CallSid", "CallSidLegacy", "ConnectionId", "From", "To":
			default:
				t.form.Del(name)
			}
		}
	} else {
		t.form.Set("TranscriptionSid", c.s.NewID("GT"))
	}
	count := 0
	for _, s := range c.services {
		if s.kind != n.Name() {
			continue
		}
		if count++; n.Label != "" && s.label == n.Label {
			t.failed("", fmt.Errorf("a transcription %q is under way already", n.Label))
			return nil
		}
	}
	switch {
	case c.s.Ears == nil:
		t.failed("", errors.New(noEars))
		return nil
	case count == maxTranscriptions:
		t.failed("", fmt.Errorf("at most %d transcriptions of a call are under way at a time", maxTranscriptions))
		return nil
	case n.IntelligenceService != "" || n.ConversationConfiguration != "" || n.ConversationID != "":
		c.Warn(n, 0, "intelligenceService, conversationConfiguration and conversationId name services of Twilio and are ignored")
	}
	c.knows(n, n.TranscriptionEngine)
	ctx, halt := context.WithCancel(context.Background()) // it ends with the call, which stops it
	t.halt = halt
	t.tell("transcription-started", url.Values{
		"LanguageCode": {n.LanguageCode}, "Track": {n.Track}, "PartialResults": {strconv.FormatBool(n.PartialResults)},
		"TranscriptionEngine": {n.TranscriptionEngine}, "Name": {n.Label},
	})
	c.note("transcription", "started", "", 0)
	t.listen(ctx, c.leg.Stream(), n)
	return t
}

// listen has an engine hear each of the tracks that n names.
func (t *transcription) listen(ctx context.Context, stream *media.Stream, n *texml.Transcription) {
	h := ai.Hearing{
		Rate: stream.Rate(), Language: n.LanguageCode, Engine: n.TranscriptionEngine, Model: n.SpeechModel, Region: n.Region,
		Hints: n.Hints, Keyterms: n.Keyterms, Interim: n.PartialResults, ProfanityFilter: n.ProfanityFilter, SmartFormat: n.SmartFormat,
	}
	var engines sync.WaitGroup
	for _, track := range []struct {
		name string
		from tap
	}{{"inbound_track", stream.Tap}, {"outbound_track", stream.TapSent}} {
		if n.Track != "both_tracks" && n.Track != track.name {
			continue
		}
		e := newEar(track.from, nil)
		t.ears = append(t.ears, e)
		engines.Go(func() {
			defer e.close()
			t.call.guard(func() { t.write(ctx, track.name, n, t.call.s.Ears.Hear(t.call.watch(ctx), h, e.sound)) })
		})
	}
	go func() {
		engines.Wait()
		close(t.over)
	}()
}

// write tells the results of an engine until they end.
func (t *transcription) write(ctx context.Context, track string, n *texml.Transcription, results iter.Seq2[ai.Result, error]) {
	var told time.Time // the last text that was not final
	for r, err := range results {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.failed(track, err)
			return
		}
		text := strings.TrimSpace(r.Text)
		if text == "" || !r.Final && (!n.PartialResults || time.Since(told) < interimEvery) {
			continue
		}
		if !r.Final {
			told = time.Now()
		}
		t.content(track, n, text, r)
	}
}

// content tells words. In the Telnyx dialect the track is told when there are two.
func (t *transcription) content(track string, n *texml.Transcription, text string, r ai.Result) {
	if t.call.set.Dialect == texml.Telnyx {
		f := url.Values{"Transcript": {text}, "IsFinal": {strconv.FormatBool(r.Final)}}
		if r.Confidence > 0 {
			f.Set("Confidence", number(r.Confidence))
		}
		if n.Track == "both_tracks" {
			f.Set("TranscriptionTrack", strings.TrimSuffix(track, "_track"))
		}
		t.tell("", f)
		return
	}
	data := map[string]any{"transcript": text}
	if r.Confidence > 0 {
		data["confidence"] = r.Confidence
	}
	b, _ := json.Marshal(data) // cannot fail on these types
	f := url.Values{"TranscriptionData": {string(b)}, "Track": {track}, "Final": {strconv.FormatBool(r.Final)}, "LanguageCode": {t.lang}}
	if !r.Final && r.Stability > 0 {
		f.Set("Stability", number(r.Stability))
	}
	if label := either(track == "inbound_track", n.InboundTrackLabel, n.OutboundTrackLabel); label != "" {
		f.Set("TrackLabel", label)
	}
	t.tell("transcription-content", f)
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// failed notes and tells that a track is understood no more; "" is all of them.
func (t *transcription) failed(track string, err error) {
	t.call.note("warning", t.where+"<Transcription>: "+err.Error(), "", 32650)
	f := url.Values{"TranscriptionErrorCode": {"32650"}, "TranscriptionError": {err.Error()}}
	if track != "" {
		f.Set("Track", track)
	}
	t.tell("transcription-error", f)
}

// stop ends the transcription when what was said last has been told, and tells that
// it has ended (service).
func (t *transcription) stop(context.Context) {
	for _, e := range t.ears {
		e.close()
	}
	patience := time.NewTimer(lastTranscript)
	defer patience.Stop()
	select {
	case <-t.over:
	case <-patience.C:
	}
	t.halt()
	<-t.over
	t.call.note("transcription", "stopped", "", 0)
	t.tell("transcription-stopped", nil)
}

// tell tells an event. Telnyx knows words only, whose event is "".
func (t *transcription) tell(event string, more url.Values) {
	telnyx := t.call.set.Dialect == texml.Telnyx
	if t.told.URL == "" || telnyx && event != "" {
		return
	}
	now := time.Now()
	f := maps.Clone(t.form)
	maps.Copy(f, more)
	t.mu.Lock()
	defer t.mu.Unlock() // the order of numbers is that of the callbacks
	if !telnyx {
		t.sequence++
		f.Set("TranscriptionEvent", event)
		f.Set("SequenceId", strconv.Itoa(t.sequence))
		f.Set("Timestamp", iso(now))
	}
	t.call.owe(t.call.news(t.told, f))
}
