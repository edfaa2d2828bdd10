package runtime

import (
	"testing"

	"github.com/hookswitch/hookswitch/media/pcm"
)

func TestClipsKeepWhatWasUsedLast(t *testing.T) {
	key := func(n byte) clipKey { return clipKey{[32]byte{n}, 8000} }
	clip := func(samples int) pcm.Clip { return pcm.Clip{Rate: 8000, Samples: make([]int16, samples)} }
	has := func(c *clips, n byte) bool { _, ok := c.get(key(n)); return ok }

	c := newClips(800) // eight clips of 50 samples
	for n := range byte(8) {
		c.put(key(n), clip(50))
	}
	if !has(c, 0) {
		t.Fatal("the first clip is gone while there is room")
	}
	c.put(key(8), clip(50))
	if !has(c, 0) || !has(c, 8) {
		t.Error("a clip just used, or just put, is gone")
	}
	if has(c, 1) {
		t.Error("the one unused for longest is kept over the limit")
	}
	c.put(key(9), clip(51))
	if has(c, 9) {
		t.Error("a clip of more than an eighth of the room is kept")
	}
	c.put(key(8), clip(10))
	if got, _ := c.get(key(8)); len(got.Samples) != 50 {
		t.Errorf("a second clip of one key replaced the first: %d samples", len(got.Samples))
	}
	if got, ok := c.get(clipKey{[32]byte{8}, 16000}); ok {
		t.Errorf("a clip was found at another rate: %d Hz", got.Rate)
	}
	for n := range byte(100) {
		c.put(key(n+10), clip(int(n)%50))
		if c.size > c.limit {
			t.Fatalf("%d bytes are kept, over the limit of %d", c.size, c.limit)
		}
	}
	sum := 0
	for e := c.order.Front(); e != nil; e = e.Next() {
		sum += 2 * len(e.Value.(*clipEntry).clip.Samples)
	}
	if sum != c.size || len(c.byKey) != c.order.Len() {
		t.Errorf("%d bytes in %d clips, counted as %d in %d", sum, c.order.Len(), c.size, len(c.byKey))
	}
}
