package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/hookswitch/hookswitch/ai"
)

// Causes with which waiting for a provider ends.
var (
	errSilent = errors.New("the provider is silent")
	errDone   = errors.New("the speech is over")
)

// Fault is an [ai.Error] of this provider, with what a person can do about it.
// msg must hold nothing of what is said, and no key.
func (p Provider) Fault(kind ai.Kind, msg string, err error) *ai.Error {
	return &ai.Error{Provider: p.name, Kind: kind, Msg: msg, Fix: p.fix(kind), Err: err}
}

// fix is what helps against a kind of fault.
func (p Provider) fix(kind ai.Kind) string {
	switch kind {
	case ai.Auth:
		return "set " + p.key + ".apiKey to a key that may do this"
	case ai.RateLimit:
		return "wait, or raise the limit or the balance of the account of " + p.key + ".apiKey"
	case ai.Unsupported:
		return "check the model, voice and language that the document or " + p.key + " names"
	case ai.Content:
		return "send other text or sound"
	case ai.Timeout, ai.Unavailable:
		return "check " + p.key + ".baseUrl and the provider's status page, or name a second provider in ai.defaults"
	}
	return "check that " + p.key + ".baseUrl is a server of this kind"
}

// Silent is the fault of a provider that owes something and says nothing.
func (p Provider) Silent() *ai.Error {
	return p.Fault(ai.Timeout, fmt.Sprintf("said nothing for %v", p.timeout), nil)
}

func (p Provider) badURL(err error) error {
	e := p.Fault(ai.Unavailable, "the address is no URL", err)
	e.Fix = "check " + p.key + ".baseUrl"
	return e
}

// unreachable is the fault behind a request that got no answer, or the cause
// of ctx if that ended first.
func (p Provider) unreachable(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == errSilent:
		return p.Silent()
	case cause != nil:
		return cause
	}
	// The URL around the error may hold hints, which are of no use here.
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return p.Fault(ai.Unavailable, "cannot be reached", err)
}

// Refusal is the fault that an HTTP answer tells. The provider's own code for
// it is kept; its words are not, for they may repeat the text.
func (p Provider) Refusal(resp *http.Response) *ai.Error {
	code := refusalCode(resp.Body)
	msg := "answered " + strconv.Itoa(resp.StatusCode)
	if code != "" {
		msg += " (" + code + ")"
	}
	e := p.Fault(refusalKind(resp.StatusCode, code), msg, nil)
	if e.Kind == ai.Auth && (strings.Contains(code, "voice") || p.Picky && resp.StatusCode == 403) {
		e.Kind, e.Fix = ai.Unsupported, p.fix(ai.Unsupported)
	}
	e.After = RetryAfter(resp.Header)
	return e
}

// refusalKind is what an HTTP status means. ElevenLabs tells a spent balance
// by 401, so the provider's code is looked at too.
func refusalKind(status int, code string) ai.Kind {
	switch {
	case strings.Contains(code, "quota"), status == 402, status == 429:
		return ai.RateLimit
	case status == 401, status == 403:
		return ai.Auth
	case status == 408, status == 504:
		return ai.Timeout
	case status == 413, status == 422:
		return ai.Content
	case status >= 500:
		return ai.Unavailable
	case status >= 400:
		return ai.Unsupported
	}
	return ai.Protocol // a redirect, or a page where sound or a socket should be
}

// Told is the fault behind an error message of Telnyx: its codes that begin
// with 400 and 422 name a parameter, 401 and 403 the key.
func (p Provider) Told(code string) *ai.Error {
	msg := "told of an error"
	if known.MatchString(code) {
		msg += " (" + code + ")"
	}
	kind := ai.Unavailable
	if len(code) >= 3 {
		if status, err := strconv.Atoi(code[:3]); err == nil && status >= 400 {
			kind = refusalKind(status, "")
		}
	}
	return p.Fault(kind, msg, nil)
}

// known are codes as providers write them: INVALID_AUTH, quota_exceeded, 40001.
var known = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// refusalCode finds the provider's code in the JSON of a refusal: err_code of
// Deepgram, detail.status or detail.code of ElevenLabs, errors[0].code of
// Telnyx. "" when there is none that looks like one.
func refusalCode(body io.Reader) string {
	b, err := io.ReadAll(io.LimitReader(body, 16<<10))
	if err != nil {
		return ""
	}
	var r struct {
		ErrCode json.RawMessage `json:"err_code"`
		Detail  json.RawMessage
		Errors  json.RawMessage
	}
	if json.Unmarshal(b, &r) != nil {
		return ""
	}
	var errCode string
	var detail struct{ Status, Code string }
	var errs []struct{ Code string }
	json.Unmarshal(r.ErrCode, &errCode) // each may be missing, or of another form
	json.Unmarshal(r.Detail, &detail)
	json.Unmarshal(r.Errors, &errs)
	code := cmp.Or(errCode, detail.Status, detail.Code)
	if code == "" && len(errs) > 0 {
		code = errs[0].Code
	}
	if !known.MatchString(code) {
		return ""
	}
	return code
}

// RetryAfter is when to come again by RFC 9110 section 10.2.3, or by
// retry-after-ms where that is sent; at most an hour, and 0 for nonsense.
func RetryAfter(h http.Header) time.Duration {
	var d time.Duration
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		d = time.Duration(min(max(0, ms), 1e9) * float64(time.Millisecond))
	} else if v := h.Get("Retry-After"); v != "" {
		if sec, err := strconv.ParseFloat(v, 64); err == nil {
			d = time.Duration(min(max(0, sec), 1e6) * float64(time.Second))
		} else if at, err := http.ParseTime(v); err == nil {
			d = time.Until(at)
		}
	}
	return min(max(0, d), time.Hour)
}

// closeCode is Deepgram's code at the begin of a close reason: NET-0001.
var closeCode = regexp.MustCompile(`^[A-Z]{3,5}-\d{4}`)

// Closed is the fault behind the end of a WebSocket: a close frame (RFC 6455
// section 7.4.1), a message above the limit, or a broken connection.
func (p Provider) Closed(err error) *ai.Error {
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return p.Fault(ai.Protocol, fmt.Sprintf("sent a message above %d bytes", messageLimit), nil)
	}
	var c websocket.CloseError
	if !errors.As(err, &c) {
		return p.Fault(ai.Unavailable, "the connection broke", err)
	}
	msg := fmt.Sprintf("closed the connection with %d", c.Code)
	code := closeCode.FindString(c.Reason)
	if code != "" {
		msg += " (" + code + ")"
	}
	switch {
	case code == "NET-0001": // Deepgram: neither sound nor KeepAlive for 10 s
		e := p.Fault(ai.Timeout, msg+": no sound came to it", nil)
		e.Fix = "check the network between here and the provider"
		return e
	case code == "DATA-0000":
		return p.Fault(ai.Content, msg+": the sound was not understood", nil)
	}
	switch c.Code {
	case websocket.StatusPolicyViolation, websocket.StatusInvalidFramePayloadData, websocket.StatusUnsupportedData, websocket.StatusMessageTooBig:
		return p.Fault(ai.Content, msg, nil)
	case websocket.StatusProtocolError:
		return p.Fault(ai.Protocol, msg, nil)
	}
	return p.Fault(ai.Unavailable, msg, nil)
}
