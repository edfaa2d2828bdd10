package runtime

import (
	"container/list"
	"sync"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// clips keeps decoded sounds, by their content, up to a number
// of bytes; the longest unused go first.
type clips struct {
	mu    sync.Mutex
	limit int
	size  int
	order *list.List // of *clipEntry, most recently used first
	byKey map[clipKey]*list.Element
}

type clipKey struct {
	sum  [32]byte
	rate int
}

type clipEntry struct {
	key  clipKey
	clip pcm.Clip
}

func newClips(limit int) *clips {
	return &clips{limit: limit, order: list.New(), byKey: map[clipKey]*list.Element{}}
}

func (c *clips) get(k clipKey) (pcm.Clip, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[k]
	if !ok {
		return pcm.Clip{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*clipEntry).clip, true
}

// put keeps clip, whose samples nobody may change from now on. One that would
// fill more than an eighth of the room is not kept.
func (c *clips) put(k clipKey, clip pcm.Clip) {
	size := 2 * len(clip.Samples)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok || size > c.limit/8 {
		return
	}
	c.byKey[k] = c.order.PushFront(&clipEntry{k, clip})
	for c.size += size; c.size > c.limit; {
		old := c.order.Remove(c.order.Back()).(*clipEntry)
		delete(c.byKey, old.key)
		c.size -= 2 * len(old.clip.Samples)
	}
}
