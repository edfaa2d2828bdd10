package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The headers that carry signatures.
const (
	twilioSignature = "X-Twilio-Signature"
	telnyxSignature = "Telnyx-Signature-Ed25519"
	telnyxTimestamp = "Telnyx-Timestamp"
)

// Signer adds a platform's signature headers to a request. url is what is
// requested, with the query of a GET; form is what a POST sends as body, nil
// for a GET; body is the bytes of the body.
type Signer interface {
	Sign(h http.Header, url, method string, form url.Values, body []byte, now time.Time)
}

// Twilio signs with an account's auth token: X-Twilio-Signature, HMAC-SHA1
// over the URL and the sorted form. It also fits WebSocket upgrades, with the
// wss URL and no form.
func Twilio(token string) Signer { return twilioSigner(token) }

type twilioSigner string

func (t twilioSigner) Sign(h http.Header, url, method string, form url.Values, body []byte, now time.Time) {
	h.Set(twilioSignature, base64.StdEncoding.EncodeToString(twilioSum(string(t), signedURL(url), form)))
}

// twilioSum is the HMAC of the URL as it stands and the form: names in byte
// order, each name's values in byte order without repeats, no separators.
func twilioSum(token, url string, form url.Values) []byte {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(url))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range slices.Compact(slices.Sorted(slices.Values(form[name]))) {
			mac.Write([]byte(name + value))
		}
	}
	return mac.Sum(nil)
}

// signedURL is how a platform writes a URL that it signs: no fragment, no port
// with https and wss, and none with http and ws when it is the usual one. Path
// and query stay byte for byte.
func signedURL(raw string) string {
	raw, _, _ = strings.Cut(raw, "#")
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return raw
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	host, port := cutPort(authority)
	switch secure := scheme == "https" || scheme == "wss"; {
	case secure, port == "80", port == "":
		return scheme + "://" + host + tail
	default:
		return raw
	}
}

// cutPort splits [user@]host[:port]; an IPv6 address keeps its brackets.
func cutPort(authority string) (host, port string) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.ContainsAny(authority[i:], "]@") {
		return authority, ""
	}
	return authority[:i], authority[i+1:]
}

// Telnyx signs with an account's private key: the time in
// telnyx-timestamp, and in telnyx-signature-ed25519 the signature of the time,
// a bar and the body. The key must be of ed25519.PrivateKeySize bytes.
func Telnyx(key ed25519.PrivateKey) Signer { return telnyxSigner(key) }

type telnyxSigner ed25519.PrivateKey

func (k telnyxSigner) Sign(h http.Header, url, method string, form url.Values, body []byte, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	h.Set(telnyxTimestamp, timestamp)
	h.Set(telnyxSignature, base64.StdEncoding.EncodeToString(ed25519.Sign(ed25519.PrivateKey(k), telnyxMessage(timestamp, body))))
}

func telnyxMessage(timestamp string, body []byte) []byte {
	return append([]byte(timestamp+"|"), body...)
}
