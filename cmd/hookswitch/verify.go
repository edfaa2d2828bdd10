package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

const verifyUsage = `hookswitch verify-signature says whether a request's signature is right, and if
not, which form of the request it would fit and what to change: most often a
proxy ends TLS, adds a port, or a framework adds a slash.

  hookswitch verify-signature --url URL --signature S [--body FILE] [--token T]
  hookswitch verify-signature --request FILE [--url URL]

For example, with what a web application logged of a form POST:

  export HOOKSWITCH_AUTH_TOKEN=...
  hookswitch verify-signature --url 'http://app.example.com:3000/voice' \
      --signature 'RSOYDt4T1cUTdK1PDd93/VVr8B8=' \
      --param CallSid=CA123 --param Digits=1

or with a whole request as it came in, headers first, an empty line, the body:

  hookswitch verify-signature --request captured.txt

  --url URL          as your application believes it was called; with --request
                     it may be left out, and is then http:// and the Host header
  --request FILE     a whole HTTP request; - reads it from standard input
  --signature S      the value of X-Twilio-Signature
  --header 'N: V'    a header of the request, as often as needed. X-Forwarded-*,
                     Authorization and telnyx-* headers help or are needed
  --body FILE        the raw body; - reads it from standard input
  --param NAME=VALUE a decoded form parameter, in place of --body
  --method METHOD    default: POST with a body, GET without
  --token T          Twilio auth token; better in HOOKSWITCH_AUTH_TOKEN or
                     TWILIO_AUTH_TOKEN, since others can see a command line
  --key K            Telnyx public key (base64); or TELNYX_PUBLIC_KEY
  --at TIME          when the request came, in seconds since 1970 or as
                     2026-11-24T15:04:17Z: checks the age of a Telnyx signature

Exit status: 0 the request is valid as it stands, 1 it is not, 2 usage.
`

// verifySignature is the command of that name.
func verifySignature(args []string, in io.Reader, out, errOut io.Writer) int {
	r, err := parseReceived(args, in)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(out, verifyUsage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(errOut, "hookswitch verify-signature: %v; see --help\n", err)
		return 2
	}
	findings := webhook.Verify(r)
	for _, f := range findings {
		mark := "✗"
		switch {
		case f.OK:
			mark = "✓"
		case f.Match:
			mark = "→"
		}
		fmt.Fprintf(out, "%s %s\n", mark, f.Text)
		if f.URL != "" && !f.OK {
			fmt.Fprintf(out, "  signed: %s\n", f.URL)
		}
	}
	if findings[0].OK {
		return 0
	}
	return 1
}

// parseReceived reads the request from the command line, and from in where it
// says -.
func parseReceived(args []string, in io.Reader) (r webhook.Received, err error) {
	var request, signature, body, key, at string
	var bodyGiven bool
	form := url.Values{}
	r.Header = http.Header{}
	flags := flag.NewFlagSet("verify-signature", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&r.URL, "url", "", "")
	flags.StringVar(&request, "request", "", "")
	flags.StringVar(&signature, "signature", "", "")
	flags.StringVar(&r.Method, "method", "", "")
	flags.StringVar(&r.Token, "token", cmp.Or(os.Getenv("HOOKSWITCH_AUTH_TOKEN"), os.Getenv("TWILIO_AUTH_TOKEN")), "")
	flags.StringVar(&key, "key", os.Getenv("TELNYX_PUBLIC_KEY"), "")
	flags.StringVar(&at, "at", "", "")
	flags.Func("body", "", func(s string) error {
		body, bodyGiven = s, true
		return nil
	})
	headers := http.Header{}
	flags.Func("header", "", func(s string) error {
		name, value, ok := strings.Cut(s, ":")
		if !ok {
			return errors.New(`write "Name: value"`)
		}
		headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	flags.Func("param", "", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("write NAME=VALUE")
		}
		form.Add(name, value)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return r, err
	}
	switch {
	case flags.NArg() > 0:
		return r, fmt.Errorf("%q is not a flag", flags.Arg(0))
	case bodyGiven && len(form) > 0:
		return r, errors.New("--body and --param say the same thing; give one")
	}

	if request != "" {
		if err := readRequest(&r, request, in); err != nil {
			return r, fmt.Errorf("--request: %w", err)
		}
	}
	for name, values := range headers {
		r.Header[name] = values
	}
	if signature != "" {
		r.Header.Set("X-Twilio-Signature", signature)
	}
	if bodyGiven {
		if r.Body, err = readFile(body, in); err != nil {
			return r, fmt.Errorf("--body: %w", err)
		}
	}
	if len(form) > 0 {
		r.Body = []byte(form.Encode())
	}
	if r.Method = strings.ToUpper(r.Method); r.URL == "" {
		return r, errors.New("--url is missing")
	}
	if key != "" {
		r.Key, err = base64.StdEncoding.DecodeString(strings.TrimSpace(key))
		if err != nil || len(r.Key) != ed25519.PublicKeySize {
			return r, errors.New("--key is not the base64 of 32 bytes")
		}
	}
	if at != "" {
		if seconds, err := strconv.ParseInt(at, 10, 64); err == nil {
			r.Now = time.Unix(seconds, 0)
		} else if r.Now, err = time.Parse(time.RFC3339, at); err != nil {
			return r, errors.New("--at is neither seconds since 1970 nor a time as 2026-11-24T15:04:17Z")
		}
	}
	return r, nil
}

// readRequest takes method, headers, body, and the URL where none was given,
// from a request as it stands on the wire. Line ends may be LF.
func readRequest(r *webhook.Received, name string, in io.Reader) error {
	raw, err := readFile(name, in)
	if err != nil {
		return err
	}
	head, body := raw, []byte(nil)
	for _, blank := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(raw, []byte(blank)); i >= 0 && i < len(head) {
			head, body = raw[:i], raw[i+len(blank):]
		}
	}
	request, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader("\r\n\r\n"))))
	if err != nil {
		return errors.New("it does not begin with a request line as POST /voice HTTP/1.1 and headers")
	}
	r.Header = request.Header
	r.Header.Set("Host", request.Host)
	r.Body = body
	if n, err := strconv.Atoi(r.Header.Get("Content-Length")); err == nil && n >= 0 && n < len(body) {
		r.Body = body[:n] // an editor's line end is not part of it
	}
	if r.Method == "" {
		r.Method = request.Method
	}
	if r.URL == "" {
		r.URL = request.RequestURI
		if strings.HasPrefix(r.URL, "/") {
			r.URL = "http://" + request.Host + r.URL
		}
	}
	return nil
}

// readFile reads a file, or in for "-".
func readFile(name string, in io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(name)
}
