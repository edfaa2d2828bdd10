package calltest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// place is what a script says of the WebSocket server at a path.
type place struct {
	refuses     int  // the status it answers with; 0 it takes the connection
	unreachable bool // there is no connection
	slow        bool // it does not read
	codec       string
	rate        int // Hz, of the sound it sends
}

// isSocket reports whether word is a WebSocket server, or one connection to it.
func isSocket(word string) bool { return strings.HasPrefix(word, "/") }

// place is what the script says of a server, which is there when it says anything.
func (s *Script) place(name string) *place {
	path, _, _ := strings.Cut(name, "#")
	p := s.sockets[path]
	if p == nil {
		p = &place{codec: "PCMU", rate: rate}
		s.sockets[path] = p
	}
	return p
}

// setting reads what follows the path.
func (p *place) setting(f []string) (err error) {
	rest := strings.Join(f, " ")
	switch {
	case rest == "accepts":
	case rest == "slow":
		p.slow = true
	case rest == "refuses connection":
		p.unreachable = true
	case len(f) == 2 && f[0] == "refuses":
		p.refuses, err = status(f[1], 200, 599)
	case len(f) >= 2 && f[0] == "speaks":
		err = p.speaks(f[1:])
	default:
		return fmt.Errorf("a socket cannot be %q; there are accepts, refuses 403, refuses connection, slow, and speaks L16 16000", rest)
	}
	return err
}

// speaks reads a codec and, of L16, its rate.
func (p *place) speaks(f []string) error {
	p.codec = f[0]
	switch {
	case len(f) == 1 && (f[0] == "PCMU" || f[0] == "PCMA"):
		p.rate = 8000
		return nil
	case len(f) == 1 && f[0] == "G722":
		p.rate = 16000
		return nil
	case len(f) == 2 && f[0] == "L16":
		var err error
		if p.rate, err = strconv.Atoi(f[1]); err == nil && (p.rate == 8000 || p.rate == 16000 || p.rate == 24000 || p.rate == 48000) {
			return nil
		}
	}
	return fmt.Errorf("%q is not how a socket can speak; write PCMU, PCMA, G722, or L16 with 8000, 16000, 24000 or 48000", strings.Join(f, " "))
}

// socketAction reads what a server does: f is the path and what follows it.
func (s *Script) socketAction(at time.Duration, f []string) error {
	a := action{at: at, leg: f[0]}
	if len(f) > 1 {
		a.verb, a.args = f[1], f[2:]
	}
	rest := strings.Join(a.args, " ")
	var err error
	takes := 0
	switch a.verb {
	case "tone":
		if takes = 2; len(a.args) == 3 && a.args[2] == "burst" {
			takes = 3
		}
		if len(a.args) == takes {
			err = checkWords("tone", a.args[:2])
		}
	case "words":
		quoted, more, wrong := cutQuoted(rest)
		words := strings.Fields(quoted)
		if wrong != nil || len(words) == 0 || more != "" && more != "burst" {
			return errors.New(`write: words "hello there", and burst after it for all at once`)
		}
		a.says = &phrase{words: words, over: time.Duration(len(words)) * perWord}
		err = s.words.learn(words)
		takes = len(a.args)
	case "mark":
		takes = 1
	case "close":
		if takes = len(a.args); takes == 1 {
			_, err = status(rest, 1000, 4999)
		} else if takes > 1 {
			takes = 1
		}
	case "sends":
		if takes = len(a.args); takes == 0 {
			return errors.New(`sends needs a message after it, such as: sends {"event":"clear"}`)
		}
	case "clear", "listen", "counts", "reads", "wait":
	default:
		return fmt.Errorf("a socket cannot %q; what it can do: tone, words, mark, clear, sends, close, reads, listen, counts, wait", a.verb)
	}
	if err == nil && len(a.args) != takes {
		err = fmt.Errorf("%s takes %s", a.verb, howMany(takes, takes))
	}
	if err != nil {
		return err
	}
	s.place(a.leg)
	s.actions = append(s.actions, a)
	return nil
}

// socketSteps takes an action of a server apart.
func (s *Script) socketSteps(a action) (steps []step) {
	add := func(at time.Duration, do func(*socket)) {
		b := a
		b.at = at
		steps = append(steps, step{action: b, begins: len(steps) == 0, on: do})
	}
	where := s.place(a.leg)
	switch a.verb {
	case "tone":
		hz, _ := pitch(a.args[0])
		d, _ := length(a.args[1])
		where.plays(a, pcm.Tone(where.rate, d, 0.3, hz), add)
	case "words":
		where.plays(a, s.words.speak(a.says.words, where.rate, a.says.each()), add)
	case "mark":
		add(a.at, func(w *socket) { w.says("mark", map[string]string{"name": a.args[0]}) })
	case "clear":
		add(a.at, func(w *socket) { w.says("clear", nil) })
	case "sends":
		add(a.at, func(w *socket) { w.send([]byte(strings.Join(a.args, " "))) })
	case "close":
		code := 1000
		if len(a.args) == 1 {
			code, _ = strconv.Atoi(a.args[0])
		}
		add(a.at, func(w *socket) { w.close(code) })
	case "reads":
		add(a.at, (*socket).reads)
	case "listen":
		add(a.at, func(w *socket) { w.tell("hears ", (*app).listen) })
	case "counts":
		add(a.at, func(w *socket) { w.tell("counts ", (*app).counts) })
	default: // wait
		add(a.at, func(*socket) {})
	}
	return steps
}

// tell notes something of what the server knows.
func (s *socket) tell(of string, what func(*app) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(of + what(&s.app))
}

// says sends a message in the dialect of the stream.
func (s *socket) says(event string, inside map[string]string) {
	s.mu.Lock()
	msg := s.app.message(event, inside)
	s.mu.Unlock()
	s.send(msg)
}

// plays sends sound as messages of 20 ms, each at its time, or all at once.
func (p *place) plays(a action, sound pcm.Clip, add func(time.Duration, func(*socket))) {
	encode, n := encoding(p.codec), pcm.FrameLen(p.rate)
	var payloads []string
	for i := 0; i+n <= len(sound.Samples); i += n {
		payloads = append(payloads, base64.StdEncoding.EncodeToString(encode(sound.Samples[i:i+n])))
	}
	send := func(w *socket, payload string) { w.says("media", map[string]string{"payload": payload}) }
	if a.args[len(a.args)-1] == "burst" {
		add(a.at, func(w *socket) {
			for _, payload := range payloads {
				send(w, payload)
			}
		})
		return
	}
	for i, payload := range payloads {
		add(a.at+time.Duration(i)*pcm.FrameTime, func(w *socket) { send(w, payload) })
	}
}
