package runtime

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/tones"
)

// rooms are the conferences of one process.
type rooms struct {
	s     *Server
	mu    sync.Mutex // guards names and order; taken last
	names map[RoomName]*conference
	order []*conference
}

func newRooms(s *Server) *rooms { return &rooms{s: s, names: map[RoomName]*conference{}} }

// conference is one of them. It starts with two participants of whom one has
// StartOnEnter, and has started until the last has left: who is then alone hears
// silence. It is over when the last one leaves, or one with EndOnExit; who asks
// for its name after that begins another.
type conference struct {
	rooms   *rooms
	name    RoomName
	sid     string
	created time.Time
	mixer   *media.Room
	rate    int // of it, in Hz

	sounds  context.Context // lasts as long as the conference
	silence context.CancelFunc
	own     sync.WaitGroup // beeps, the recording, and who tells that somebody speaks

	// mu is held while callbacks are stored: they are numbered in the order in
	// which they are sent, and nobody sees a change that is not stored.
	mu       sync.Mutex
	seats    []*seat
	started  bool
	recorded bool
	over     bool
	notices  *notices // nil when nobody asked
	speakers chan speaker
}

// seat is a participant's place.
type seat struct {
	Participant
	conf    *conference
	member  *media.Member
	entered time.Time

	// The rest is guarded by the conference's mu.
	stance
	in     bool
	change context.CancelCauseFunc // ends what is heard now
}

// stance is how a participant takes part, as far as that can change.
type stance struct {
	muted, held           bool
	endOnExit, beepOnExit bool
	hold                  *Request
	coaching              *seat
	orphan                bool // coached somebody who has left: nobody hears it
}

// speaker is a member that began or ceased to speak.
type speaker struct {
	member  *media.Member
	talking bool
}

func (r *rooms) Enter(name RoomName, p Participant) (Seat, error) {
	for {
		s := &seat{Participant: p, conf: r.named(name, p)}
		s.stance = stance{muted: p.Muted, endOnExit: p.EndOnExit, beepOnExit: p.BeepOnExit}
		over, err := s.conf.enter(s)
		if over {
			continue
		}
		if err != nil {
			s.conf.rest()
			return nil, err
		}
		return s, nil
	}
}

// rest waits until a conference that is over has ended what it did by itself.
func (c *conference) rest() {
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if over {
		c.own.Wait()
	}
}

// named is the conference of that name, made when there is none.
func (r *rooms) named(name RoomName, first Participant) *conference {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.names[name]
	if c != nil {
		return c
	}
	c = &conference{rooms: r, name: name, sid: r.s.NewID("CF"), created: time.Now()}
	c.sounds, c.silence = context.WithCancel(context.Background())
	c.rate = first.Stream.Rate()
	o := media.RoomOptions{Rate: c.rate}
	if c.notices = newNotices(c, first); c.notices.asked("speaker") {
		c.speakers = make(chan speaker, 64)
		o.Talk = func(m *media.Member, talking bool) {
			select {
			case c.speakers <- speaker{m, talking}:
			default: // so many at once tell nobody anything
			}
		}
		c.own.Go(c.tellSpeakers)
	}
	c.mixer = media.NewRoom(first.Stream.Pacer(), o)
	r.names[name] = c
	r.order = append(r.order, c)
	return c
}

// forget takes out a conference that is over.
func (r *rooms) forget(c *conference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.names, c.name)
	r.order = slices.DeleteFunc(r.order, func(x *conference) bool { return x == c })
}

func (r *rooms) Conference(account, nameOrSID string) Conference {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.order {
		if c.name.Account == account && (c.sid == nameOrSID || c.name.Name == nameOrSID) {
			return c
		}
	}
	return nil
}

func (r *rooms) Conferences(account string) (all []Conference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.order {
		if c.name.Account == account {
			all = append(all, c)
		}
	}
	return all
}

// enter takes s in. over is true when the conference has just ended.
func (c *conference) enter(s *seat) (over bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return true, nil
	}
	if err := c.refuse(s); err != nil {
		if len(c.seats) == 0 {
			defer c.close()
		}
		return false, err
	}
	s.in, s.entered = true, time.Now()
	c.seats = append(c.seats, s)
	news := c.notices.of("join", "participant-join", s)
	starts := !c.started && len(c.seats) >= 2 && slices.ContainsFunc(c.seats, func(s *seat) bool { return s.StartOnEnter })
	if starts {
		news = append(news, c.notices.of("start", "conference-start", s)...)
	}
	c.owe(news)
	s.member = c.mixer.Join(s.Stream, media.MemberOptions{Muted: s.Muted, Jitter: s.Jitter})
	s.coach()
	c.started = c.started || starts
	c.record() // before anybody speaks
	if starts {
		for _, other := range c.seats {
			other.hearsOther()
		}
	}
	if c.started && s.BeepOnEnter {
		c.beep(media.NewClip(tones.Enter(c.rate), c.rate), s.member)
	}
	return false, nil
}

// record begins the recording, when there is one that asked for it.
func (c *conference) record() {
	i := slices.IndexFunc(c.seats, func(s *seat) bool { return s.Record != nil })
	if !c.started || c.recorded || i < 0 {
		return
	}
	c.recorded = true
	s := c.seats[i]
	if s.Beep {
		c.beep(media.NewClip(tones.Beep(c.rate), c.rate), nil)
	}
	if record := s.Record(c.sid, c.mixer.Tap, c.rate); record != nil {
		c.own.Go(func() { record(c.sounds) })
	}
}

// refuse says why s may not enter, and finds whom it coaches.
func (c *conference) refuse(s *seat) error {
	if len(c.seats) >= s.Most {
		return &Refused{16020, 90032, fmt.Sprintf("the conference %s is full with %d participants", c.name.Name, len(c.seats))}
	}
	if s.Label != "" && c.find(s.Label) != nil {
		return &Refused{16025, 0, "the conference " + c.name.Name + " has a participant with that label already"}
	}
	if s.Coach != "" {
		if s.coaching = c.find(s.Coach); s.coaching == nil {
			return &Refused{13240, 0, "the one to be coached is not in the conference " + c.name.Name}
		}
	}
	return nil
}

// find is a participant by CallSID or label, nil for none.
func (c *conference) find(name string) *seat {
	i := slices.IndexFunc(c.seats, func(s *seat) bool { return s.CallSID == name || s.Label == name && name != "" })
	if i < 0 {
		return nil
	}
	return c.seats[i]
}

// beep plays a sound to all but one.
func (c *conference) beep(sound media.Source, except *media.Member) {
	c.own.Go(func() { c.mixer.Play(c.sounds, sound, except) })
}

// coach has the mixer follow who is to be heard by whom.
func (s *seat) coach() {
	var of *media.Member
	if s.coaching != nil {
		of = s.coaching.member
	}
	s.member.Coach(of)
	s.member.SetMuted(s.muted || s.orphan)
}

// hearsOther ends what s hears now.
func (s *seat) hearsOther() {
	if s.change != nil {
		s.change(ErrHearsOther)
	}
}

func (s *seat) Hears(ctx context.Context) (Hearing, context.Context, func()) {
	s.conf.mu.Lock()
	defer s.conf.mu.Unlock()
	while, stop := context.WithCancelCause(ctx)
	s.change = stop
	h := Hearing{Kind: HearsWait, Hold: s.hold}
	switch {
	case s.held:
		h.Kind = HearsHold
	case s.conf.started:
		h.Kind = HearsRoom
	}
	return h, while, func() { stop(nil) }
}

func (s *seat) Talk(ctx context.Context) error { return s.member.Play(ctx) }

func (s *seat) Leave(why Departure, callStatus string) {
	s.conf.mu.Lock()
	if s.in {
		s.conf.leave(s, why, callStatus, "left")
	}
	s.conf.mu.Unlock()
	s.conf.rest()
}

// leave takes s out, and ends the conference when that is its end. how is left
// or kicked.
func (c *conference) leave(s *seat, why Departure, callStatus, how string) {
	news := c.notices.left(s, why, callStatus)
	c.seats = slices.DeleteFunc(c.seats, func(x *seat) bool { return x == s })
	switch {
	case s.endOnExit:
		c.end(news, s, departureModerator, ErrModeratorLeft, "participant-with-end-conference-on-exit-"+how)
	case len(c.seats) == 0:
		c.end(news, s, departureModerator, ErrModeratorLeft, "last-participant-"+how)
	default:
		c.owe(news)
		if c.started && s.beepOnExit {
			c.beep(media.NewClip(tones.Exit(c.rate), c.rate), s.member)
		}
		for _, other := range c.seats {
			if other.coaching == s {
				other.coaching, other.orphan = nil, true
				other.coach()
			}
		}
	}
	s.in = false
	s.member.Leave()
}

// end puts out who is still in, and is the end of the conference. news is what
// comes before; by is who ended it, nil for the API.
func (c *conference) end(news []Callback, by *seat, why Departure, cause error, reason string) {
	for _, s := range c.seats {
		news = append(news, c.notices.left(s, why, "in-progress")...)
	}
	c.owe(append(news, c.notices.ended(by, reason)...))
	for _, s := range c.seats {
		s.in = false
		s.Participant.Leave(cause)
		s.member.Leave()
	}
	c.seats = nil
	c.close()
}

// close ends what the conference does by itself. c.own is to be waited for
// without the lock.
func (c *conference) close() {
	c.over = true
	c.silence()
	c.mixer.Close()
	c.rooms.forget(c)
}

// tellSpeakers tells who begins and ceases to speak.
func (c *conference) tellSpeakers() {
	for {
		select {
		case sp := <-c.speakers:
			event := "participant-speech-stop"
			if sp.talking {
				event = "participant-speech-start"
			}
			c.mu.Lock()
			i := slices.IndexFunc(c.seats, func(s *seat) bool { return s.member == sp.member })
			if i >= 0 {
				c.owe(c.notices.of("speaker", event, c.seats[i]))
			}
			c.mu.Unlock()
		case <-c.sounds.Done():
			return
		}
	}
}

func (c *conference) Record() ConferenceRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ConferenceRecord{SID: c.sid, AccountSID: c.name.Account, Name: c.name.Name, Started: c.started, Created: c.created}
}

func (c *conference) Participants() (all []ParticipantRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seats {
		p := ParticipantRecord{CallSID: s.CallSID, Label: s.Label, Muted: s.muted, Held: s.held,
			StartOnEnter: s.StartOnEnter, EndOnExit: s.endOnExit, Entered: s.entered}
		if s.coaching != nil {
			p.Coaching = s.coaching.CallSID
		}
		all = append(all, p)
	}
	return all
}

// with calls f with a participant, under the lock.
func (c *conference) with(participant string, f func(*seat) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return ErrNoConference
	}
	s := c.find(participant)
	if s == nil {
		return ErrNoParticipant
	}
	return f(s)
}

func (c *conference) Update(participant string, u Update) error {
	return c.with(participant, func(s *seat) error {
		after := s.stance
		set(&after.muted, u.Muted)
		set(&after.held, u.Held)
		set(&after.endOnExit, u.EndOnExit)
		set(&after.beepOnExit, u.BeepOnExit)
		if u.Held != nil {
			after.hold = u.Hold
		}
		if u.Coach != nil {
			after.orphan = false
			if after.coaching = c.find(*u.Coach); *u.Coach != "" && (after.coaching == nil || after.coaching == s) {
				return ErrNoParticipant
			}
		}
		before := s.stance
		s.stance = after
		c.owe(c.notices.updated(s, before))
		s.coach()
		s.member.SetDeaf(s.held)
		if s.held != before.held || s.held && u.Held != nil {
			s.hearsOther()
		}
		return nil
	})
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (c *conference) Kick(participant string) error {
	defer c.rest()
	return c.with(participant, func(s *seat) error {
		s.Participant.Leave(ErrKicked)
		c.leave(s, departureUpdated, "in-progress", "kicked")
		return nil
	})
}

func (c *conference) End() error {
	defer c.rest()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return ErrNoConference
	}
	c.end(nil, nil, departureEnded, ErrConferenceEnded, "conference-ended-via-api")
	return nil
}

func (c *conference) Announce(ctx context.Context, participant string, r Request) error {
	c.mu.Lock()
	var to *seat
	switch {
	case c.over:
		c.mu.Unlock()
		return ErrNoConference
	case participant == "":
		to = c.seats[0]
	default:
		to = c.find(participant)
	}
	c.mu.Unlock()
	if to == nil {
		return ErrNoParticipant
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(c.sounds, func() { stop(ErrNoConference) })()
	out := to.Stream.Play
	if participant == "" {
		out = func(ctx context.Context, src media.Source) error { return c.mixer.Play(ctx, src, nil) }
	}
	err := to.Speak(ctx, r, out)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return ErrNoConference
	}
	c.owe(c.notices.announced(to, participant == "", r.URL, err))
	return err
}

// owe stores callbacks and has them sent.
func (c *conference) owe(news []Callback) {
	if len(news) == 0 {
		return
	}
	s := c.rooms.s
	if err := s.Store.Owe(context.Background(), c.name.Account, c.sid, news); err != nil {
		s.Log.Error("callbacks of a conference could not be stored", "conference", c.sid, "error", err)
	}
	select {
	case s.due <- struct{}{}:
	default: // a wake-up is pending already
	}
}
