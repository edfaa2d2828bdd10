package local

import (
	"container/list"
	"sync"
)

// cacheSamples is what a Voice remembers, 16 MB: 17 minutes at 8 kHz.
const cacheSamples = 8 << 20

// cache remembers the sound of the sentences spoken last, up to a number of
// samples in all.
type cache struct {
	mu   sync.Mutex
	size int        // samples it may hold
	held int        // samples it holds
	last *list.List // of said, the latest first
	at   map[job]*list.Element
}

type said struct {
	job   job
	sound []int16
}

func newCache(samples int) *cache {
	return &cache{size: samples, last: list.New(), at: map[job]*list.Element{}}
}

func (c *cache) get(j job) ([]int16, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.at[j]
	if !ok {
		return nil, false
	}
	c.last.MoveToFront(e)
	return e.Value.(said).sound, true
}

func (c *cache) put(j job, sound []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.at[j]; ok || len(sound) > c.size {
		return // another call was quicker, or it would push out all else in vain
	}
	c.at[j] = c.last.PushFront(said{j, sound})
	c.held += len(sound)
	for c.held > c.size {
		e := c.last.Back()
		old := c.last.Remove(e).(said)
		delete(c.at, old.job)
		c.held -= len(old.sound)
	}
}
