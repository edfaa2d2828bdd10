// Package verbs gives each document verb its behaviour on a call.
//
// [For] finds the behaviour of a node of package texml. A verb sees the call
// through [Call] only: it knows nothing of SIP, RTP, HTTP or providers, and it
// never fetches, parses or starts the document that follows.
package verbs

import (
	"context"
	"net/url"
	"runtime/debug"
	"slices"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// A Verb runs to its end on a call, or until ctx is done. It owns every
// goroutine it starts and leaves none behind when it returns.
//
// When the call ends under a verb that has an action, the verb returns both:
// where it would go on, which is still told, and the cause of the end.
type Verb interface {
	Run(ctx context.Context, call Call) (Next, error)
}

// Call is what a verb may do to the call it runs on. Each method is a thing one
// does on a telephone; those that take time block until it is done and return
// context.Cause(ctx) when they are cut short. URLs may be relative: they are
// resolved against the document the verb stands in.
type Call interface {
	// Answer takes the call. It does nothing on an answered one.
	Answer(ctx context.Context) error

	// Voice gives s a voice and returns what speaks it once. What cannot be
	// spoken is noted at s already.
	Voice(ctx context.Context, s *texml.Say) (Sound, error)

	// Load fetches the sound at url for n and returns what plays it once. What
	// is wrong with it is noted at n already, with code when it is its type.
	Load(ctx context.Context, n texml.Node, url string, code int) (Sound, error)

	// Ringback plays the ringing tone of a country of ITU-T E.180, such as us,
	// one round of its cadence.
	Ringback(ctx context.Context, country string) error

	// Send presses keys: 0-9 A-D * #, w waits half a second, W one.
	Send(ctx context.Context, digits string) error

	// Echo sends the caller's own sound back until ctx is done.
	Echo(ctx context.Context) error

	// Keys are the keys the other side presses from now on, until ctx is done.
	Keys(ctx context.Context) <-chan rune

	// Secrets are Keys that nobody else gets: until ctx is done no key of the
	// other side is told anywhere, and who listens beside hears silence.
	Secrets(ctx context.Context) <-chan rune

	// Payee finds the connector that p names and returns what pays there. An
	// error is why there is none, and has been noted at p.
	Payee(p *texml.Pay) (Charge, error)

	// Dial calls the nouns of d, which are people, and joins the call to the
	// first who answers until one of the two is gone.
	Dial(ctx context.Context, d *texml.Dial) (Dialed, error)

	// Confer takes the call into a conference until it leaves or is put out.
	Confer(ctx context.Context, d *texml.Dial, c *texml.Conference) (Dialed, error)

	// Dequeue joins the call to the first of a queue, whom it waits for.
	Dequeue(ctx context.Context, d *texml.Dial, q *texml.Queue) (Dialed, error)

	// Enqueue lets the caller wait in a queue until it leaves that.
	Enqueue(ctx context.Context, e *texml.Enqueue) (Queued, error)

	// Leave marks that the caller leaves the queue it waits in. It is false
	// when the document is none that is heard in a queue.
	Leave() bool

	// Record takes a message until a key, silence or its greatest length.
	Record(ctx context.Context, r *texml.Record) (Recorded, error)

	// Start begins n, a service that goes on beside the verbs below, until
	// Stop or the end of the call. What cannot begin is noted at n.
	Start(n texml.Node)

	// Stop ends the service of that kind, the name of its element, and of that
	// label; "" is the latest. It is false when there is none.
	Stop(ctx context.Context, kind, label string) bool

	// Connect hands the call to n until that ends, and returns what the action
	// is told of it.
	Connect(ctx context.Context, n texml.Node) (url.Values, error)

	// Listen hears what the caller says from now on. Once ctx is done, or finish
	// has been called and what was said till then has been told, heard is closed;
	// it must be read until then. Without ears heard is nil, which is noted at g.
	Listen(ctx context.Context, g *texml.Gather) (heard <-chan Heard, finish func())

	// Post tells form at ref, after all that was told there before. Nobody
	// waits for the answer, and it is not read.
	Post(n texml.Node, ref, method string, form url.Values)

	// Request makes an HTTP request of the document's own. An error is why there
	// is no answer to it, and has been noted at r. One that is async is made
	// beside the verbs below, and its reply is the zero Reply.
	Request(ctx context.Context, r *texml.HTTPRequest) (Reply, error)

	// Refer asks the other side to call somebody else instead (RFC 3515), and
	// follows what becomes of that.
	Refer(ctx context.Context, r *texml.Refer) (Referred, error)

	// Reject refuses a call that is not answered; an answered one is hung up.
	Reject(ctx context.Context, reason string) error

	// Warn notes something that went wrong at n on the call's timeline, with
	// the platform's code or 0.
	Warn(n texml.Node, code int, msg string)

	// Dialect is the dialect the document was read in.
	Dialect() texml.Dialect
}

// Reply is the answer to an HTTP request.
type Reply struct {
	Status int
	Body   []byte
}

// Heard is what happened on the caller's side since the last one. Only one of
// Voice, Text and Err tells something, but for Over.
type Heard struct {
	Voice      Voice         // somebody began to speak, or stopped
	Since      time.Duration // how long ago that was
	Text       string        // what is understood of it
	Final      bool          // and stays so; what follows comes behind it
	Confidence float64       // of Text, 0 to 1; 0 is not known
	Stability  float64       // of a Text that is not final, 0 to 1; 0 is not known
	Over       bool          // the engine takes the caller to have finished
	Err        error         // nothing more is understood; it has been noted
}

// Voice tells whether somebody speaks.
type Voice int

const (
	NoNews   Voice = iota
	Speaking       // began
	Silent         // stopped, a moment ago
)

// Sound plays something that is at hand. It lasts 20 ms at least, so that what
// is repeated for ever takes its time.
type Sound func(ctx context.Context) error

// rounds plays n times, or until the call ends when n is 0. A round is never
// begun on a call that is over.
func (play Sound) rounds(ctx context.Context, n int) error {
	for i := 0; n == 0 || i < n; i++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := play(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Next says where the call goes after a verb. The zero Next is the verb below.
type Next struct {
	Fetch *Fetch // continue with the document this brings
	End   bool   // nothing follows: hang up
	Tell  *Fetch // is told beside; the document it answers with is not run
}

// Fetch asks for the document that replaces the one the verb stands in.
type Fetch struct {
	URL    string     // "" is the current document, asked for again
	Method string     // "" is the method of the call's application
	Form   url.Values // sent along with the call's own parameters

	// Outcome marks what a verb came to: it is told even when the call ends
	// before the request is answered. What a caller entered is not told then.
	Outcome bool
}

// Guard calls f and turns a panic in it into a [*Crash]: a fault in one verb ends
// one call and no other.
func Guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Crash{v, debug.Stack()}
		}
	}()
	return f()
}

// Crash is a fault of the program itself, met while a call ran.
type Crash struct {
	Value any // what was panicked with; it may hold what a caller said
	Stack []byte
}

func (*Crash) Error() string { return "internal error; the log has where" }

// For returns the behaviour of n.
func For(n texml.Node) Verb {
	switch n := n.(type) {
	case *texml.Connect:
		if _, ok := n.Service.(*texml.Stream); ok {
			return connect{n}
		}
	case *texml.Dial:
		return dial{n}
	case *texml.Echo:
		return echo{n}
	case *texml.Enqueue:
		return enqueue{n}
	case *texml.Gather:
		return gather{n}
	case *texml.HTTPRequest:
		return httpRequest{n}
	case *texml.Hangup:
		return hangup{n}
	case *texml.Leave:
		return leave{n}
	case *texml.Pause:
		return pause{n}
	case *texml.Pay:
		return pay{n}
	case *texml.Play:
		return play{n, 13420}
	case *texml.Record:
		return record{n}
	case *texml.Redirect:
		return redirect{n}
	case *texml.Refer:
		return refer{n}
	case *texml.Reject:
		return reject{n}
	case *texml.Say:
		return say{n}
	case *texml.Sms:
		return sms{n}
	case *texml.Start:
		return start{n}
	case *texml.Stop:
		return stop{n}
	}
	return unsupported{n}
}

// Supported reports whether this version can do more with n than to skip it.
func Supported(n texml.Node) bool {
	_, skipped := For(n).(unsupported)
	return !skipped
}

// Limit is something a document asks for that this version does not do. The verb
// runs without it.
type Limit struct {
	Node texml.Node // where it stands
	Code int        // the platforms', 0 for none
	Msg  string
}

// Limits are those of a verb and of what stands in it, but for the prompts of a
// <Gather>, which are verbs themselves. A call warns of them when the verb runs.
func Limits(n texml.Node) []Limit {
	var all limits
	switch n := n.(type) {
	case *texml.Dial:
		all.ofDial(n)
	case *texml.Enqueue:
		all.add(n, 14220, "<Enqueue> with a workflow or a task needs TaskRouter, which hookswitch has not; put the name of a queue inside", n.Queue == "")
	case *texml.Pay:
		all.ofPay(n)
	case *texml.Play:
		all.add(n, 90040, "<Play> cannot have a stored sound, as hookswitch stores none; write the URL of a file, without mediaStorage",
			n.MediaStorage && n.Digits == "" && n.RingTone == "")
	case *texml.Record:
		all.ignore(n, "recordingConfigurationId", n.RecordingConfigurationID != "")
	case *texml.Start:
		for _, service := range n.Services {
			switch n := service.(type) {
			case *texml.Recording:
				all.ignore(n, "recordingConfigurationId", n.RecordingConfigurationID != "")
			case *texml.Siprec:
				all.add(n, 32209, `<Siprec secure="true"> needs TLS and SRTP, which this version has not, so nothing is sent`, n.Secure)
			}
			if !started(service.Name()) {
				all.skip(service, service.Name())
			}
		}
	case *texml.Stop:
		for _, service := range n.Services {
			if !started(service.Kind) {
				all.skip(n, service.Kind)
			}
		}
	}
	return all
}

type limits []Limit

// add takes msg in when it is asked for, once, where that stands first.
func (all *limits) add(n texml.Node, code int, msg string, asked bool) {
	if asked && !slices.ContainsFunc(*all, func(l Limit) bool { return l.Msg == msg }) {
		*all = append(*all, Limit{n, code, msg})
	}
}

func (all *limits) ignore(n texml.Node, what string, asked bool) {
	all.add(n, 0, what+" is not supported by this version of hookswitch and is ignored", asked)
}

func (all *limits) skip(n texml.Node, name string) {
	what := ""
	if name == "Suppression" {
		what = ": no noise is taken out of the call"
	}
	all.add(n, 0, "<"+name+"> is not supported by this version of hookswitch and is skipped"+what, true)
}

// warn tells the call what of n it does not do.
func warn(call Call, n texml.Node) {
	for _, l := range Limits(n) {
		call.Warn(l.Node, l.Code, l.Msg)
	}
}

// unsupported stands for a verb that is read and checked but that this version
// cannot do. The call goes on below it, and its timeline says so.
type unsupported struct{ texml.Node }

func (u unsupported) Run(ctx context.Context, call Call) (Next, error) {
	call.Warn(u.Node, 0, "<"+u.Name()+"> is not supported by this version of hookswitch and was skipped")
	return Next{}, context.Cause(ctx)
}
