package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The vectors are those of the platforms' own libraries: twilio-python
// tests/unit/test_request_validator.py, twilio-node spec/validation.spec.js,
// twilio-go client/request_validator_test.go.
const (
	testToken = "12345"
	testURL   = "https://mycompany.com/myapp.php?foo=1&bar=2"
	bodySum   = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
)

func testForm(more ...string) url.Values {
	form := url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"},
		"From": {"+14158675309"}, "To": {"+18005551212"},
	}
	for i := 0; i < len(more); i += 2 {
		form.Add(more[i], more[i+1])
	}
	return form
}

var twilioVectors = []struct {
	name, url string
	form      url.Values
	want      string
}{
	{"form POST", testURL, testForm(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
	{"https with its port", "https://mycompany.com:443/myapp.php?foo=1&bar=2", testForm(), "kvajT1Ptam85bY51eRf/AJRuM3w="},
	{"http with a port", "http://mycompany.com:1234/myapp.php?foo=1&bar=2", testForm(), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
	{"http with its port", "http://mycompany.com:80/myapp.php?foo=1&bar=2", testForm(), "0ZXoZLH/DfblKGATFgpif+LLRf4="},
	{"a value twice counts once", testURL, url.Values{"Sid": {"CA123"}, "SidAccount": {"AC123"}, "Digits": {"5678", "1234", "1234"}}, "IK+Dwps556ElfBT0I3Rgjkr1wJU="},
	{"a name that begins as another", testURL, testForm("ReasonConferenceEnded", "test", "Reason", "Participant"), "vOEb5UThFn24KEfnOFLQY2AE5FY="},
	{"the same over http", "http://mycompany.com/myapp.php?foo=1&bar=2", testForm("ReasonConferenceEnded", "test", "Reason", "Participant"), "n2xBNyzSW7rfYStDtOFiFMv7qNo="},
	{"a small form", testURL, url.Values{"property": {"value"}, "boolean": {"true"}}, "NBdBDr/T/lgjI+tlgpXjKZQZs/k="},
	{"an array", testURL, url.Values{"MessagingBinding.Address": {"+1325xxxxxxx", "+1415xxxxxxx"}}, "83O6e2vORAoJHUNzJjDWN1jz+BA="},
	{"a JSON body", testURL + "&bodySHA256=" + bodySum, nil, "a9nBmqA0ju/hNViExpshrM61xv4="},
	{"a JSON body, no other parameter", "https://mycompany.com/myapp.php?bodySHA256=" + bodySum, nil, "y77kIzt2vzLz71DgmJGsen2scGs="},
	{"an empty JSON object", "https://mycompany.com:443/myapp.php?foo=1&bar=2&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", nil, "Ldidvp12m26NI7eqEvxnEpkd9Hc="},
	{"user and password", "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", testForm(), "CukzLTc1tT5dXEDIHm/tKBanW10="},
	{"user only", "https://user@mycompany.com/myapp.php?foo=1&bar=2", testForm(), "2YRLlVAflCqxaNicjMpJcSTgzSs="},
	{"user, password and port", "https://user:pass@mycompany.com:443/myapp.php?foo=1&bar=2", testForm(), "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="},
	{"an apostrophe in the query", testURL + "&Body=It%27s+amazing", testForm(), "TfZzewPq8wqrGlMfyAud8+/IvJ0="},
	{"GET", testURL, nil, "zYQTYrRWXE7LtzbG4PfP7/bkkGo="},
}

func TestTwilioSum(t *testing.T) {
	for _, v := range twilioVectors {
		if got := base64.StdEncoding.EncodeToString(twilioSum(testToken, v.url, v.form)); got != v.want {
			t.Errorf("%s: got %s, want %s", v.name, got, v.want)
		}
	}
	// The suites' signature over names in the wrong order.
	got := base64.StdEncoding.EncodeToString(twilioSum(testToken, testURL, testForm("ReasonConferenceEnded", "test", "Reason", "Participant")))
	if got == "95+Bu0JVPi0r/SsESZCVf0dWAjw=" {
		t.Error("ReasonConferenceEnded is signed before Reason")
	}
}

func TestSignedURL(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"https loses its port", "https://h.example:443/p?q=1", "https://h.example/p?q=1"},
		{"https loses any port", "https://h.example:8443/p", "https://h.example/p"},
		{"http keeps an unusual port", "http://h.example:8080/p", "http://h.example:8080/p"},
		{"http loses its port", "http://h.example:80/p", "http://h.example/p"},
		{"wss loses its port", "wss://h.example:443/media", "wss://h.example/media"},
		{"user and password stay", "https://u:p@h.example:443/p", "https://u:p@h.example/p"},
		{"a password with a colon", "https://u:1:2@h.example/p", "https://u:1:2@h.example/p"},
		{"an IPv6 address", "https://[2001:db8::1]:8443/p", "https://[2001:db8::1]/p"},
		{"an IPv6 address without port", "http://[2001:db8::1]/p", "http://[2001:db8::1]/p"},
		{"no fragment", "https://h.example/p#rc=2", "https://h.example/p"},
		{"a query behind the host", "https://h.example:443?a=b:1/", "https://h.example?a=b:1/"},
		{"path and query stay byte for byte", "https://h.example/a%2Fb/?x='%27+%20&&y", "https://h.example/a%2Fb/?x='%27+%20&&y"},
	} {
		if got := signedURL(row.in); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestTwilioSign(t *testing.T) {
	h := http.Header{}
	Twilio(testToken).Sign(h, "https://mycompany.com:443/myapp.php?foo=1&bar=2", "POST", testForm(), nil, time.Now())
	if got, want := h.Get("X-Twilio-Signature"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// telnyxKey is the key with the seed 00 01 02 … 1f.
func telnyxKey() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

var telnyxVectors = []struct{ name, body, want string }{
	{"form", "CallSid=v3%3Aabc&From=%2B13122010091&To=%2B13122010090&Digits=1234", "KU66CM64vQj6yEDcUApOxUrYeM3YdSLFnmZ8/ImRqo1pIeswBVtUlOnneI6TEUQGHZfzdW2BfZrcJufKNpYVBA=="},
	{"JSON", `{"data":{"event_type":"call.initiated"}}`, "aBuTQ1AtxQGraK6PrtJP6VW9Mu+R2aG6TbxS7lim9/ia8dN94a42JYoTifASA18z3xe+GLlYfveWOuyyKq7OCw=="},
	{"empty", "", "jyK6y223nTBofdVbzUOENZd+HPePSlcbTXAxDFO5sF49ubr7P+10uekB8YXggkxntMboqLF9mvSUBZ9bgETsBw=="},
}

func TestTelnyxSign(t *testing.T) {
	public := base64.StdEncoding.EncodeToString(telnyxKey().Public().(ed25519.PublicKey))
	if want := "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="; public != want {
		t.Fatalf("public key %s, want %s", public, want)
	}
	for _, v := range telnyxVectors {
		h := http.Header{}
		Telnyx(telnyxKey()).Sign(h, "https://h.example/", "POST", nil, []byte(v.body), time.Unix(1700000000, 0))
		if got := h.Get("telnyx-timestamp"); got != "1700000000" {
			t.Errorf("%s: timestamp %s", v.name, got)
		}
		if got := h.Get("telnyx-signature-ed25519"); got != v.want {
			t.Errorf("%s: got %s, want %s", v.name, got, v.want)
		}
	}
}

func TestVerifyTwilio(t *testing.T) {
	const app = "https://app.example.com/voice?lang=en&step=2"
	sign := func(raw string, form url.Values) string {
		return base64.StdEncoding.EncodeToString(twilioSum(testToken, raw, form))
	}
	body := testForm().Encode()
	for _, row := range []struct {
		name     string
		signed   string // the URL that the platform signed
		form     url.Values
		received Received
		ok       bool
		want     string // in the first finding; "" for exactly as it stands
	}{
		{"as it stands", app, testForm(), Received{URL: app, Body: []byte(body)}, true, ""},
		{"a GET", app, nil, Received{URL: app}, true, ""},
		{"a proxy ends TLS", app, testForm(), Received{URL: "http://app.example.com/voice?lang=en&step=2", Body: []byte(body)}, false, "begins with https://"},
		{"the platform calls http", "http://app.example.com/voice", testForm(), Received{URL: "https://app.example.com/voice", Body: []byte(body)}, false, "begins with http://"},
		{"the server's own port", app, testForm(), Received{URL: "https://app.example.com:3000/voice?lang=en&step=2", Body: []byte(body)}, false, "no port"},
		{"port 443 was signed", "https://app.example.com:443/voice", testForm(), Received{URL: "https://app.example.com/voice", Body: []byte(body)}, false, "port 443"},
		{"port 80 was signed", "http://app.example.com:80/voice", testForm(), Received{URL: "http://app.example.com/voice", Body: []byte(body)}, false, "port 80"},
		{"both TLS and port", app, testForm(), Received{URL: "http://app.example.com:3000/voice?lang=en&step=2", Body: []byte(body)}, false, "no port"},
		{"another host behind a proxy", app, testForm(), Received{URL: "http://10.0.0.7:3000/voice?lang=en&step=2", Body: []byte(body), Header: http.Header{"X-Forwarded-Host": {"app.example.com"}}}, false, "X-Forwarded-Host"},
		{"a slash was added", "https://app.example.com/voice", testForm(), Received{URL: "https://app.example.com/voice/", Body: []byte(body)}, false, "no slash at its end"},
		{"a slash was taken off", "https://app.example.com/", testForm(), Received{URL: "https://app.example.com", Body: []byte(body)}, false, "ends with a slash"},
		{"a prefix was taken off", "https://app.example.com/ivr/voice", testForm(), Received{URL: "https://app.example.com/voice", Body: []byte(body), Header: http.Header{"X-Forwarded-Prefix": {"/ivr/"}}}, false, "X-Forwarded-Prefix"},
		{"a rewritten path", app, testForm(), Received{URL: "https://app.example.com/index.php?route=voice", Body: []byte(body), Header: http.Header{"X-Original-Uri": {"/voice?lang=en&step=2"}}}, false, "X-Original-Uri"},
		{"the query in another order", app, testForm(), Received{URL: "https://app.example.com/voice?step=2&lang=en", Body: []byte(body)}, false, "another order"},
		{"an apostrophe decoded", "https://app.example.com/voice?b=It%27s+here", nil, Received{URL: "https://app.example.com/voice?b=It's+here"}, false, "encoded otherwise"},
		{"plus for space", "https://app.example.com/voice?b=a%20b", nil, Received{URL: "https://app.example.com/voice?b=a+b"}, false, "encoded otherwise"},
		{"the query was dropped by the platform", "https://app.example.com/voice", testForm(), Received{URL: "https://app.example.com/voice?utm=1", Body: []byte(body)}, false, "not part of the URL"},
		{"an encoded path", "https://app.example.com/a%20b", nil, Received{URL: "https://app.example.com/a b"}, false, "percent-encoded otherwise"},
		{"user and password were lost", "https://bob:s3cret@app.example.com/voice", testForm(), Received{URL: "https://app.example.com/voice", Body: []byte(body), Header: http.Header{"Authorization": {"Basic Ym9iOnMzY3JldA=="}}}, false, "user and password stand in the URL"},
		{"user and password too many", "https://app.example.com/voice", testForm(), Received{URL: "https://bob:s3cret@app.example.com/voice", Body: []byte(body)}, false, "no user and password"},
		{"the body does not count", app, nil, Received{URL: app, Body: []byte(body)}, false, "no parameter of the body"},
		{"a form without its content type", app, testForm(), Received{URL: app, Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}}, false, "read as a form"},
		{"query and form mixed", app, testForm(), Received{URL: app, Body: []byte(testForm("lang", "en", "step", "2").Encode())}, false, "mixes them"},
		{"a plus that became a space", app, testForm(), Received{URL: app, Body: []byte(strings.ReplaceAll(body, "%2B", "+"))}, false, "became a space"},
		{"the token with a line end", app, testForm(), Received{URL: app, Body: []byte(body), Token: testToken + "\n"}, false, "strip them"},
		{"a JSON body", app + "&bodySHA256=" + bodySum, nil, Received{URL: app + "&bodySHA256=" + bodySum, Body: []byte(`{"property": "value", "boolean": true}`)}, true, ""},
		{"a JSON body, its sum dropped", app + "&bodySHA256=" + bodySum, nil, Received{URL: app, Body: []byte(`{"property": "value", "boolean": true}`)}, false, "ends with bodySHA256"},
		{"a WebSocket", "wss://app.example.com/media", nil, Received{URL: "http://app.example.com/media", Header: http.Header{"Upgrade": {"websocket"}}}, false, "wss://"},
		{"a fragment does not count", app, testForm(), Received{URL: app + "#rc=2", Body: []byte(body)}, true, ""},
		{"another token", app, testForm(), Received{URL: app, Body: []byte(body), Token: "67890"}, false, "no match in"},
		{"another body", app, testForm(), Received{URL: app, Body: []byte("Digits=1")}, false, "no match in"},
	} {
		r := row.received
		if r.Header == nil {
			r.Header = http.Header{}
		}
		if r.Token == "" {
			r.Token = testToken
		}
		r.Header.Set("X-Twilio-Signature", sign(row.signed, row.form))
		got := Verify(r)
		want := row.want
		if want == "" {
			want = "matches as it stands"
		}
		if got[0].OK != row.ok || !strings.Contains(got[0].Text, want) {
			t.Errorf("%s: got %+v, want OK %v and %q", row.name, got[0], row.ok, want)
		}
		if match := !strings.HasPrefix(want, "no match"); got[0].Match != match {
			t.Errorf("%s: Match %v", row.name, got[0].Match)
		}
		for _, f := range got {
			if strings.Contains(f.Text+f.URL, "s3cret") || strings.Contains(f.Text+f.URL, testToken+"\n") {
				t.Errorf("%s: a secret in %+v", row.name, f)
			}
		}
	}
}

func TestVerifyKnownVectors(t *testing.T) {
	for _, v := range twilioVectors {
		got := Verify(Received{URL: v.url, Token: testToken, Body: []byte(v.form.Encode()), Header: http.Header{"X-Twilio-Signature": {v.want}}})
		if !got[0].Match {
			t.Errorf("%s: %+v", v.name, got[0])
		}
	}
	// Names in the wrong order, from the suites: no variant may match.
	got := Verify(Received{URL: testURL, Token: testToken, Body: []byte(testForm("Reason", "Participant", "ReasonConferenceEnded", "test").Encode()),
		Header: http.Header{"X-Twilio-Signature": {"95+Bu0JVPi0r/SsESZCVf0dWAjw="}}})
	if got[0].Match {
		t.Errorf("names in the wrong order: %+v", got[0])
	}
}

func TestVerifyChangedJSON(t *testing.T) {
	got := Verify(Received{URL: testURL + "&bodySHA256=" + bodySum, Method: "POST", Token: testToken, Body: []byte(`{"property":"value"}`),
		Header: http.Header{"X-Twilio-Signature": {"a9nBmqA0ju/hNViExpshrM61xv4="}, "Content-Type": {"application/json"}}})
	if got[0].OK || !got[0].Match || len(got) != 2 || !strings.Contains(got[1].Text, "bodySHA256") {
		t.Errorf("got %+v", got)
	}
}

func TestVerifyTelnyx(t *testing.T) {
	form := telnyxVectors[0]
	header := func(signature string) http.Header {
		return http.Header{"Telnyx-Timestamp": {"1700000000"}, "Telnyx-Signature-Ed25519": {signature}}
	}
	public := telnyxKey().Public().(ed25519.PublicKey)
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	at := time.Unix(1700000000, 0)
	for _, row := range []struct {
		name string
		r    Received
		ok   bool
		last string // in the last finding
	}{
		{"form", Received{Body: []byte(form.body), Header: header(form.want), Key: public}, true, "as it stands"},
		{"JSON", Received{Body: []byte(telnyxVectors[1].body), Header: header(telnyxVectors[1].want), Key: public}, true, "as it stands"},
		{"empty", Received{Header: header(telnyxVectors[2].want), Key: public}, true, "as it stands"},
		{"in time", Received{Body: []byte(form.body), Header: header(form.want), Key: public, Now: at.Add(4 * time.Minute)}, true, "as it stands"},
		{"too old", Received{Body: []byte(form.body), Header: header(form.want), Key: public, Now: at.Add(6 * time.Minute)}, false, "6m0s"},
		{"from the future", Received{Body: []byte(form.body), Header: header(form.want), Key: public, Now: at.Add(-6 * time.Minute)}, false, "6m0s"},
		{"a line end was added", Received{Body: []byte(form.body + "\n"), Header: header(form.want), Key: public}, false, "no line end after it"},
		{"JSON was formatted", Received{Body: []byte("{\"data\": {\"event_type\": \"call.initiated\"}}"), Header: header(telnyxVectors[1].want), Key: public}, false, "formatted it anew"},
		{"signed without a body", Received{Body: []byte("x"), Header: header(telnyxVectors[2].want), Key: public}, false, "the body is empty"},
		{"another key", Received{Body: []byte(form.body), Header: header(form.want), Key: other}, false, "public key of the account"},
		{"no key", Received{Body: []byte(form.body), Header: header(form.want)}, false, "none was given"},
		{"half a signature", Received{Body: []byte(form.body), Header: header(form.want[:40]), Key: public}, false, "not the base64 of 64 bytes"},
		{"no timestamp", Received{Header: http.Header{"Telnyx-Signature-Ed25519": {form.want}}, Key: public}, false, "telnyx-timestamp is missing"},
		{"no header", Received{Key: public}, false, "neither"},
	} {
		got := Verify(row.r)
		if got[0].OK != row.ok || !strings.Contains(got[len(got)-1].Text, row.last) {
			t.Errorf("%s: got %+v, want OK %v and %q", row.name, got, row.ok, row.last)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("https://u:p@h.example:443/a%20b/?x=1&y='", "From=%2B1&To=+2", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "h2.example:80", "Basic dTpw")
	f.Add("http://[::1]:8080?x", "{}", "", "", "")
	f.Add("://", "\n", "=", "[", "Basic")
	f.Fuzz(func(t *testing.T, raw, body, signature, forwarded, authorization string) {
		header := http.Header{"X-Twilio-Signature": {signature}, "X-Forwarded-Host": {forwarded}, "Authorization": {authorization}}
		if got := Verify(Received{URL: raw, Body: []byte(body), Token: testToken, Header: header}); len(got) == 0 || got[0].OK && !got[0].Match {
			t.Errorf("got %+v", got)
		}
	})
}
