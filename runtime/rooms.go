package runtime

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/texml"
)

// Rooms are conferences, by account and name. A server has those of its own
// process; behind this interface a conference may live elsewhere.
type Rooms interface {
	// Enter takes a participant into the conference of that name, which begins
	// with the first. The error is a *Refused.
	Enter(name RoomName, p Participant) (Seat, error)

	// Conference finds one that is not over by its SID or its name; nil when
	// there is none. Conferences are all of an account, oldest first.
	Conference(account, nameOrSID string) Conference
	Conferences(account string) []Conference
}

// RoomName names a conference.
type RoomName struct{ Account, Name string }

// Participant is who enters a conference.
type Participant struct {
	CallSID string
	Label   string // "" is none
	Stream  *media.Stream
	Dialect texml.Dialect
	Form    url.Values // what the call tells of itself, for callbacks

	Muted, StartOnEnter, EndOnExit bool
	BeepOnEnter, BeepOnExit        bool
	Coach                          string // CallSID of the one who alone hears this one; "" is nobody
	Most                           int    // participants, with this one
	Jitter                         time.Duration

	// Callback says where news of the conference goes, and Events which. Those
	// of the first participant count.
	Callback Request
	Events   []string // start end join leave mute hold modify speaker announcement

	// Speak runs the document that r brings for everybody to hear, by out. It
	// may be called from any goroutine.
	Speak func(ctx context.Context, r Request, out func(context.Context, media.Source) error) error

	// Record, unless it is nil, begins the recording of the conference at its
	// start: of the voices of all, without what they hear while they wait. What
	// it returns, if not nil, records until ctx ends. Of several who would
	// record the first does. Beep is a tone before that.
	Record func(conferenceSID string, own tap, rate int) (record func(ctx context.Context))
	Beep   bool

	// Leave tells that the participant is out already, and why: ErrKicked,
	// ErrModeratorLeft or ErrConferenceEnded. It must not block.
	Leave func(cause error)
}

// Seat is the place of a participant in a conference, used by the call's own
// goroutine.
type Seat interface {
	// Hears is what the participant is to hear now, and a context that ends
	// when that changes, with the cause ErrHearsOther, or when ctx ends.
	Hears(ctx context.Context) (h Hearing, while context.Context, stop func())

	// Talk lets the participant hear and be heard until ctx ends.
	Talk(ctx context.Context) error

	// Leave takes the participant out, unless it is out. callStatus is what the
	// call now has.
	Leave(why Departure, callStatus string)
}

// Hearing is what a participant hears.
type Hearing struct {
	Kind HearingKind
	Hold *Request // heard while held: URL "" is silence; nil is music
}

type HearingKind int

const (
	HearsWait HearingKind = iota // the conference has not started
	HearsRoom
	HearsHold
)

// Departure is why a participant left, as ReasonParticipantLeft has it.
type Departure string

const (
	DepartureHungUp    Departure = "participant_hung_up"
	DepartureFailed    Departure = "participant_add_failed" // the wait document could not be had
	departureUpdated   Departure = "participant_updated_via_api"
	departureModerator Departure = "moderator_ended_conference"
	departureEnded     Departure = "conference_ended_via_api"
)

// Conference is one that is not over, as the API sees it. All methods may be
// called from any goroutine. Participants are named by their CallSID or label;
// ErrNoParticipant is the error when there is none of that name, ErrNoConference
// when it is over.
type Conference interface {
	Record() ConferenceRecord
	Participants() []ParticipantRecord // in the order in which they came

	// Update changes how a participant takes part.
	Update(participant string, u Update) error

	// Kick puts a participant out; the call goes on after its <Dial>.
	Kick(participant string) error

	// End ends the conference and hangs up all calls in it.
	End() error

	// Announce plays the sound or the document that r brings to everybody, or
	// to one participant only, who goes on to be heard. It blocks until that is
	// over.
	Announce(ctx context.Context, participant string, r Request) error
}

// Update changes what is not nil.
type Update struct {
	Muted, Held, EndOnExit, BeepOnExit *bool
	Hold                               *Request // heard while held: URL "" is silence; nil is music
	Coach                              *string  // CallSID or label of the one who alone hears this one; "" is everybody
}

// ConferenceRecord is what is known of a conference.
type ConferenceRecord struct {
	SID, AccountSID string
	Name            string
	Started         bool // two were in it, one of whom starts it
	Created         time.Time
}

// ParticipantRecord is what is known of a participant.
type ParticipantRecord struct {
	CallSID, Label          string
	Muted, Held             bool
	Coaching                string // CallSID; "" is nobody
	StartOnEnter, EndOnExit bool
	Entered                 time.Time
}

// Refused is why a participant may not enter a conference.
type Refused struct {
	Twilio, Telnyx int // the platforms' codes, 0 for none
	msg            string
}

func (r *Refused) Error() string { return r.msg }

// Why a participant is out of a conference, and what else its context ends with.
var (
	ErrKicked          = errors.New("put out of the conference")
	ErrModeratorLeft   = errors.New("the one who ends the conference has left")
	ErrConferenceEnded = errors.New("the conference was ended")
	ErrHearsOther      = errors.New("the participant hears something else now")
)

var (
	ErrNoConference  = errors.New("no such conference")
	ErrNoParticipant = errors.New("no such participant")
)
