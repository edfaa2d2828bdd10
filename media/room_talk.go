package media

// listen tells the room's Talk when the member begins to talk, and stops.
func (m *Member) listen(voice bool) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.talk.hear(voice) {
		m.room.talk(m, m.talk.on)
	}
}

const (
	// talkAfter is how many frames of voice begin a talk. As a detector hears
	// voice for 200 ms after each loud frame, so many are only there when some
	// 80 ms of sound were.
	talkAfter = 13

	// talkOver is how many frames without voice end it: together with the 200
	// ms of the detector, 600 ms of silence.
	talkOver = 20
)

// talk is whether a member talks.
type talk struct {
	on  bool
	run int // frames in a row that say otherwise
}

// hear takes the next frame and reports whether the talk began or ended with it.
func (t *talk) hear(voice bool) (turned bool) {
	if voice == t.on {
		t.run = 0
		return false
	}
	t.run++
	if t.on && t.run < talkOver || !t.on && t.run < talkAfter {
		return false
	}
	t.on, t.run = !t.on, 0
	return true
}
