package deepgram

import (
	"cmp"
	"encoding/json"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
)

// message is what /v1/listen sends: Results, UtteranceEnd, SpeechStarted,
// Metadata, Error, and what may come to be.
type message struct {
	Type        string
	IsFinal     bool `json:"is_final"`
	SpeechFinal bool `json:"speech_final"`
	Start       float64
	Duration    float64
	Channel     json.RawMessage // of UtteranceEnd it is a list of numbers
}

type channel struct {
	Alternatives []struct {
		Transcript string
		Confidence float64
		Words      []struct {
			Word       string
			Punctuated string `json:"punctuated_word"`
			Start, End float64
			Confidence float64
		}
	}
}

// decoder reads the messages of one hearing.
type decoder struct {
	provider wire.Provider
	over     bool // the speaker has been told to have finished, and nothing came since
}

// decode is what a message tells. Results of a Finalize (from_finalize) are
// final ones like others.
func (d *decoder) decode(b []byte) ([]ai.Result, error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil || m.Type == "" {
		return nil, d.provider.Fault(ai.Protocol, "sent a message that is none of /v1/listen", nil)
	}
	switch m.Type {
	case "Results":
		return d.results(m)
	case "UtteranceEnd":
		// It follows a speech_final when both endings see the same pause.
		if d.over {
			return nil, nil
		}
		d.over = true
		return []ai.Result{{Final: true, Over: true}}, nil
	case "Error":
		// Its description may quote what was sent, so it is not passed on.
		return nil, d.provider.Fault(ai.Unavailable, "told of an error of its own", nil)
	}
	return nil, nil
}

func (d *decoder) results(m message) ([]ai.Result, error) {
	var c channel
	if err := json.Unmarshal(m.Channel, &c); err != nil {
		return nil, d.provider.Fault(ai.Protocol, "sent results without a channel", nil)
	}
	r := ai.Result{Final: m.IsFinal || m.SpeechFinal, Over: m.SpeechFinal, Began: wire.Seconds(m.Start)}
	if len(c.Alternatives) > 0 {
		best := c.Alternatives[0]
		r.Text, r.Confidence = best.Transcript, wire.Confidence(best.Confidence)
		for _, w := range best.Words {
			r.Words = append(r.Words, ai.Word{
				Text:  cmp.Or(w.Punctuated, w.Word),
				Began: wire.Seconds(w.Start), Ended: wire.Seconds(w.End),
				Confidence: wire.Confidence(w.Confidence),
			})
		}
	}
	if r.Text == "" && (!r.Over || d.over) {
		return nil, nil // silence, which Deepgram tells of too
	}
	r.Ended = wire.Seconds(m.Start + m.Duration)
	d.over = r.Over
	return []ai.Result{r}, nil
}
