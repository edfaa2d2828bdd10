package stream

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// nameBytes is the longest name of a mark that is taken.
const nameBytes = 1024

// Message is what the server of an application sends.
type Message struct {
	Event   string // media, mark or clear
	Payload []byte // of media: coded sound, not empty
	Mark    string // of mark: its name
}

// Fault is what is wrong with a message. It holds nothing of the message, whose
// sender may have put a caller's words there.
type Fault struct {
	Code   int    `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (f *Fault) Error() string { return f.Detail }

// The codes of Telnyx: stream error messages. Those of Twilio are 31950 for what
// is no JSON and 31951 for any other fault.
const (
	malformedFrame = 100003
	invalidMedia   = 100004
	rateLimit      = 100005
)

// RateLimit is the fault of MP3s that come faster than one in a second.
func RateLimit() *Fault {
	return &Fault{rateLimit, "rate_limit_reached", "at most one MP3 a second is taken; send longer ones"}
}

// BadMedia is the fault of a payload that is no sound of the stream's format.
func BadMedia(telnyx bool, detail string) *Fault {
	if telnyx {
		return &Fault{invalidMedia, "invalid_media", detail}
	}
	return &Fault{31951, "invalid_message", detail}
}

// Read understands a message of the server. In Twilio's dialect it must name
// the stream, which is of; keys that are not known are ignored. The error is a
// *Fault.
func Read(telnyx bool, of string, b []byte) (Message, error) {
	var in struct {
		Event  *string `json:"event"`
		Stream *string `json:"streamSid"`
		Media  *struct {
			Payload *string `json:"payload"`
		} `json:"media"`
		Mark *struct {
			Name *string `json:"name"`
		} `json:"mark"`
	}
	if !utf8.Valid(b) || !json.Valid(b) {
		return Message{}, malformed(telnyx)
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return Message{}, invalid(telnyx, "a key of the message has a value of the wrong kind")
	}
	switch {
	case in.Event == nil:
		return Message{}, invalid(telnyx, `the message has no key "event"`)
	case !telnyx && in.Stream == nil:
		return Message{}, invalid(telnyx, `the message has no key "streamSid"`)
	case !telnyx && *in.Stream != of:
		return Message{}, invalid(telnyx, `"streamSid" is that of another stream`)
	}
	m := Message{Event: *in.Event}
	switch m.Event {
	case "media":
		if in.Media == nil || in.Media.Payload == nil || *in.Media.Payload == "" {
			return Message{}, BadMedia(telnyx, `a media message needs "media": {"payload": "…"}`)
		}
		var err error
		if m.Payload, err = base64.StdEncoding.DecodeString(*in.Media.Payload); err != nil || len(m.Payload) == 0 {
			return Message{}, BadMedia(telnyx, "the payload is not base64")
		}
	case "mark":
		if in.Mark == nil || in.Mark.Name == nil {
			return Message{}, invalid(telnyx, `a mark message needs "mark": {"name": "…"}`)
		}
		if m.Mark = *in.Mark.Name; len(m.Mark) > nameBytes {
			return Message{}, invalid(telnyx, fmt.Sprintf("the name of a mark is longer than %d bytes", nameBytes))
		}
	case "clear":
	default:
		return Message{}, invalid(telnyx, "the event is none of media, mark and clear")
	}
	return m, nil
}

func malformed(telnyx bool) *Fault {
	if telnyx {
		return &Fault{malformedFrame, "malformed_frame", "the message is not JSON"}
	}
	return &Fault{31950, "malformed_message", "the message is not JSON"}
}

func invalid(telnyx bool, detail string) *Fault {
	if telnyx {
		return &Fault{malformedFrame, "malformed_frame", detail}
	}
	return &Fault{31951, "invalid_message", detail}
}
