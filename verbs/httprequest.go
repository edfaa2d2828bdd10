package verbs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/hookswitch/hookswitch/texml"
)

// httpRequest asks a web service of the user's. Fields of its answer go with the
// request for the action, whose document may have them in its templates. One that
// is async is not waited for, and nothing comes of it (Telnyx <HttpRequest>).
type httpRequest struct{ *texml.HTTPRequest }

func (h httpRequest) Run(ctx context.Context, call Call) (Next, error) {
	form := url.Values{}
	reply, err := call.Request(ctx, h.HTTPRequest)
	switch {
	case h.Async:
		return Next{}, context.Cause(ctx)
	case err != nil:
	case reply.Status != h.StatusCode:
		call.Warn(h.HTTPRequest, 0, fmt.Sprintf("<HttpRequest>: the answer has status %d and not %d; its fields are not read", reply.Status, h.StatusCode))
	case len(h.Fields) > 0:
		form = h.fields(call, reply.Body)
	}
	if err := context.Cause(ctx); err != nil || h.Action == "" {
		return Next{}, err
	}
	return Next{Fetch: &Fetch{URL: h.Action, Form: form}}, nil
}

// fields are the values that the answer has for the parameters.
func (h httpRequest) fields(call Call, body []byte) url.Values {
	form := url.Values{}
	var answer any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // an account number is no float
	if err := d.Decode(&answer); err != nil {
		call.Warn(h.HTTPRequest, 0, "<HttpRequest>: the answer is not JSON; its fields are not read")
		return form
	}
	for _, f := range h.Fields {
		if v, ok := at(answer, f.Path); ok {
			form.Set(f.As, Plain(v))
		} else {
			call.Warn(h.HTTPRequest, 0, "<HttpRequest>: the answer has no "+f.Path)
		}
	}
	return form
}

// at is the value at a path such as records[0].Name.
func at(v any, path string) (any, bool) {
	for _, step := range strings.Split(path, ".") {
		name, rest, _ := strings.Cut(step, "[")
		if name != "" {
			m, ok := v.(map[string]any)
			if !ok {
				return nil, false
			}
			if v, ok = m[name]; !ok {
				return nil, false
			}
		}
		for rest != "" {
			var index string
			index, rest, _ = strings.Cut(rest, "]")
			rest = strings.TrimPrefix(rest, "[")
			list, ok := v.([]any)
			n, err := strconv.Atoi(index)
			if !ok || err != nil || n < 0 || n >= len(list) {
				return nil, false
			}
			v = list[n]
		}
	}
	return v, true
}

// Plain is a value of a JSON answer as a parameter: words as they are, lists and
// objects as JSON.
func Plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, _ := json.Marshal(v) // it came from JSON
	return string(b)
}
