package calltest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/g722"
	"github.com/hookswitch/hookswitch/media/opus"
	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/texml"
)

// app is what a server of media streams makes of the messages it gets. It reads
// them by itself, as JSON of any kind, so that a slip in how we write them shows.
type app struct {
	socket   *socket
	telnyx   bool // the dialect of the stream
	stream   string
	state    string // the last of connected, start and stop
	sequence int
	broken   []string // what was wrong with numbers
	tracks   map[string]*track
	decode   func(payload []byte) []int16
	rate     int
}

// track is the sound of one side of the call.
type track struct {
	messages  int
	chunk, at int // of the last, at in ms
	came      time.Time
	heard     []int16 // the last heardFor
	words     *decoder
}

func newApp(s *socket) app {
	return app{socket: s, telnyx: s.stage.script.dialect == texml.Telnyx, tracks: map[string]*track{}}
}

// take reads a message of a stream.
func (a *app) take(msg []byte) {
	var m map[string]any
	if err := json.Unmarshal(msg, &m); err != nil {
		a.wrong("a message is not JSON: " + err.Error())
		return
	}
	event := field(m, "event")
	switch {
	case a.state == "" && event != "connected":
		a.wrong(event + " comes before connected")
	case a.state == "stop":
		a.wrong(event + " comes after stop")
	case a.state != "" && event == "connected", a.state == "start" && event == "start":
		a.wrong(event + " comes again")
	case a.state == "connected" && event != "start" && event != "error":
		a.wrong(event + " comes before start")
	}
	if event == "connected" {
		a.state = event
		if field(m, "version") != "1.0.0" || !a.telnyx && field(m, "protocol") != "Call" {
			a.wrong(fmt.Sprintf("connected has version %q and protocol %q", field(m, "version"), field(m, "protocol")))
		}
		return
	}
	if event == "start" {
		_, a.telnyx = m["stream_id"]
		a.stream = field(m, a.id())
	}
	a.numbers(m, event)
	switch event {
	case "start":
		a.state = event
		a.start(m)
	case "media":
		a.media(m)
	case "dtmf":
		a.socket.note("dtmf " + field(m, "dtmf", "digit"))
	case "mark":
		a.socket.note("mark " + field(m, "mark", "name"))
	case "stop":
		a.state = event
		a.socket.note("stop")
	case "error":
		a.socket.note("error " + field(m, "payload", "code") + " " + field(m, "payload", "title"))
	default:
		a.wrong("nobody knows the event " + event)
	}
}

func (a *app) wrong(what string) { a.socket.note("wrong: " + what) }

// id is the key of the stream's identifier.
func (a *app) id() string {
	if a.telnyx {
		return "stream_id"
	}
	return "streamSid"
}

// field is a value inside m as text, "" when there is none.
func field(m map[string]any, names ...string) string {
	var v any = m
	for _, name := range names {
		inside, _ := v.(map[string]any)
		v = inside[name]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// numbers checks what every message has after the first.
func (a *app) numbers(m map[string]any, event string) {
	if got := field(m, a.id()); got != a.stream || got == "" {
		a.wrong(fmt.Sprintf("%s has %s %q", event, a.id(), got))
	}
	if event == "error" {
		return // which has no number
	}
	key := "sequenceNumber"
	if a.telnyx {
		key = "sequence_number"
	}
	text, _ := m[key].(string)
	n, err := strconv.Atoi(text)
	if err != nil {
		a.wrong(fmt.Sprintf("%s has %s %v, which is no number in a string", event, key, m[key]))
	} else if n != a.sequence+1 {
		a.broken = append(a.broken, fmt.Sprintf("sequence %d after %d", n, a.sequence))
	}
	a.sequence = n
}

// start tells what is to be known of a stream.
func (a *app) start(m map[string]any) {
	format, custom, rate := "mediaFormat", "customParameters", "sampleRate"
	start, _ := m["start"].(map[string]any)
	var tells []string
	if a.telnyx {
		format, custom, rate = "media_format", "custom_parameters", "sample_rate"
		tells = append(tells, "from "+field(m, "start", "from")+" to "+field(m, "start", "to"))
	} else {
		if inside := field(m, "start", "streamSid"); inside != a.stream {
			a.wrong("start is of " + inside + " and of " + a.stream)
		}
		list, _ := start["tracks"].([]any)
		var tracks []string
		for _, t := range list {
			tracks = append(tracks, fmt.Sprint(t))
		}
		tells = append(tells, strings.Join(tracks, ","))
	}
	encoding, hz := field(m, "start", format, "encoding"), field(m, "start", format, rate)
	tells = append(tells, encoding, hz)
	values, _ := start[custom].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		tells = append(tells, fmt.Sprintf("%s=%v", name, values[name]))
	}
	a.socket.note("start " + strings.Join(tells, " "))
	a.rate, _ = strconv.Atoi(hz)
	var err error
	if a.decode, err = decoding(encoding, a.rate); err != nil {
		a.wrong(err.Error())
	}
}

// media takes sound.
func (a *app) media(m map[string]any) {
	name := field(m, "media", "track")
	if name != "inbound" && name != "outbound" {
		a.wrong("media has the track " + name)
	}
	t := a.tracks[name]
	if t == nil {
		t = &track{}
		if words := a.socket.stage.script.words; words != nil && a.rate > 0 {
			t.words = &decoder{known: words, rate: a.rate}
		}
		a.tracks[name] = t
	}
	t.messages++
	chunk, err := strconv.Atoi(field(m, "media", "chunk"))
	if err != nil || chunk != t.chunk+1 {
		a.broken = append(a.broken, fmt.Sprintf("%s chunk %s after %d", name, field(m, "media", "chunk"), t.chunk))
	}
	at, err := strconv.Atoi(field(m, "media", "timestamp"))
	if err != nil || at < t.at {
		a.broken = append(a.broken, fmt.Sprintf("%s timestamp %s after %d", name, field(m, "media", "timestamp"), t.at))
	}
	t.chunk, t.at, t.came = chunk, at, time.Now()
	payload, err := base64.StdEncoding.DecodeString(field(m, "media", "payload"))
	if err != nil || len(payload) == 0 || a.decode == nil {
		a.wrong("media has no payload that can be read")
		return
	}
	sound := a.decode(payload)
	t.heard = append(t.heard, sound...)
	if over := len(t.heard) - a.rate/int(time.Second/heardFor); over > 0 {
		t.heard = slices.Clone(t.heard[over:])
	}
	if t.words != nil {
		if _, over := t.words.hear(sound); over {
			t.words.said = nil
		}
	}
}

// listen says what is heard in each track, which has a name when there are two.
func (a *app) listen() string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(a.tracks)) {
		t, label := a.tracks[name], ""
		if len(a.tracks) > 1 {
			label = name + " "
		}
		what := "silence"
		if time.Since(t.came) <= heardFor {
			what = hears(t.heard, a.rate, t.words)
		}
		told = append(told, label+what)
	}
	if told == nil {
		return "nothing"
	}
	return strings.Join(told, ", ")
}

// counts says how much of each track has come, and where numbers were not as
// they must be.
func (a *app) counts() string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(a.tracks)) {
		t := a.tracks[name]
		told = append(told, fmt.Sprintf("%s %d, chunk %d at %dms", name, t.messages, t.chunk, t.at))
	}
	if told == nil {
		told = []string{"no media"}
	}
	if len(a.broken) > 0 {
		told = append(told, "broken: "+strings.Join(a.broken[:min(3, len(a.broken))], ", "))
	}
	return strings.Join(told, "; ")
}

// message is one of the server's to the stream, in its dialect. Inside is what
// the key of the event's name has, nil for nothing.
func (a *app) message(event string, inside map[string]string) []byte {
	m := map[string]any{"event": event}
	if !a.telnyx {
		m["streamSid"] = a.stream
	}
	if inside != nil {
		m[event] = inside
	}
	b, _ := json.Marshal(m) // of strings, so without an error
	return b
}

// decoding gives a function that makes sound of the payload of one track.
func decoding(encoding string, rate int) (func([]byte) []int16, error) {
	if rate < 8000 || rate > 48000 {
		return nil, fmt.Errorf("the sound has a rate of %d Hz", rate)
	}
	switch encoding {
	case "audio/x-mulaw", "PCMU":
		return func(b []byte) []int16 { out := make([]int16, len(b)); g711.DecodeULaw(out, b); return out }, nil
	case "PCMA":
		return func(b []byte) []int16 { out := make([]int16, len(b)); g711.DecodeALaw(out, b); return out }, nil
	case "L16":
		return littleEndian, nil
	case "G722":
		d := g722.NewDecoder()
		// Its clock is 8000 in messages, too; every second sample is told.
		return func(b []byte) []int16 {
			out := make([]int16, 2*len(b))
			out = out[:d.Decode(out, b)]
			return pcm.Clip{Rate: 16000, Samples: out}.At(rate).Samples
		}, nil
	case "OPUS":
		d, err := opus.NewDecoder(rate)
		if err != nil {
			return nil, err
		}
		return func(b []byte) []int16 {
			out := make([]int16, rate/1000*120)
			n, _ := d.Decode(out, b)
			return out[:max(0, n)]
		}, nil
	}
	return nil, fmt.Errorf("the sound comes as %q", encoding)
}

func littleEndian(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

// encoding gives a function that makes the payload of sound.
func encoding(name string) func([]int16) []byte {
	switch name {
	case "PCMA":
		return func(s []int16) []byte { b := make([]byte, len(s)); g711.EncodeALaw(b, s); return b }
	case "L16":
		return func(s []int16) (b []byte) {
			for _, v := range s {
				b = binary.LittleEndian.AppendUint16(b, uint16(v))
			}
			return b
		}
	case "G722":
		e := g722.NewEncoder()
		return func(s []int16) []byte { b := make([]byte, len(s)/2); return b[:e.Encode(b, s)] }
	}
	return func(s []int16) []byte { b := make([]byte, len(s)); g711.EncodeULaw(b, s); return b }
}
