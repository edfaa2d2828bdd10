package sip

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// part returns the body when it has the media type, or the part of a multipart
// body that has it (RFC 5621 §3): carriers send a location or ISUP beside SDP.
func (m *message) part(mediaType string) ([]byte, bool) {
	t, params, _ := mime.ParseMediaType(m.get("Content-Type"))
	if t == mediaType {
		return m.body, true
	}
	if !strings.HasPrefix(t, "multipart/") || params["boundary"] == "" {
		return nil, false
	}
	r := multipart.NewReader(bytes.NewReader(m.body), params["boundary"])
	for range 8 {
		p, err := r.NextRawPart()
		if err != nil {
			return nil, false
		}
		if t, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); t == mediaType {
			b, err := io.ReadAll(p)
			return b, err == nil
		}
	}
	return nil, false
}

// dtmfKey reads the key of an INFO body: "Signal=5" among the lines of
// application/dtmf-relay, or the key alone of application/dtmf. Some send the
// numbers of RFC 4733 §3.2 for * and #.
func dtmfKey(mediaType string, body []byte) (rune, bool) {
	text := strings.TrimSpace(string(body))
	if mediaType == "application/dtmf-relay" {
		signal := ""
		for l := range strings.Lines(text) {
			if k, v, ok := strings.Cut(l, "="); ok && strings.EqualFold(strings.TrimSpace(k), "signal") {
				signal = strings.TrimSpace(v)
				break
			}
		}
		text = signal
	}
	text = strings.ToUpper(text)
	switch {
	case text == "10":
		return '*', true
	case text == "11":
		return '#', true
	case len(text) == 1 && strings.Contains("0123456789*#ABCD", text):
		return rune(text[0]), true
	}
	return 0, false
}
