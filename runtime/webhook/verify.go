package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Received is a signed request as an application got it.
type Received struct {
	URL    string // as the application believes it was called
	Method string // "" is POST with a body, GET without
	Header http.Header
	Body   []byte // the raw bytes
	Token  string // Twilio's auth token
	Key    ed25519.PublicKey
	Now    time.Time // when it came, for Telnyx's age limit; zero: not checked
}

// Finding is one thing that Verify found out.
type Finding struct {
	OK    bool   // the request is valid as it stands
	Match bool   // the signature matches, with what Text says
	URL   string // that was signed, without password; "" for Telnyx
	Text  string // for people
}

// oldest is how far a Telnyx timestamp may be from the receiver's clock.
const oldest = 5 * time.Minute

// Verify says whether the signature of a request is right, and when it is not,
// which variant of the request it would fit and what to change: the scheme,
// host, port, path or query of the URL, user and password, or the body
// (callbacks as Twilio and Telnyx sign them). There is at least one finding;
// the first says whether the request is valid.
func Verify(r Received) []Finding {
	if r.Method == "" {
		r.Method = http.MethodGet
		if len(r.Body) > 0 {
			r.Method = http.MethodPost
		}
	}
	switch {
	case r.Header.Get(twilioSignature) != "":
		return verifyTwilio(r)
	case r.Header.Get(telnyxSignature) != "":
		return verifyTelnyx(r)
	}
	return []Finding{{Text: "the request has neither X-Twilio-Signature nor telnyx-signature-ed25519: it does not come from the platform, or a proxy or framework dropped the header; log the headers where the request enters"}}
}

func verifyTwilio(r Received) []Finding {
	want, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Header.Get(twilioSignature)))
	if err != nil || len(want) != sha1.Size {
		return []Finding{{Text: "X-Twilio-Signature is not the base64 of 20 bytes (28 characters that end in =): it was cut or changed on the way, or is another header"}}
	}
	if r.Token == "" {
		return []Finding{{Text: "an X-Twilio-Signature is checked with the account's auth token, and none was given"}}
	}
	v, ok := received(r)
	if !ok {
		return []Finding{{Text: "the URL must be whole: https://host/path?query"}}
	}

	var matching []variant
	tried := 0
	v.each(r, func(v variant) {
		tried++
		if hmac.Equal(want, twilioSum(v.token, v.url(), v.form)) {
			matching = append(matching, v)
		}
	})
	body := bodyHash(r, v)
	if len(matching) == 0 {
		findings := []Finding{{Text: fmt.Sprintf("no match in %d variants of scheme, host, port, path, query, user and body", tried)}}
		if body != "" {
			findings = append(findings, Finding{Text: body})
		}
		return append(findings,
			Finding{Text: "is the token the one of the account that sent the request? A subaccount signs with its own token, and a replaced token no longer signs"},
			Finding{Text: "is the body what came over the wire? Take the raw bytes before a framework parses, trims or drops empty values"},
			Finding{Text: "is the URL the one that is configured at the platform, to the letter, query included? A rewrite or redirect on the way changes what you see"})
	}
	fewest := matching[0]
	for _, v := range matching {
		if len(v.changes) < len(fewest.changes) {
			fewest = v
		}
	}
	found := Finding{Match: true, URL: fewest.shown()}
	if len(fewest.changes) == 0 {
		found.OK = body == ""
		found.Text = "matches as it stands"
	} else {
		found.Text = "matches when " + strings.Join(fewest.changes, "; and when ")
	}
	findings := []Finding{found}
	if body != "" {
		findings = append(findings, Finding{Text: body})
	}
	return findings
}

// bodyHash says what is wrong between the body and the bodySHA256 of the
// query, "" when nothing is.
func bodyHash(r Received, v variant) string {
	values, _ := url.ParseQuery(v.query)
	if sum := values.Get("bodySHA256"); sum != "" && !strings.EqualFold(sum, sha256Hex(r.Body)) {
		return "the body's SHA-256 is not the bodySHA256 of the URL: hash the raw bytes as they came, before any parsing or reformatting"
	}
	return ""
}

func verifyTelnyx(r Received) []Finding {
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Header.Get(telnyxSignature)))
	if err != nil || len(signature) != ed25519.SignatureSize {
		return []Finding{{Text: "telnyx-signature-ed25519 is not the base64 of 64 bytes: it was cut or changed on the way"}}
	}
	timestamp := strings.TrimSpace(r.Header.Get(telnyxTimestamp))
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return []Finding{{Text: "telnyx-timestamp is missing or not a number of seconds: it is part of what is signed, so keep both headers"}}
	}
	if len(r.Key) != ed25519.PublicKeySize {
		return []Finding{{Text: "a Telnyx signature is checked with the account's public key, the base64 of 32 bytes, and none was given"}}
	}
	signed := time.Unix(seconds, 0).UTC()
	for _, b := range bodies(r.Body) {
		if !ed25519.Verify(r.Key, telnyxMessage(timestamp, b.body), signature) {
			continue
		}
		found := Finding{Match: true, Text: "matches as it stands, signed at " + signed.Format(time.RFC3339)}
		if b.change != "" {
			found.Text = "matches when " + b.change
		}
		if age := r.Now.Sub(signed); !r.Now.IsZero() && age.Abs() > oldest {
			return []Finding{found, {Text: fmt.Sprintf("the timestamp is %s from the time of receipt, and receivers accept 5 minutes: set the clock by NTP; if the clock is right, this is an old request sent again", age.Abs().Round(time.Second))}}
		}
		found.OK = b.change == ""
		return []Finding{found}
	}
	return []Finding{
		{Text: "no match with the body as given, without its last line end, with other line ends, empty, or written anew"},
		{Text: "is the body what came over the wire? The signature is over the raw bytes, before a framework parses them"},
		{Text: "is the key the public key of the account that sent the request?"},
	}
}

type candidate struct {
	body   []byte
	change string // "" for the body as it is
}

// bodies are what a body may have been before a program changed it.
func bodies(b []byte) []candidate {
	trimmed := bytes.TrimRight(b, "\r\n")
	unix := bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	all := []candidate{
		{b, ""},
		{trimmed, "the body has no line end after it: an editor or log added one"},
		{append(bytes.Clone(trimmed), '\n'), "the body ends with a line end: something cut it off"},
		{unix, "the body's line ends are LF: something made them CR LF"},
		{bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n")), "the body's line ends are CR LF: something made them LF"},
		{nil, "the body is empty: this is the signature of a request without one, as a GET"},
	}
	var compact bytes.Buffer
	if json.Compact(&compact, trimmed) == nil {
		all = append(all, candidate{compact.Bytes(), "the JSON is without spaces: something formatted it anew; sign the raw bytes"})
	}
	if form, err := url.ParseQuery(string(trimmed)); err == nil && len(form) > 0 {
		all = append(all, candidate{[]byte(form.Encode()), "the form is sorted and encoded anew: something changed the body on the way; sign the raw bytes"})
	}
	return all
}
