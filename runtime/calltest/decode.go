package calltest

import (
	"math"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// decoder finds the words of a vocabulary in sound.
type decoder struct {
	known  vocabulary
	rate   int
	rest   []int16 // less than a block
	sound  []int16 // of the word that goes on
	blocks int     // heard
	quiet  int     // of these, without sound up to now
	said   []spoken
}

// spoken is a word that was heard.
type spoken struct {
	text         string
	began, ended time.Duration // since the first sound
}

const (
	block       = 10 * time.Millisecond
	faint       = -45                                   // dB below full scale; less is no part of a word
	endOfSpeech = int(500 * time.Millisecond / block)   // blocks of silence after which somebody has finished
	longestWord = 3 * time.Second                       // more of it tells nothing new
	leastWord   = int((quickest - wordGap) / block / 2) // blocks; less is a click
)

// hear takes sound of any length. ended reports that a word came to its end in
// it, over that somebody has finished.
func (d *decoder) hear(f []int16) (ended, over bool) {
	n := d.rate / int(time.Second/block)
	d.rest = append(d.rest, f...)
	for len(d.rest) >= n {
		e, o := d.take(d.rest[:n])
		ended, over = ended || e, over || o
		d.rest = d.rest[n:]
	}
	return ended, over
}

func (d *decoder) take(b []int16) (ended, over bool) {
	d.blocks++
	if pcm.Level(b) >= faint {
		d.quiet = 0
		if len(d.sound) < d.rate*int(longestWord/time.Second) {
			d.sound = append(d.sound, b...)
		}
		return false, false
	}
	d.quiet++
	if d.quiet == 1 {
		ended = d.end()
	}
	return ended, d.quiet == endOfSpeech && len(d.said) > 0
}

// end is the end of a piece of sound. It reports whether that was a word.
func (d *decoder) end() bool {
	length := time.Duration(len(d.sound)) * time.Second / time.Duration(d.rate)
	text := d.name(d.sound)
	d.sound = d.sound[:0]
	if text == "" {
		return false
	}
	now := time.Duration(d.blocks-d.quiet) * block
	d.said = append(d.said, spoken{text, now - length, now})
	return true
}

// name is the word that sound is, "" when it is none.
func (d *decoder) name(sound []int16) string {
	if len(sound) < leastWord*d.rate*int(block)/int(time.Second) {
		return ""
	}
	best, share := 0, 0.0
	for i := range d.known {
		if s := pcm.Share(sound, d.rate, d.known.pitch(i)); s > share {
			best, share = i, s
		}
	}
	if share < 0.25 || share > 0.85 { // a tone has nothing else in it, other sounds have no such tone
		return ""
	}
	if p := pitches(sound, d.rate); len(p) != 1 || math.Abs(p[0]-d.known.pitch(best)) > apart {
		return ""
	}
	return d.known[best]
}

// now is what somebody is saying or has just said, with the word that goes on as
// far as it can be told.
func (d *decoder) now() string {
	words := texts(d.said)
	if w := d.name(d.sound); w != "" {
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func texts(said []spoken) (words []string) {
	for _, s := range said {
		words = append(words, s.text)
	}
	return words
}
