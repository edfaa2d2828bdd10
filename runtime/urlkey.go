package runtime

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How long a signed URL opens a recording: what is told lives as long as
// Telnyx's do; nothing is accepted that was signed for longer than the other.
const (
	signedFor   = 10 * time.Minute
	signedAtAll = time.Hour
)

// URLKey signs URLs of recordings, so that whoever is told one can fetch the
// sound for some time without a password. A new key ends all URLs of the old
// one. It should have 32 random bytes; an empty one signs nothing and opens
// nothing.
type URLKey []byte

// Sign returns the query that opens the recording until a time, which counts in
// whole seconds.
func (k URLKey) Sign(account, sid string, until time.Time) string {
	expires := strconv.FormatInt(until.Unix(), 10)
	return "expires=" + expires + "&signature=" + k.sum(account, sid, expires)
}

// Opens tells whether a query opens the recording to a GET or HEAD now.
func (k URLKey) Opens(account, sid string, query url.Values, now time.Time) bool {
	expires := query.Get("expires")
	at, err := strconv.ParseInt(expires, 10, 64)
	if len(k) == 0 || err != nil || at <= now.Unix() || at > now.Add(signedAtAll).Unix() {
		return false
	}
	return hmac.Equal([]byte(query.Get("signature")), []byte(k.sum(account, sid, expires)))
}

// sum is over method, path and expiry. The path has no extension and none of
// what a proxy may have put before it.
func (k URLKey) sum(account, sid, expires string) string {
	h := hmac.New(sha256.New, k)
	h.Write([]byte("GET\n" + recordingPath(account, sid) + "\n" + expires))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func recordingPath(account, sid string) string {
	return "/2010-04-01/Accounts/" + account + "/Recordings/" + sid
}

// recordingURL is where a recording can be fetched, without extension, by those
// who have the account's token.
func (s *Server) recordingURL(account, sid string) string {
	return strings.TrimSuffix(s.PublicURL, "/") + recordingPath(account, sid)
}

// toldURL is how a URL of the account's recording is told now: in the Telnyx
// dialect signed, in the Twilio one as it is. One that was signed before is
// signed anew.
func (s *Server) toldURL(account, raw string, telnyx bool) string {
	sid, ours := s.ownRecording(account, raw)
	if !telnyx || !ours || len(s.URLKey) == 0 {
		return raw
	}
	return s.recordingURL(account, sid) + "?" + s.URLKey.Sign(account, sid, time.Now().Add(signedFor))
}

// ownRecording is the SID in a URL of one of the account's recordings, with or
// without extension and signature.
func (s *Server) ownRecording(account, raw string) (sid string, ours bool) {
	sid, ours = strings.CutPrefix(raw, s.recordingURL(account, ""))
	if end := strings.IndexAny(sid, "?#"); end >= 0 {
		sid = sid[:end]
	}
	return strings.TrimSuffix(strings.TrimSuffix(sid, ".wav"), ".mp3"), ours
}
