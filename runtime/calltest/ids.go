package calltest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"sync"
)

// ids makes the identifiers of a script and knows which is older.
type ids struct {
	seed string // "" for the same ones on every run

	mu   sync.Mutex
	made map[string]int // of each kind
	ages map[string]int // 1 for the first
}

func newIDs(seed string) *ids {
	return &ids{seed: seed, made: map[string]int{}, ages: map[string]int{}}
}

// make makes one. Without a seed those of each prefix count from one, so that
// legs have their SIDs in order, and tokens, which have no prefix, go on from
// whatever was made last.
func (i *ids) make(prefix string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made[prefix]++
	n := i.made[prefix]
	if prefix == "" {
		n = len(i.ages) + 1
	}
	id := fmt.Sprintf("%s%032x", prefix, n)
	if i.seed != "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s", i.seed, id))
		id = prefix + hex.EncodeToString(sum[:16])
	}
	i.ages[id] = len(i.ages) + 1
	return id
}

// age is the place of an identifier among all, far behind for one not made here.
func (i *ids) age(id string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := i.ages[id]; n > 0 {
		return n
	}
	return math.MaxInt32
}
