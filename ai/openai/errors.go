package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/ai/internal/wire"
)

// key is where the configuration has a setting: "ai.tts.main.apiKey".
func (s *service) key(name string) string { return "ai." + s.section + "." + s.Name + "." + name }

func (s *service) fault(kind ai.Kind, msg, fix string, err error) *ai.Error {
	return &ai.Error{Provider: s.Name, Kind: kind, Msg: msg, Fix: fix, Err: err}
}

// failed is the error of a request that was made with ctx, which a watch
// keeps. The end of the context around it comes first, as its bare cause.
func (s *service) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && cause != errSlow {
		return cause
	}
	var e *ai.Error
	if errors.As(err, &e) {
		return e
	}
	if err == io.EOF { // from the decoder; that of a connection is wrapped
		return s.fault(ai.Protocol, "the answer is empty", "see whether "+s.key("baseUrl")+" is such an API", nil)
	}
	// The URL may hold a key that somebody put there.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var n net.Error
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case context.Cause(ctx) == errSlow, errors.As(err, &n) && n.Timeout():
		return s.fault(ai.Timeout, fmt.Sprintf("nothing came for %v", s.Timeout), "see whether the server is slow or raise "+s.key("timeout"), errSlow)
	case errors.Is(err, errTooMuch):
		return s.fault(ai.Protocol, fmt.Sprintf("the answer is longer than %d bytes", maxMessage), "see whether "+s.key("baseUrl")+" is such an API", err)
	case errors.As(err, &syntax), errors.As(err, &mistyped):
		// What these errors say repeats pieces of the answer, which are words of the caller.
		return s.fault(ai.Protocol, "the answer is no JSON of a transcription", "see whether "+s.key("baseUrl")+" is such an API", nil)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return s.fault(ai.Unavailable, "the connection was cut", "see whether the server is well", err)
	}
	return s.fault(ai.Unavailable, "cannot be reached", "see whether the server runs and "+s.key("baseUrl")+" is right", err)
}

func (s *service) badURL(err error) *ai.Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return s.fault(ai.Unsupported, "the URL is wrong", "set "+s.key("baseUrl")+" to a URL such as "+DefaultURL, err)
}

// complaint is the error object of the API, in answers and in events. Its
// message is left out: it may repeat the key or the text.
type complaint struct {
	Code    any    `json:"code"` // a string, a number or null
	Type    string `json:"type"`
	Param   string `json:"param"`
	EventID string `json:"event_id"` // of the message that caused it
}

var codeShape = regexp.MustCompile(`^[a-z][a-z_]{1,40}$`)

// code is the code of a complaint, or its type, "" if neither looks like one.
func (c complaint) code() string {
	if code, ok := c.Code.(string); ok && codeShape.MatchString(code) {
		return code
	}
	if codeShape.MatchString(c.Type) {
		return c.Type
	}
	return ""
}

// refused makes an error of an answer that is none.
func (s *service) refused(resp *http.Response) *ai.Error {
	var body struct {
		Error complaint `json:"error"`
	}
	// What is no JSON, such as the page of a proxy, says no more than the status.
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	_ = json.Unmarshal(b, &body)
	said := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + body.Error.code())
	e := s.refusal(resp.StatusCode, said, body.Error)
	e.After = wire.RetryAfter(resp.Header)
	return e
}

// refusal sorts what the API refuses, by status and complaint. Said is what
// the message quotes.
func (s *service) refusal(status int, said string, c complaint) *ai.Error {
	code := c.code()
	switch {
	case status == http.StatusPaymentRequired, code == "insufficient_quota":
		return s.fault(ai.RateLimit, "nothing is left to spend ("+said+")", "add credit to the account of "+s.key("apiKey"), nil)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		if s.APIKey == "" {
			return s.fault(ai.Auth, "a key is needed ("+said+")", "set "+s.key("apiKey"), nil)
		}
		return s.fault(ai.Auth, "the key was refused ("+said+")", "set "+s.key("apiKey")+" to a key that is valid and may use "+s.Model, nil)
	case status == http.StatusTooManyRequests:
		return s.fault(ai.RateLimit, "too much was asked at once ("+said+")", "ask the provider for a higher limit, or name another one after it in ai.defaults."+s.section, nil)
	case status == http.StatusRequestTimeout:
		return s.fault(ai.Timeout, "the server waited too long ("+said+")", "see whether the network is slow", nil)
	case status >= 500:
		return s.fault(ai.Unavailable, "the server has a fault ("+said+")", "try later, or name another one after it in ai.defaults."+s.section, nil)
	case status < 400:
		return s.fault(ai.Protocol, "the answer leads elsewhere ("+said+")", "set "+s.key("baseUrl")+" to where it leads", nil)
	case strings.Contains(code, "content"), strings.Contains(code, "moderation"):
		return s.fault(ai.Content, "the "+s.matter()+" was refused ("+said+")", "say it otherwise", nil)
	case strings.Contains(c.Param+code, "voice"):
		return s.fault(ai.Unsupported, "there is no such voice ("+said+")", "set "+s.key("voice")+" to one that the server has", nil)
	case strings.Contains(c.Param+code, "language"):
		return s.fault(ai.Unsupported, "it does not know the language ("+said+")", "set "+s.key("language")+" to one that "+s.Model+" knows", nil)
	case strings.Contains(c.Param+code, "model"):
		return s.fault(ai.Unsupported, "it has no model "+s.Model+" for this ("+said+")", "set "+s.key("model"), nil)
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return s.fault(ai.Unsupported, "it has no such address or model ("+said+")", "set "+s.key("baseUrl")+" and "+s.key("model")+" to what the server has", nil)
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity, status == http.StatusRequestEntityTooLarge, status == http.StatusUnsupportedMediaType:
		return s.fault(ai.Content, "the "+s.matter()+" was refused ("+said+")", "see whether "+s.key("model")+" is one for this", nil)
	}
	return s.fault(ai.Unsupported, "the request was refused ("+said+")", "see whether "+s.key("baseUrl")+" is such an API", nil)
}

// matter is what a provider of this section is given.
func (s *service) matter() string {
	if s.section == "tts" {
		return "text"
	}
	return "sound"
}
