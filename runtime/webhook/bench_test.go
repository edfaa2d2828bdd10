package webhook

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// BenchmarkDo is one document request over loopback, the server's part
// included. The bomb is 20 KB that unpack to 20 MB: what it may cost is the
// limit of a document.
func BenchmarkDo(b *testing.B) {
	bomb := zipped(make([]byte, 20<<20))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb)
			return
		}
		xml(w, r)
	}))
	defer s.Close()
	c := New(Config{AllowHosts: []string{"127.0.0.1"}})
	defer c.Close()
	form := url.Values{"CallSid": {"CA1234567890ABCDE"}, "From": {"+14158675309"}, "Digits": {"1234"}}
	for _, path := range []string{"/voice", "/bomb"} {
		b.Run(path[1:], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := c.Do(b.Context(), Request{URL: s.URL + path, Form: form, Sign: Twilio(testToken)})
				if want := map[string]int{"/bomb": 11750}[path]; code(err) != want {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Verify(Received{URL: "http://app.example.com:3000/voice/?a=1&b=2&c=3&d=4&e=5", Body: []byte(testForm().Encode()), Token: testToken,
			Header: http.Header{"X-Twilio-Signature": {"RSOYDt4T1cUTdK1PDd93/VVr8B8="}, "X-Forwarded-Host": {"app.example.org"}}})
	}
}
