package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
	"github.com/hookswitch/hookswitch/runtime/store"
)

var (
	mine   = "AC" + strings.Repeat("1", 32)
	theirs = "AC" + strings.Repeat("2", 32)
	bare   = "AC" + strings.Repeat("3", 32) // an account without a token
	gone   = "AC" + strings.Repeat("4", 32) // and one that was taken out of the configuration

	kept    = "RE" + strings.Repeat("a", 32) // mine, WAV
	foreign = "RE" + strings.Repeat("b", 32) // theirs
	growing = "RE" + strings.Repeat("c", 32) // mine, not over yet
	ofGone  = "RE" + strings.Repeat("d", 32)
	key     = runtime.URLKey("0123456789abcdef0123456789abcdef")
)

const (
	token    = "first token"
	newToken = "second token" // while tokens are changed, both are right
	sound    = "RIFF, and what else a recording has"
)

var started = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newServer answers for four accounts of which three have a recording.
func newServer(t testing.TB) *Server {
	t.Helper()
	records, sounds := store.Memory(), store.MemoryRecordings()
	for sid, account := range map[string]string{kept: mine, foreign: theirs, growing: mine, ofGone: gone} {
		f, err := sounds.Create(sid)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte(sound), 0); err != nil {
			t.Fatal(err)
		}
		rec := runtime.RecordingRecord{SID: sid, AccountSID: account, CallSID: "CA" + sid[2:], Status: "in-progress",
			Started: started, Duration: 5 * time.Second}
		if sid != growing {
			rec.Status = "completed"
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := sounds.Commit(context.Background(), sid, "wav"); err != nil {
				t.Fatal(err)
			}
		}
		if err := records.SaveRecording(context.Background(), rec, nil); err != nil {
			t.Fatal(err)
		}
	}
	return New(Config{
		Tokens:     map[string][]string{mine: {token, newToken}, theirs: {"their token"}, bare: {""}},
		Store:      records,
		Recordings: sounds,
		URLKey:     key,
	})
}

func at(account, recording string) string {
	return "/2010-04-01/Accounts/" + account + "/Recordings/" + recording
}

// ask sends a request with credentials, unless user is "".
func ask(s http.Handler, method, target, user, password string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhoGetsARecording(t *testing.T) {
	s := newServer(t)
	signed := func(account, sid string, d time.Duration) string {
		return "?" + key.Sign(account, sid, time.Now().Add(d))
	}
	for _, tt := range []struct {
		name, target, user, password string
		want                         int
	}{
		{"the token", at(mine, kept), mine, token, 200},
		{"the other token", at(mine, kept), mine, newToken, 200},
		{"with its extension", at(mine, kept) + ".wav", mine, token, 200},
		{"a signed URL", at(mine, kept) + signed(mine, kept, time.Minute), "", "", 200},
		{"a signed URL with the extension", at(mine, kept) + ".wav" + signed(mine, kept, time.Minute), "", "", 200},
		{"a token beats a URL that has expired", at(mine, kept) + signed(mine, kept, -time.Minute), mine, token, 200},
		{"a signed URL beats a wrong token", at(mine, kept) + signed(mine, kept, time.Minute), mine, "wrong", 200},

		{"nothing", at(mine, kept), "", "", 401},
		{"a wrong token", at(mine, kept), mine, "wrong", 401},
		{"the beginning of the token", at(mine, kept), mine, token[:5], 401},
		{"no token", at(mine, kept), mine, "", 401},
		{"another account's token", at(mine, kept), mine, "their token", 401},
		{"no such account", at(mine, kept), gone, token, 401},
		{"an empty token where the account has none", at(bare, kept), bare, "", 401},
		{"any token where the account has none", at(bare, kept), bare, "x", 401},
		{"a URL that has expired", at(mine, kept) + signed(mine, kept, -time.Minute), "", "", 401},
		{"a URL signed for a day", at(mine, kept) + signed(mine, kept, 24*time.Hour), "", "", 401},
		{"the signature of another recording", at(mine, kept) + signed(mine, growing, time.Minute), "", "", 401},
		{"the signature of another account", at(mine, kept) + signed(theirs, kept, time.Minute), "", "", 401},
		{"nothing, for what is not there", at(mine, "RE"+strings.Repeat("0", 32)), "", "", 401},

		{"another account's recording in its own path", at(theirs, foreign), mine, token, 404},
		{"another account's recording in the own path", at(mine, foreign), mine, token, 404},
		{"the own recording in another account's path", at(theirs, kept), mine, token, 404},
		{"a recording that does not exist", at(mine, "RE"+strings.Repeat("0", 32)), mine, token, 404},
		{"a signed URL of what does not exist", at(mine, foreign) + signed(mine, foreign, time.Minute), "", "", 404},
		{"a signed URL of an account that is gone", at(gone, ofGone) + signed(gone, ofGone, time.Minute), "", "", 404},
		{"a recording that is going on", at(mine, growing), mine, token, 404},
		{"an MP3 of a WAV file without an encoder", at(mine, kept) + ".mp3", mine, token, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(s, "GET", tt.target, tt.user, tt.password)
			if r.StatusCode != tt.want {
				t.Errorf("status %d, want %d", r.StatusCode, tt.want)
			}
			body := bodyOf(t, r)
			if tt.want == 200 {
				if body != sound || r.Header.Get("Content-Type") != "audio/wav" {
					t.Errorf("got %q as %s", body, r.Header.Get("Content-Type"))
				}
				return
			}
			wantProblem(t, r, body, tt.want)
			if challenge := r.Header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Basic ") != (tt.want == 401) {
				t.Errorf("WWW-Authenticate %q with status %d", challenge, tt.want)
			}
		})
	}
}

// wantProblem looks for the platform's JSON.
func wantProblem(t *testing.T, r *http.Response, body string, status int) {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	code := map[int]int{401: 20003, 404: 20404, 405: 20004, 429: 20429, 500: 20500}[status]
	if p.Status != status || p.Code != code || p.Message == "" || !strings.HasSuffix(p.MoreInfo, "/errors/"+strconv.Itoa(code)) {
		t.Errorf("got %+v, want status %d with code %d", p, status, code)
	}
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("the error is %s", kind)
	}
	if strings.Contains(body, sound) {
		t.Errorf("the sound is in the error")
	}
}

// TestTraversal: whatever stands where a SID belongs, nothing is there.
func TestTraversal(t *testing.T) {
	s := newServer(t)
	re := strings.Repeat("a", 32)
	for _, wrong := range []string{
		"..%2f..%2f..%2fetc%2fpasswd", "../../../../etc/passwd", "..%5c..%5cetc%5cpasswd", `..\..\etc\passwd`,
		"%2e%2e%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "..%252f..%252fetc%252fpasswd", "..%c0%af..%c0%afetc",
		"%00", kept + "%00", kept + "%00.wav", "%00" + kept, kept + ".wav%00", kept + ".wav.part", kept + ".part",
		kept + "/", kept + "/..", kept + "/../" + kept + "/", "./" + kept, ".%2f" + kept, "x/../" + kept, "..%2fRecordings%2f" + kept,
		kept + "%2f..", kept + "..%2f.wav", kept + ".wav/..", kept + ".wav%2f", kept + ".json", kept + ".WAV", kept + ".", kept + "..wav",
		kept + "%0a", kept + "%20", "%20" + kept, kept + "*", kept + "%3f", kept + "~", kept + "::$DATA",
		"RE" + strings.ToUpper(re), "re" + re, "RE" + re + "a", "RE" + re[1:], "RE" + re[:31] + "g", "RE" + re[:31] + "%EF%BC%91",
		"CA" + re, re, "..", ".", "", "*", "%", "CON", "file:%2f%2f%2fetc%2fpasswd", "http:%2f%2fexample.com",
	} {
		t.Run(wrong, func(t *testing.T) {
			for _, target := range []string{at(mine, wrong), at(wrong, kept)} {
				u, err := url.ParseRequestURI(target) // as net/http reads a request line
				if err != nil {
					u = &url.URL{Path: target} // it would answer 400; here it comes as it is
				}
				r := httptest.NewRequest("GET", "/", nil)
				r.URL = u
				r.SetBasicAuth(mine, token)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != 404 {
					t.Fatalf("%s: status %d, want 404", target, w.Code)
				}
				wantProblem(t, w.Result(), w.Body.String(), 404)
			}
		})
	}
}

func TestTheSoundInParts(t *testing.T) {
	s := newServer(t)
	whole := ask(s, "GET", at(mine, kept), mine, token)
	tag, modified := whole.Header.Get("ETag"), whole.Header.Get("Last-Modified")
	if tag == "" || modified != "Sun, 01 Mar 2026 12:00:05 GMT" {
		t.Errorf("ETag %q, Last-Modified %q", tag, modified)
	}
	for _, tt := range []struct {
		name, method   string
		headers        []string
		status         int
		body, position string
	}{
		{"whole", "GET", nil, 200, sound, ""},
		{"HEAD", "HEAD", nil, 200, "", ""},
		{"the beginning", "GET", []string{"Range", "bytes=0-3"}, 206, "RIFF", "bytes 0-3/35"},
		{"the end", "GET", []string{"Range", "bytes=-3"}, 206, "has", "bytes 32-34/35"},
		{"from somewhere on", "GET", []string{"Range", "bytes=28-"}, 206, sound[28:], "bytes 28-34/35"},
		{"beyond the end", "GET", []string{"Range", "bytes=100-"}, 416, "", "bytes */35"},
		{"the rest of what it still is", "GET", []string{"Range", "bytes=-3", "If-Range", tag}, 206, "has", "bytes 32-34/35"},
		{"the rest of something else", "GET", []string{"Range", "bytes=-3", "If-Range", `"x"`}, 200, sound, ""},
		{"nothing new, by tag", "GET", []string{"If-None-Match", tag}, 304, "", ""},
		{"nothing new, by time", "GET", []string{"If-Modified-Since", modified}, 304, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(s, tt.method, at(mine, kept), mine, token, tt.headers...)
			body := bodyOf(t, r)
			if r.StatusCode != tt.status || tt.status != 416 && body != tt.body || r.Header.Get("Content-Range") != tt.position {
				t.Errorf("got %d %q, Content-Range %q; want %d %q, %q", r.StatusCode, body, r.Header.Get("Content-Range"), tt.status, tt.body, tt.position)
			}
			if tt.status == 200 && (r.ContentLength != int64(len(sound)) || r.Header.Get("Accept-Ranges") != "bytes") {
				t.Errorf("Content-Length %d, Accept-Ranges %q", r.ContentLength, r.Header.Get("Accept-Ranges"))
			}
		})
	}
}

func TestAnMP3IsOneByItsOwnName(t *testing.T) {
	s := newServer(t)
	s.sounds = mp3{s.sounds}
	for target, want := range map[string]int{at(mine, kept): 200, at(mine, kept) + ".mp3": 200, at(mine, kept) + ".wav": 404} {
		r := ask(s, "GET", target, mine, token)
		if r.StatusCode != want || want == 200 && r.Header.Get("Content-Type") != "audio/mpeg" {
			t.Errorf("%s: %d %s, want %d", target, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
	}
}

// TestAnMP3IsMadeOfAWAV: Twilio's applications add .mp3 to a RecordingUrl.
func TestAnMP3IsMadeOfAWAV(t *testing.T) {
	s := newServer(t)
	closed := 0
	s.mp3 = func(_ context.Context, wave io.Reader) (io.ReadSeekCloser, error) {
		b, err := io.ReadAll(wave)
		return &encoded{strings.NewReader("MP3 of " + string(b)), &closed}, err
	}
	plain := ask(s, "GET", at(mine, kept), mine, token)
	r := ask(s, "GET", at(mine, kept)+".mp3", mine, token)
	if got, want := bodyOf(t, r), "MP3 of "+bodyOf(t, plain); r.StatusCode != 200 || got != want || r.Header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("got %d %s %q, want %q", r.StatusCode, r.Header.Get("Content-Type"), got, want)
	}
	if r.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Error("the MP3 has the ETag of the WAV file")
	}
	if closed != 1 || len(s.encoding) != 0 {
		t.Errorf("the MP3 was closed %d times, %d are being made; want 1 and 0", closed, len(s.encoding))
	}
	if r := ask(s, "GET", at(mine, kept)+".mp3", "", ""); r.StatusCode != 401 {
		t.Errorf("without a token: %d, want 401", r.StatusCode)
	}
}

type encoded struct {
	*strings.Reader
	closed *int
}

func (e *encoded) Close() error { *e.closed++; return nil }

type mp3 struct{ runtime.Recordings }

func (m mp3) Open(sid string) (io.ReadSeekCloser, string, error) {
	sound, _, err := m.Recordings.Open(sid)
	return sound, "audio/mpeg", err
}

func TestWhatIsNotThere(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		name, method, target string
		want                 int
	}{
		{"the root", "GET", "/", 404},
		{"other paths of the API", "GET", "/2010-04-01/Accounts/" + mine + "/Calls", 404},
		{"the list of recordings", "GET", "/2010-04-01/Accounts/" + mine + "/Recordings", 404},
		{"deleting", "DELETE", at(mine, kept), 405},
		{"posting", "POST", at(mine, kept), 405},
		{"asking what may be asked from a page of elsewhere", "OPTIONS", at(mine, kept), 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(s, tt.method, tt.target, mine, token, "Origin", "https://example.com")
			if r.StatusCode != tt.want && !(tt.method == "OPTIONS" && r.StatusCode == 204) {
				t.Errorf("status %d, want %d", r.StatusCode, tt.want)
			}
			if tt.method != "OPTIONS" {
				wantProblem(t, r, bodyOf(t, r), tt.want)
			}
			for name := range r.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("other pages may read it: %s", name)
				}
			}
		})
	}
}

func TestAStoreThatFailsIsNotTold(t *testing.T) {
	s := newServer(t)
	s.store = failing{s.store}
	r := ask(s, "GET", at(mine, kept), mine, token)
	body := bodyOf(t, r)
	wantProblem(t, r, body, 500)
	if strings.Contains(body, "disk") {
		t.Errorf("the client learns %q", body)
	}
}

type failing struct{ runtime.Store }

func (failing) Recording(context.Context, string, string) (runtime.RecordingRecord, error) {
	return runtime.RecordingRecord{}, errors.New("disk on fire")
}

func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		status := func(want int, what, target, user, password string) *http.Response {
			t.Helper()
			r := ask(s, "GET", target, user, password)
			if r.StatusCode != want {
				t.Errorf("%s: status %d, want %d", what, r.StatusCode, want)
			}
			return r
		}
		status(401, "a first wrong token", at(mine, kept), mine, "wrong")
		time.Sleep(20 * time.Second)
		for range 9 {
			status(401, "a wrong token", at(mine, kept), mine, "wrong")
		}
		refused := status(429, "an eleventh token", at(mine, kept), mine, token)
		if after := refused.Header.Get("Retry-After"); after != "40" {
			t.Errorf("Retry-After %q, want 40", after)
		}
		wantProblem(t, refused, bodyOf(t, refused), 429)
		status(200, "a signed URL meanwhile", at(mine, kept)+"?"+key.Sign(mine, kept, time.Now().Add(time.Minute)), "", "")
		status(200, "another account meanwhile", at(theirs, foreign), theirs, "their token")
		status(401, "no credentials meanwhile", at(mine, kept), "", "")

		r := httptest.NewRequest("GET", at(mine, kept), nil)
		r.SetBasicAuth(mine, token)
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != 429 {
			t.Errorf("whoever writes another address in a header: status %d, want 429", w.Code)
		}
		r.RemoteAddr = "198.51.100.7:1234"
		w = httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != 200 {
			t.Errorf("the account from elsewhere: status %d, want 200", w.Code)
		}
		time.Sleep(40 * time.Second)
		status(200, "the token in the next minute", at(mine, kept), mine, token)
	})
}

// TestGuessersAreBounded: many of them take little memory, and get no further
// than one.
func TestGuessersAreBounded(t *testing.T) {
	var g guesses
	now := started
	for i := range 3 * mostGuessers {
		g.add(guesser{strconv.Itoa(i), mine}, now)
	}
	if len(g.wrong) > mostGuessers+1 {
		t.Errorf("%d are kept, want at most %d", len(g.wrong), mostGuessers+1)
	}
	if g.wait(guesser{"a further one", mine}, now) == 0 {
		t.Error("one of those that are counted together may go on")
	}
	if wait := g.wait(guesser{"0", mine}, now); wait != 0 {
		t.Errorf("one of the first, who guessed once, waits %v", wait)
	}
}

func TestServeAndClose(t *testing.T) {
	s := newServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	r, err := http.Get("http://" + l.Addr().String() + at(mine, kept) + "?" + key.Sign(mine, kept, time.Now().Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body := bodyOf(t, r); body != sound {
		t.Errorf("got %d %q", r.StatusCode, body)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if s.http.ReadHeaderTimeout != 5*time.Second || s.http.MaxHeaderBytes == 0 || s.http.IdleTimeout == 0 {
		t.Errorf("a client may take its time: %v, %d bytes, %v", s.http.ReadHeaderTimeout, s.http.MaxHeaderBytes, s.http.IdleTimeout)
	}
}

// FuzzRecording: without credentials nobody gets the sound, and with those of an
// account nothing but its own.
func FuzzRecording(f *testing.F) {
	f.Add(at(mine, kept), "")
	f.Add(at(theirs, foreign)+".wav", "expires=1&signature=x")
	f.Add(at(mine, "..%2f"+kept), "expires=99999999999&signature=")
	f.Add("//2010-04-01/Accounts/"+mine+"/Recordings/"+kept+"/", "a;b&%zz")
	f.Add("/2010-04-01/Accounts/"+mine+"/Recordings/"+kept+"%00", "signature=\x00&expires=-1")
	s := newServer(f)
	f.Fuzz(func(t *testing.T, path, query string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			u = &url.URL{Path: path}
		}
		u.RawQuery = query
		for _, user := range []string{"", mine} {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL = u
			if user != "" {
				r.SetBasicAuth(user, token)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			own := user == mine && strings.TrimSuffix(u.Path, ".wav") == at(mine, kept)
			if got := strings.Contains(w.Body.String(), sound); got && !own {
				t.Errorf("%q with %q and user %q gets a recording", path, query, user)
			}
			if w.Code >= 500 {
				t.Errorf("%q with %q: status %d", path, query, w.Code)
			}
		}
	})
}
