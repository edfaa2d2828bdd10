package calltest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// answer is what the web server of a script gives for one request.
type answer struct {
	status int
	header http.Header
	delay  time.Duration
	body   []byte
}

// section reads one document of the web server, or the trace.
func (s *Script) section(file txtar.File) error {
	if file.Name == "want" {
		if s.HasWant {
			return errors.New("there are two want sections; keep one")
		}
		s.Want, s.HasWant = string(file.Data), true
		return nil
	}
	m, path, ok := strings.Cut(file.Name, " ")
	if !ok || !slices.Contains([]string{"GET", "POST", "ANY"}, m) || !strings.HasPrefix(path, "/") {
		return fmt.Errorf("a section cannot be named %q; write want, GET /path, POST /path or ANY /path", file.Name)
	}
	a, err := readAnswer(string(file.Data))
	if err != nil {
		return err
	}
	s.answers[file.Name] = append(s.answers[file.Name], a)
	return nil
}

// readAnswer reads a section: a head of status, delay, tone and HTTP header
// lines up to an empty line, which may be left out, and the body.
func readAnswer(text string) (answer, error) {
	a := answer{status: 200, header: http.Header{"Content-Type": {"text/xml"}}}
	first, _, _ := strings.Cut(text, "\n")
	if name, _, ok := strings.Cut(first, ":"); !ok || name == "" || strings.ContainsAny(name, " \t<&") {
		a.body = []byte(text)
		return a, nil
	}
	head, body, ok := strings.Cut(text, "\n\n")
	if !ok {
		head, body = strings.TrimSuffix(text, "\n"), ""
	}
	for line := range strings.SplitSeq(head, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t<&") {
			return a, fmt.Errorf("%q is not a header line; an empty line parts the head from the body", line)
		}
		value = strings.TrimSpace(value)
		var err error
		switch name {
		case "status":
			if a.status, err = strconv.Atoi(value); err != nil || a.status < 200 || a.status > 599 {
				return a, fmt.Errorf("%q is not a status; write 200 to 599", value)
			}
		case "delay":
			if a.delay, err = time.ParseDuration(value); err != nil || a.delay < 0 || a.delay > longestScript {
				return a, fmt.Errorf("%q is not a time; write delay: 500ms", value)
			}
		case "tone":
			var wave []byte
			if wave, err = toneFile(value); err != nil {
				return a, err
			}
			a.header.Set("Content-Type", "audio/wav")
			body = string(wave)
		case "Content-Type":
			a.header.Set(name, value)
		default:
			a.header.Add(name, value)
		}
	}
	a.body = []byte(body)
	return a, nil
}

// toneFile makes the WAV file that "440Hz 2s" describes.
func toneFile(text string) ([]byte, error) {
	f := strings.Fields(text)
	if len(f) != 2 {
		return nil, errors.New("write: tone: 440Hz 2s")
	}
	hz, err := pitch(f[0])
	if err != nil {
		return nil, err
	}
	d, err := length(f[1])
	if err != nil {
		return nil, err
	}
	return wav.Encode(pcm.Tone(rate, d, 0.5, hz)), nil
}
