// Package stream is the wire of media streams: the JSON messages of Twilio
// Media Streams and of Telnyx media streaming, and how sound is coded in them.
//
// [Wire] writes what the server of an application is sent, [Read] understands
// what it sends back, [Encoder] and [Decoder] turn sound into payloads and
// payloads into sound. The package opens no sockets and keeps no time.
package stream

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// Track is a side of a call.
type Track string

const (
	Inbound  Track = "inbound"  // what the other side says
	Outbound Track = "outbound" // what it hears
)

// Parameter is a value of the document's own.
type Parameter struct{ Name, Value string }

// Start is what a stream is, told once at its beginning.
type Start struct {
	Telnyx     bool // the dialect; false is Twilio's
	StreamSID  string
	AccountSID string
	CallSID    string
	SessionSID string // what Telnyx calls the session: the call that this one belongs to
	From, To   string // Telnyx only
	Tracks     []Track
	Parameters []Parameter
	Format     Format // of the sound that is sent
}

// Wire writes the messages of one stream on one socket, and numbers them: each
// is to be sent, in the order in which they were written. It serves one
// goroutine.
type Wire struct {
	start  Start
	number int // of the last message
	chunks struct{ inbound, outbound int }
}

// New begins the messages of a stream.
func New(s Start) *Wire { return &Wire{start: s} }

// format is how a message says what sound is.
type twilioFormat struct {
	Encoding   string `json:"encoding"`
	SampleRate int    `json:"sampleRate"`
	Channels   int    `json:"channels"`
}

type telnyxFormat struct {
	Encoding   string `json:"encoding"`
	SampleRate int    `json:"sample_rate"`
	Channels   int    `json:"channels"`
}

type twilioStart struct {
	StreamSID  string            `json:"streamSid"`
	AccountSID string            `json:"accountSid"`
	CallSID    string            `json:"callSid"`
	Tracks     []Track           `json:"tracks"`
	Parameters map[string]string `json:"customParameters"`
	Format     twilioFormat      `json:"mediaFormat"`
}

type telnyxStart struct {
	UserID      string            `json:"user_id"`
	CallControl string            `json:"call_control_id"`
	CallSession string            `json:"call_session_id"`
	From        string            `json:"from"`
	To          string            `json:"to"`
	Tags        []string          `json:"tags"`
	ClientState string            `json:"client_state"`
	Format      telnyxFormat      `json:"media_format"`
	Parameters  map[string]string `json:"custom_parameters,omitempty"`
}

// Connected is the first message. It has no number.
func (w *Wire) Connected() []byte {
	if w.start.Telnyx {
		return []byte(`{"event":"connected","version":"1.0.0"}`)
	}
	return []byte(`{"event":"connected","protocol":"Call","version":"1.0.0"}`)
}

// Start is the second message.
func (w *Wire) Start() []byte {
	s := w.start
	parameters := make(map[string]string, len(s.Parameters))
	for _, p := range s.Parameters {
		parameters[p.Name] = p.Value
	}
	if s.Telnyx {
		return encode(struct {
			Event  string      `json:"event"`
			Number string      `json:"sequence_number"`
			Start  telnyxStart `json:"start"`
			Stream string      `json:"stream_id"`
		}{"start", w.next(), telnyxStart{
			UserID: s.AccountSID, CallControl: s.CallSID, CallSession: s.SessionSID,
			From: s.From, To: s.To, Tags: []string{},
			Format: telnyxFormat{s.Format.Encoding, s.Format.Rate, 1}, Parameters: parameters,
		}, s.StreamSID})
	}
	return encode(struct {
		Event  string      `json:"event"`
		Number string      `json:"sequenceNumber"`
		Start  twilioStart `json:"start"`
		Stream string      `json:"streamSid"`
	}{"start", w.next(), twilioStart{
		StreamSID: s.StreamSID, AccountSID: s.AccountSID, CallSID: s.CallSID,
		Tracks: s.Tracks, Parameters: parameters,
		Format: twilioFormat{"audio/x-mulaw", s.Format.Rate, 1},
	}, s.StreamSID})
}

// Media appends the message for a piece of sound to dst. at is when the sound
// began, from the start of the stream; it may leap where sound was lost, and the
// chunks are numbered on. It allocates nothing when dst has room for it.
func (w *Wire) Media(dst []byte, track Track, at time.Duration, payload []byte) []byte {
	chunk := &w.chunks.inbound
	if track == Outbound {
		chunk = &w.chunks.outbound
	}
	*chunk++
	w.number++
	number, stream := `","sequence_number":"`, `"},"stream_id":"`
	if !w.start.Telnyx {
		number, stream = `","sequenceNumber":"`, `"},"streamSid":"`
	}
	dst = append(dst, `{"event":"media`...)
	dst = append(dst, number...)
	dst = strconv.AppendInt(dst, int64(w.number), 10)
	dst = append(dst, `","media":{"track":"`...)
	dst = append(dst, track...)
	dst = append(dst, `","chunk":"`...)
	dst = strconv.AppendInt(dst, int64(*chunk), 10)
	dst = append(dst, `","timestamp":"`...)
	dst = strconv.AppendInt(dst, at.Milliseconds(), 10)
	dst = append(dst, `","payload":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, payload)
	dst = append(dst, stream...)
	dst = append(dst, w.start.StreamSID...)
	return append(dst, `"}`...)
}

// DTMF says that a key was pressed on the other side.
func (w *Wire) DTMF(key rune, at time.Time) []byte {
	if w.start.Telnyx {
		return encode(struct {
			Event  string     `json:"event"`
			Stream string     `json:"stream_id"`
			At     string     `json:"occurred_at"`
			Number string     `json:"sequence_number"`
			DTMF   telnyxDTMF `json:"dtmf"`
		}{"dtmf", w.start.StreamSID, at.UTC().Format("2006-01-02T15:04:05.000000Z"), w.next(), telnyxDTMF{string(key)}})
	}
	return encode(struct {
		Event  string     `json:"event"`
		Stream string     `json:"streamSid"`
		Number string     `json:"sequenceNumber"`
		DTMF   twilioDTMF `json:"dtmf"`
	}{"dtmf", w.start.StreamSID, w.next(), twilioDTMF{"inbound_track", string(key)}})
}

type telnyxDTMF struct {
	Digit string `json:"digit"`
}

type twilioDTMF struct {
	Track string `json:"track"`
	Digit string `json:"digit"`
}

type name struct {
	Name string `json:"name"`
}

// Mark says that all sound before the mark of this name has been played, or
// dropped.
func (w *Wire) Mark(of string) []byte {
	if w.start.Telnyx {
		return encode(struct {
			Event  string `json:"event"`
			Stream string `json:"stream_id"`
			Number string `json:"sequence_number"`
			Mark   name   `json:"mark"`
		}{"mark", w.start.StreamSID, w.next(), name{of}})
	}
	return encode(struct {
		Event  string `json:"event"`
		Number string `json:"sequenceNumber"`
		Stream string `json:"streamSid"`
		Mark   name   `json:"mark"`
	}{"mark", w.next(), w.start.StreamSID, name{of}})
}

// Error says what was wrong with a message of the server. It has no number, and
// only Telnyx has it.
func (w *Wire) Error(f *Fault) []byte {
	return encode(struct {
		Event   string `json:"event"`
		Stream  string `json:"stream_id"`
		Payload *Fault `json:"payload"`
	}{"error", w.start.StreamSID, f})
}

// Stop is the last message.
func (w *Wire) Stop() []byte {
	if w.start.Telnyx {
		type stop struct {
			UserID      string `json:"user_id"`
			CallControl string `json:"call_control_id"`
		}
		return encode(struct {
			Event  string `json:"event"`
			Number string `json:"sequence_number"`
			Stream string `json:"stream_id"`
			Stop   stop   `json:"stop"`
		}{"stop", w.next(), w.start.StreamSID, stop{w.start.AccountSID, w.start.CallSID}})
	}
	type stop struct {
		AccountSID string `json:"accountSid"`
		CallSID    string `json:"callSid"`
	}
	return encode(struct {
		Event  string `json:"event"`
		Number string `json:"sequenceNumber"`
		Stop   stop   `json:"stop"`
		Stream string `json:"streamSid"`
	}{"stop", w.next(), stop{w.start.AccountSID, w.start.CallSID}, w.start.StreamSID})
}

// next numbers a message.
func (w *Wire) next() string {
	w.number++
	return strconv.Itoa(w.number)
}

// encode is JSON of values that always have one: strings and numbers.
func encode(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}
