package media

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// scale is a clip of 26 frames, coded A, B, C, … Z in mu-law.
func scale() Music {
	var c pcm.Clip
	c.Rate = 8000
	for i := range byte(26) {
		f := make([]int16, 160)
		g711.DecodeULaw(f, bytes.Repeat([]byte{'A' + i}, 160))
		c.Samples = append(c.Samples, f...)
	}
	return c
}

func held(send, receive bool) Config {
	c := agreed()
	c.Send, c.Receive = send, receive
	return c
}

func TestHoldMusic(t *testing.T) {
	silent := strings.Repeat(".", 50)
	tests := []struct {
		name string
		hold Config
		want string // what the other side hears in the next 1,200 ms
	}{
		{"inactive: at once", held(false, false), "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH"},
		{"it receives only: at once", held(true, false), "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH"},
		{"it may send but is silent: after a second", held(false, true), silent[:40] + "ABCDEFGHIJ"},
		{"not held, silent", held(true, true), silent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			joined(t, scale(), func(t *testing.T, a, b *side) {
				a.say('Z')
				time.Sleep(13 * time.Millisecond)
				b.Configure(held(true, true))
				a.Configure(tt.hold)
				n := len(b.l.packets())
				time.Sleep(1200*time.Millisecond - 1)
				if got := sound(b.l.packets()[n:]); got != tt.want {
					t.Errorf("the other side hears\n%s, want\n%s", got, tt.want)
				}
				inOneRow(t, b.l.packets())
			})
		})
	}
}

func TestHoldMusicGoesOnWhereItWas(t *testing.T) {
	joined(t, scale(), func(t *testing.T, a, b *side) {
		n := len(b.l.packets())
		a.Configure(held(false, false))
		time.Sleep(60 * time.Millisecond)
		a.Configure(held(true, true))
		a.ts += 8 * 60
		a.talk('Q', 3)
		a.Configure(held(false, false))
		time.Sleep(60 * time.Millisecond)
		if got, want := sound(b.l.packets()[n:]), "ABCQQQDEF"; got != want {
			t.Errorf("the other side hears %s, want %s", got, want)
		}
		inOneRow(t, b.l.packets())
	})
}

func TestHoldMusicStopsWithTheFirstPacket(t *testing.T) {
	joined(t, scale(), func(t *testing.T, a, b *side) {
		a.Configure(held(false, true)) // its own music may still come
		n := len(b.l.packets())
		time.Sleep(1100 * time.Millisecond)
		a.talk('Q', 5)
		got := strings.TrimLeft(sound(b.l.packets()[n:]), ".")
		if want := "ABCDEQQQQQ"; got != want {
			t.Errorf("the other side hears %s, want %s", got, want)
		}
		inOneRow(t, b.l.packets())
	})
}

func TestPlayWinsOverHoldMusic(t *testing.T) {
	joined(t, scale(), func(t *testing.T, a, b *side) {
		a.Configure(held(false, false))
		time.Sleep(33 * time.Millisecond)
		n := len(b.l.packets())
		if err := b.Play(t.Context(), NewClip(tone(2), 8000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(41 * time.Millisecond)
		if got, want := sound(b.l.packets()[n:]), "##BCD"; got != want {
			t.Errorf("the other side hears %s, want %s", got, want)
		}
	})
}

func TestNoHoldMusicToAStreamThatMayNotSend(t *testing.T) {
	joined(t, scale(), func(t *testing.T, a, b *side) {
		a.Configure(held(false, false))
		b.Configure(held(false, false))
		na, nb := len(a.l.packets()), len(b.l.packets())
		time.Sleep(time.Second)
		if len(a.l.packets()) != na || len(b.l.packets()) != nb {
			t.Error("packets are sent while both hold")
		}
	})
}

func TestHoldWithoutMusicIsSilence(t *testing.T) {
	joined(t, Music{}, func(t *testing.T, a, b *side) {
		a.Configure(held(false, false))
		n := len(b.l.packets())
		time.Sleep(100 * time.Millisecond)
		if got := sound(b.l.packets()[n:]); got != "....." {
			t.Errorf("the other side hears %s, want silence", got)
		}
	})
}
