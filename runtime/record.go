package runtime

import (
	"context"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/media"
	"github.com/hookswitch/hookswitch/media/tones"
	"github.com/hookswitch/hookswitch/texml"
	"github.com/hookswitch/hookswitch/verbs"
)

// Record takes a message (verbs.Call).
func (c *script) Record(ctx context.Context, r *texml.Record) (verbs.Recorded, error) {
	c.lively.Store(true)
	stream := c.leg.Stream()
	o := takeOptions{source: "RecordVerb", track: "inbound", channels: channelsOf(r.Channels == "dual"),
		trim: r.Trim, format: r.Format, named: r.HasFormat, longest: r.MaxLength, told: r.RecordingCallbacks, send: true}
	if r.Channels == "dual" {
		o.track = "both"
	}
	if r.PlayBeep {
		if err := c.sound(ctx, "beep", "", "", media.NewClip(tones.Beep(stream.Rate()), stream.Rate())); err != nil {
			t := c.newTake(r, o)
			t.rec.Status = "absent"
			t.save()
			return verbs.Recorded{SID: t.rec.SID, Status: t.rec.Status, Digits: "hangup"}, err
		}
	}
	keys := stream.Keys(ctx)
	t := c.recordBoth(r, o)
	if t == nil {
		return verbs.Recorded{Status: "failed"}, context.Cause(ctx)
	}
	key, err := c.listen(ctx, r, t, keys)
	done := *t.stop(ctx)
	c.note("recorded", "", "", 0)
	if done.Digits = key; err != nil {
		done.Digits = "hangup"
	}
	return done, err
}

// listen waits for the end of a message: a key, which it returns, silence, or
// the greatest length. On Telnyx silence counts after a voice only.
func (c *script) listen(ctx context.Context, r *texml.Record, t *take, keys <-chan rune) (key string, err error) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case k, ok := <-keys:
			if ok && strings.ContainsRune(r.FinishOnKey, k) {
				return string(k), nil
			}
		case <-look.C:
			speech, quiet := t.sound.Heard()
			if r.Timeout > 0 && quiet >= r.Timeout && (speech || c.set.Dialect == texml.Twilio) {
				return "", nil
			}
		case <-t.full():
			return "", nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

// beside begins a recording that goes on beside the verbs.
func (c *script) beside(r *texml.Recording, source string) {
	t := c.recordBoth(r, takeOptions{source: source, track: r.Track, channels: channelsOf(r.Channels == "dual"),
		trim: r.Trim, format: r.Format, named: r.HasFormat, told: r.RecordingCallbacks, send: true})
	if t != nil {
		c.serve("Recording", r.Label, takeBeside{t})
	}
}

// takeBeside is a recording that nobody waits for.
type takeBeside struct{ *take }

func (t takeBeside) stop(ctx context.Context) { t.take.stop(ctx) }

// recordDial begins the recording of a <Dial>: what the caller says, and what
// the caller hears, which is the called side from the bridge on.
func (c *script) recordDial(d *texml.Dial) *take {
	if c.leg.Stream() == nil {
		c.Warn(d, 0, "nothing is recorded before the answer: with answerOnBridge the caller is not answered yet either")
		return nil
	}
	return c.recordBoth(d, takeOptions{source: "DialVerb", track: d.RecordingTrack,
		channels: channelsOf(strings.HasSuffix(d.Record, "-dual") || d.RecordingChannels == "dual"), trim: d.Trim,
		longest: d.RecordMaxLength, told: d.RecordingCallbacks, send: d.SendRecordingURL})
}

// recordBoth begins a recording of the sides of the call that o.track names. One
// side is always mono.
func (c *script) recordBoth(n texml.Node, o takeOptions) *take {
	stream := c.leg.Stream()
	switch o.track {
	case "inbound":
		o.channels = 1
		return c.record(n, o, stream.Tap, stream.Rate())
	case "outbound":
		o.channels = 1
		return c.record(n, o, stream.TapSent, stream.Rate())
	}
	t := c.record(n, o, stream.Tap, stream.Rate())
	t.add(1, stream.TapSent)
	return t
}

func channelsOf(dual bool) int {
	if dual {
		return 2
	}
	return 1
}
