package api

import (
	"crypto/sha256"
	"crypto/subtle"
)

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
