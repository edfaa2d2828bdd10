package runtime

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	testURLKey = URLKey("0123456789abcdef0123456789abcdef")
	testAC     = "AC" + strings.Repeat("a", 32)
	testRE     = "RE" + strings.Repeat("b", 32)
)

func TestURLKeyOpens(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	good := testURLKey.Sign(testAC, testRE, now.Add(10*time.Minute))
	changed := func(name, value string) string {
		q, _ := url.ParseQuery(good)
		q.Set(name, value)
		return q.Encode()
	}
	q, _ := url.ParseQuery(good)
	signature := q.Get("signature")
	for _, tt := range []struct {
		name    string
		key     URLKey
		account string
		sid     string
		query   string
		later   time.Duration
		want    bool
	}{
		{"as it was signed", testURLKey, testAC, testRE, good, 0, true},
		{"in its last second", testURLKey, testAC, testRE, good, 10*time.Minute - time.Second, true},
		{"expired", testURLKey, testAC, testRE, good, 10 * time.Minute, false},
		{"a later expiry than the signed one", testURLKey, testAC, testRE, changed("expires", strconv.FormatInt(now.Unix()+601, 10)), 0, false},
		{"the same expiry, written otherwise", testURLKey, testAC, testRE, changed("expires", "+"+q.Get("expires")), 0, false},
		{"no expiry", testURLKey, testAC, testRE, "signature=" + signature, 0, false},
		{"no signature", testURLKey, testAC, testRE, "expires=" + q.Get("expires"), 0, false},
		{"nothing", testURLKey, testAC, testRE, "", 0, false},
		{"another account", testURLKey, "AC" + strings.Repeat("c", 32), testRE, good, 0, false},
		{"another recording", testURLKey, testAC, "RE" + strings.Repeat("c", 32), good, 0, false},
		{"another key", URLKey("another"), testAC, testRE, good, 0, false},
		{"without a key", nil, testAC, testRE, URLKey(nil).Sign(testAC, testRE, now.Add(time.Minute)), 0, false},
		{"signed for an hour", testURLKey, testAC, testRE, testURLKey.Sign(testAC, testRE, now.Add(time.Hour)), 0, true},
		{"signed for longer than an hour", testURLKey, testAC, testRE, testURLKey.Sign(testAC, testRE, now.Add(time.Hour+time.Second)), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.key.Opens(tt.account, tt.sid, query, now.Add(tt.later)); got != tt.want {
				t.Errorf("%s opens it: %v, want %v", tt.query, got, tt.want)
			}
		})
	}
	for i := range signature {
		for bit := range 8 {
			flipped := []byte(signature)
			flipped[i] ^= 1 << bit
			query := url.Values{"expires": q["expires"], "signature": {string(flipped)}}
			if testURLKey.Opens(testAC, testRE, query, now) {
				t.Errorf("bit %d of character %d of the signature does not count", bit, i)
			}
		}
	}
}

func TestToldURL(t *testing.T) {
	s := &Server{Config: Config{PublicURL: "https://voice.example.com/calls/", URLKey: testURLKey}}
	plain := s.recordingURL(testAC, testRE)
	if want := "https://voice.example.com/calls/2010-04-01/Accounts/" + testAC + "/Recordings/" + testRE; plain != want {
		t.Fatalf("plain URL %s, want %s", plain, want)
	}
	if got := s.toldURL(testAC, plain, false); got != plain {
		t.Errorf("told as %s in the Twilio dialect, want it plain", got)
	}
	const elsewhere = "https://example.com/a.wav"
	if got := s.toldURL(testAC, elsewhere, true); got != elsewhere {
		t.Errorf("somebody else's URL is told as %s", got)
	}
	for _, raw := range []string{plain, plain + "?expires=1&signature=old"} {
		told, err := url.Parse(s.toldURL(testAC, raw, true))
		if err != nil {
			t.Fatal(err)
		}
		if !testURLKey.Opens(testAC, testRE, told.Query(), time.Now().Add(9*time.Minute)) {
			t.Errorf("%s is told as %s, which does not open it in nine minutes", raw, told)
		}
		if testURLKey.Opens(testAC, testRE, told.Query(), time.Now().Add(11*time.Minute)) {
			t.Errorf("%s is told as %s, which opens it in eleven minutes", raw, told)
		}
	}
}

func TestOwnRecording(t *testing.T) {
	s := &Server{Config: Config{PublicURL: "http://127.0.0.1:8080", URLKey: testURLKey}}
	own := "http://127.0.0.1:8080/2010-04-01/Accounts/" + testAC + "/Recordings/" + testRE
	for _, tt := range []struct {
		name, url, sid string
		ours           bool
	}{
		{"plain", own, testRE, true},
		{"with its extension", own + ".wav", testRE, true},
		{"as an MP3", own + ".mp3", testRE, true},
		{"signed", own + "?expires=1&signature=x", testRE, true},
		{"signed, with its extension", own + ".wav?expires=1&signature=x", testRE, true},
		{"with a fragment for the fetch", own + "#rc=2", testRE, true},
		{"another server's", strings.Replace(own, "8080", "8081", 1), "", false},
		{"another account's", strings.Replace(own, testAC, "AC"+strings.Repeat("c", 32), 1), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sid, ours := s.ownRecording(testAC, tt.url)
			if ours != tt.ours || ours && sid != tt.sid {
				t.Errorf("got %q, %v; want %q, %v", sid, ours, tt.sid, tt.ours)
			}
		})
	}
}
