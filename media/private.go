package media

import "context"

// Private returns the keys pressed from now on, as [Stream.Keys] does, and keeps
// them from everybody else until ctx is done: channels of Keys get none, and the
// taps of what is received hear silence, as some telephones send the tones of
// their keys in the sound. A further call takes the place of the first.
func (s *Stream) Private(ctx context.Context) <-chan rune {
	c := make(chan rune, keyQueue)
	s.mu.Lock()
	s.private = c
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.private == c {
			s.private = nil
		}
		close(c)
	})
	return c
}

// listeners are the channels that get a key. s.mu is held.
func (s *Stream) listeners() []chan rune {
	if s.private != nil {
		return []chan rune{s.private}
	}
	return s.keys
}
