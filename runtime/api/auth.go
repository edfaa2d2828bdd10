package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// admit tells who may have the recording: whoever has its signed URL, and its
// account.
func (s *Server) admit(c echo.Context, account, sid string) error {
	r, now := c.Request(), time.Now()
	if s.key.Opens(account, sid, r.URL.Query(), now) {
		return nil
	}
	user, token, given := r.BasicAuth()
	if !given {
		return errNoCredentials
	}
	if !isSID(user, "AC") {
		user = "" // counted together: it is as long as anybody likes
	}
	who := guesser{c.RealIP(), user}
	if wait := s.guesses.wait(who, now); wait > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return errTooMany
	}
	if !s.accounts.has(user, token) {
		s.guesses.add(who, now)
		return errNoCredentials
	}
	if user != account {
		return errNotFound
	}
	return nil
}

// accounts are the hashes of each account's tokens, by its SID: equally long,
// so that comparing them takes equally long, too.
type accounts map[string][][sha256.Size]byte

func newAccounts(tokens map[string][]string) accounts {
	a := make(accounts, len(tokens))
	for sid, of := range tokens {
		a[sid] = nil
		for _, token := range of {
			if token != "" {
				a[sid] = append(a[sid], sha256.Sum256([]byte(token)))
			}
		}
	}
	return a
}

// has tells whether token is one of the account's. That an account is unknown
// is not to be learnt from the time it takes.
func (a accounts) has(sid, token string) bool {
	sum := sha256.Sum256([]byte(token))
	tokens := a[sid]
	if len(tokens) == 0 {
		tokens, sum = make([][sha256.Size]byte, 1), [sha256.Size]byte{1} // equal to none
	}
	found := 0
	for _, t := range tokens {
		found |= subtle.ConstantTimeCompare(t[:], sum[:])
	}
	return found == 1
}

// A guesser may be wrong ten times in a minute about an account.
const (
	guessesAMinute = 10
	mostGuessers   = 10_000 // what is more is counted together
)

type guesser struct{ ip, account string }

// guesses counts wrong tokens, each minute anew.
type guesses struct {
	mu    sync.Mutex
	began time.Time // this minute
	wrong map[guesser]int
}

// wait is how long the guesser has to wait before the next try; 0 is not at all.
func (g *guesses) wait(who guesser, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, counted := g.wrong[who]
	if !counted && len(g.wrong) >= mostGuessers {
		n = g.wrong[guesser{}]
	}
	if left := g.began.Add(time.Minute).Sub(now); n >= guessesAMinute && left > 0 {
		return left
	}
	return 0
}

func (g *guesses) add(who guesser, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrong == nil || now.Sub(g.began) >= time.Minute {
		g.began, g.wrong = now, make(map[guesser]int)
	}
	if _, counted := g.wrong[who]; !counted && len(g.wrong) >= mostGuessers {
		who = guesser{}
	}
	g.wrong[who]++
}
