package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// Request is one request whose answer is sound.
type Request struct {
	URL    string
	Header http.Header
	Body   []byte // JSON
}

// Speak makes the request and yields its sound as it comes. It tells whether
// the consumer wants more; the fault that ended it, if any, has been yielded.
func (p Provider) Speak(ctx context.Context, r Request, sound *Sound, yield func(pcm.Frame, error) bool) bool {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errDone)
	watch := time.AfterFunc(p.timeout, func() { cancel(errSilent) })
	defer watch.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		yield(nil, p.badURL(err))
		return false
	}
	req.Header = r.Header.Clone()
	req.Header.Set("Content-Type", "application/json")
	// The same text may be voiced twice, so a request on a warm connection
	// that the server just gave up is made again. The header is not sent.
	req.Header["Idempotency-Key"] = nil
	resp, err := p.http.Do(req)
	if err != nil {
		yield(nil, p.unreachable(ctx, err))
		return false
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		yield(nil, p.Refusal(resp))
		return false
	}
	if kind, ok := raw(resp.Header.Get("Content-Type")); !ok {
		yield(nil, p.Fault(ai.Protocol, "answered with "+kind+" in place of raw sound", nil))
		return false
	}
	buf := make([]byte, 8192)
	for {
		watch.Reset(p.timeout)
		n, err := resp.Body.Read(buf)
		watch.Stop() // the consumer may take its time
		if cause := context.Cause(ctx); cause != nil {
			yield(nil, p.unreachable(ctx, cause))
			return false
		}
		frame, fault := sound.Frame(buf[:n])
		if fault != nil {
			yield(nil, fault)
			return false
		}
		if len(frame) > 0 && !yield(frame, nil) {
			return false
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			yield(nil, p.broken(ctx, err))
			return false
		}
	}
}

// broken is the fault behind an answer that was cut.
func (p Provider) broken(ctx context.Context, err error) error {
	if context.Cause(ctx) != nil {
		return p.unreachable(ctx, err)
	}
	return p.Fault(ai.Unavailable, "the connection broke within a speech", err)
}

// raw tells whether a content type may be raw sound, and names it.
func raw(contentType string) (string, bool) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "an unknown type", contentType == ""
	}
	switch {
	case strings.HasPrefix(kind, "text/"), kind == "application/json", kind == "audio/mpeg", kind == "audio/wav", kind == "audio/x-wav":
		return kind, false
	}
	return kind, true
}
