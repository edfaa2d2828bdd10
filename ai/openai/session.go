package openai

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// session is one transcription session without its socket: what is to be sent,
// and what the server's events mean.
type session struct {
	*service
	h      ai.Hearing
	own    bool // turns are found here
	ear    *ear
	r      *pcm.Resampler
	unsent [][]byte

	settled bool // session.updated came
	// What was said of utterances, by item. One is open from speech_started
	// on, or from our commit, and gone with its transcript.
	items   map[string]*item
	spans   []span // own utterances that are committed here and not yet there
	voiced  bool   // since the last that the server committed
	ended   bool
	flushed bool // our last commit was answered, or there was none
}

// item is an utterance at the server.
type item struct {
	span
	text      string
	committed bool
}

type span struct {
	began, ended time.Duration
	cut          bool // the speaker went on
}

func newSession(s *service, h ai.Hearing) *session {
	n := &session{service: s, h: h, ear: s.ear(h.Rate), r: pcm.NewResampler(h.Rate, realtimeRate), items: map[string]*item{}}
	n.own = strings.HasPrefix(s.model(h), ownTurns)
	if s.speaches() {
		n.settled = true // by the URL
		return n
	}
	n.unsent = append(n.unsent, message(n.settings()))
	return n
}

// settings is the session.update of a transcription session.
func (s *session) settings() any {
	type object = map[string]any
	transcription := object{"model": s.model(s.h)}
	if l := languageCode(cmp.Or(s.h.Language, s.Language)); l != "" {
		transcription["language"] = l
	}
	if p := s.prompt(s.h); p != "" {
		transcription["prompt"] = p
	}
	input := object{
		"format":         object{"type": "audio/pcm", "rate": realtimeRate},
		"transcription":  transcription,
		"turn_detection": nil,
	}
	session := object{"type": "transcription", "audio": object{"input": input}}
	if !s.own {
		input["turn_detection"] = object{
			"type": "server_vad", "prefix_padding_ms": before.Milliseconds(), "silence_duration_ms": silence.Milliseconds(),
		}
		session["include"] = []string{"item.input_audio_transcription.logprobs"}
	}
	return object{"type": "session.update", "session": session}
}

// hear takes a frame to be sent. Where turns are found here, silence is not.
func (s *session) hear(f pcm.Frame) {
	idle := s.ear.now == nil
	done := s.ear.hear(f)
	speaking := s.ear.now != nil || done != nil
	s.voiced = s.voiced || s.ear.voiced()
	switch {
	case !s.own:
		s.append(f)
	case speaking && idle && s.ear.now != nil:
		s.append(s.ear.now.sound) // with what was before it
	case speaking:
		s.append(f)
	}
	if s.own && done != nil {
		s.commit(done)
	}
}

func (s *session) append(f []int16) {
	out := s.r.Resample(make([]int16, 0, len(f)*realtimeRate/s.h.Rate+1), f)
	b := pcm.AppendBytes(make([]byte, 0, 2*len(out)), out)
	s.unsent = append(s.unsent, message(map[string]string{
		"type": "input_audio_buffer.append", "audio": base64.StdEncoding.EncodeToString(b),
	}))
}

func (s *session) commit(u *utterance) {
	s.spans = append(s.spans, span{place(u.began, s.h.Rate), place(u.ended, s.h.Rate), !u.over})
	s.unsent = append(s.unsent, message(map[string]string{"type": "input_audio_buffer.commit"}))
}

// end says that no more sound comes. A commit makes the server finish an
// utterance that it takes to go on; in silence it would make words up.
func (s *session) end() {
	s.ended = true
	u := s.ear.end(true)
	switch {
	case s.own && u != nil:
		s.commit(u)
		s.flushed = true // its span is what is owed
	case !s.own && s.voiced:
		s.unsent = append(s.unsent, message(map[string]string{"type": "input_audio_buffer.commit"}))
	default:
		s.flushed = true
	}
}

// owed is how many answers the server owes us.
func (s *session) owed() int {
	n := len(s.spans)
	for _, i := range s.items {
		if i.committed {
			n++
		}
	}
	if s.ended && !s.flushed {
		n++
	}
	return n
}

func (s *session) done() bool { return s.ended && s.owed() == 0 }

// event is what a message of the server may hold, of any type.
type event struct {
	Type         string     `json:"type"`
	ItemID       string     `json:"item_id"`
	AudioStartMs float64    `json:"audio_start_ms"`
	AudioEndMs   float64    `json:"audio_end_ms"`
	Delta        string     `json:"delta"`
	Transcript   string     `json:"transcript"`
	Error        *complaint `json:"error"`
	Logprobs     []struct {
		Logprob float64 `json:"logprob"`
	} `json:"logprobs"`
}

// event takes a message of the server. There is a result if ok.
func (s *session) event(msg []byte) (r ai.Result, ok bool, err error) {
	var e event
	if json.Unmarshal(msg, &e) != nil {
		return r, false, s.fault(ai.Protocol, "a message is no JSON of an event", "see whether "+s.key("baseUrl")+" has a Realtime API", nil)
	}
	if len(s.items) > maxItems {
		return r, false, s.fault(ai.Protocol, "too many utterances without a transcript", "see whether the server is well", nil)
	}
	const transcription = "conversation.item.input_audio_transcription."
	switch e.Type {
	case "session.updated":
		s.settled = true
	case "input_audio_buffer.speech_started":
		if i := s.item(e.ItemID); i != nil {
			i.began = ms(e.AudioStartMs)
		}
	case "input_audio_buffer.speech_stopped":
		if i := s.item(e.ItemID); i != nil {
			i.ended = ms(e.AudioEndMs)
		}
	case "input_audio_buffer.committed":
		i := s.item(e.ItemID)
		if i == nil {
			break
		}
		i.committed = true
		s.voiced = s.ear.voiced()
		if len(s.spans) > 0 {
			i.span, s.spans = s.spans[0], s.spans[1:]
		}
		s.flushed = s.ended
	case transcription + "delta", "input_audio_buffer.partial_transcription":
		i := s.item(e.ItemID)
		if i == nil {
			break
		}
		if i.text += e.Delta; e.Transcript != "" { // speaches tells all of it each time
			i.text = e.Transcript
		}
		if len(i.text) > maxMessage {
			return r, false, s.fault(ai.Protocol, "a transcript is too long", "see whether the server is well", nil)
		}
		text := strings.TrimSpace(i.text)
		return ai.Result{Text: text, Began: i.began, Ended: i.ended}, s.h.Interim && text != "", nil
	case transcription + "completed":
		i := s.item(e.ItemID)
		if i == nil {
			break
		}
		delete(s.items, e.ItemID)
		if !i.committed && len(s.spans) > 0 { // a server that does not tell what is committed
			i.span, s.spans = s.spans[0], s.spans[1:]
		}
		r = ai.Result{Text: strings.TrimSpace(e.Transcript), Final: true, Over: !i.cut, Began: i.began, Ended: i.ended}
		for _, l := range e.Logprobs {
			r.Confidence += math.Exp(min(0, l.Logprob)) / float64(len(e.Logprobs))
		}
		return r, true, nil
	case transcription + "failed":
		delete(s.items, e.ItemID)
		if e.Error == nil {
			e.Error = &complaint{}
		}
		if strings.Contains(e.Error.code(), "unintelligible") {
			return ai.Result{Final: true, Over: true}, true, nil
		}
		return r, false, s.complaint(*e.Error)
	case "error":
		return r, false, s.oops(e.Error)
	}
	return r, false, nil
}

// oops sorts an error event. Most are of one message and not of the session.
func (s *session) oops(c *complaint) error {
	if c == nil {
		c = &complaint{}
	}
	if strings.Contains(c.code(), "commit_empty") || s.ended && !s.flushed && c.Type == "invalid_request_error" {
		// The server had finished the utterance already.
		s.flushed = s.ended
		if len(s.spans) > 0 {
			s.spans = s.spans[1:]
		}
		return nil
	}
	err := s.complaint(*c)
	if s.settled && (err.Kind == ai.Unsupported || err.Kind == ai.Content) {
		return nil
	}
	return err
}

// complaint is an error of the session by what the server says of it.
func (s *session) complaint(c complaint) *ai.Error {
	code := c.code()
	said := cmp.Or(code, "an error event")
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(code, w) || strings.Contains(c.Type, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("insufficient_quota", "rate_limit"):
		return s.refusal(429, said, c)
	case has("api_key", "authentication", "permission"):
		return s.refusal(401, said, c)
	case has("session_expired"):
		return s.fault(ai.Unavailable, "the session has lasted as long as it may", "nothing; the next one begins at once", nil)
	case has("invalid_request", "not_found", "invalid_model", "unsupported"):
		return s.refusal(400, said, c)
	}
	return s.refusal(500, said, c)
}

// item is the utterance of that id, a new one if there is none; nil without an
// id, which says nothing to us.
func (s *session) item(id string) *item {
	if id == "" {
		return nil
	}
	i := s.items[id]
	if i == nil {
		i = &item{}
		s.items[id] = i
	}
	return i
}

func ms(v float64) time.Duration {
	return time.Duration(min(max(0, v), 1e10) * float64(time.Millisecond))
}
