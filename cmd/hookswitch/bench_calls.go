//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/g711"
	"github.com/hookswitch/hookswitch/media/pcm"
)

// callers call one server and measure it.
type callers struct {
	uac     *uac
	callees *uas // nil where the server dials nobody
	clock   *rtpClock
	pid     int // of the server; 0: not known
}

// atRate calls f n times, perSecond a second on a fixed schedule, and waits
// for all. It returns how long it took to start them, and their errors.
func atRate(ctx context.Context, n, perSecond int, f func(context.Context, int) error) (took time.Duration, failed []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))))
		if ctx.Err() != nil {
			failed = append(failed, errors.New("stopped"))
			break
		}
		all.Go(func() {
			if err := f(ctx, i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	took = time.Since(began)
	all.Wait()
	return took, failed
}

// failures says how many calls of n failed, and how the first did.
func failures(failed []error, n int) string {
	if len(failed) == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of %d failed: %v", len(failed), n, failed[0])
}

// light places 50 calls a second, presses a key in each, and measures how
// soon the server answers, is heard, and reacts.
func (c *callers) light(ctx context.Context, seconds int) ([]benchRow, error) {
	const perSecond = 50
	n := perSecond * seconds
	var mu sync.Mutex
	var times callTimes
	_, failed := atRate(ctx, n, perSecond, func(ctx context.Context, _ int) error {
		t, err := c.oneCall(ctx)
		mu.Lock()
		defer mu.Unlock()
		times.setup = append(times.setup, t.setup...)
		times.packet = append(times.packet, t.packet...)
		times.sound = append(times.sound, t.sound...)
		times.key = append(times.key, t.key...)
		times.pressed += t.pressed
		return err
	})
	if len(times.setup) == 0 {
		return nil, fmt.Errorf("no call was answered%s", failures(failed, n))
	}
	return []benchRow{
		{"setup: INVITE to 200", spread(times.setup), fmt.Sprintf("%d calls at %d/s, each with a request to a webhook%s", n, perSecond, failures(failed, n))},
		{"ACK to first RTP", spread(times.packet), "below 0: before the ACK"},
		{"ACK to first sound", spread(times.sound), "the first frame that is not silence"},
		{"key to other tone", spread(times.key), fmt.Sprintf("%d of %d keys, from their first packet, each with a request to a webhook", len(times.key), times.pressed)},
	}, nil
}

// callTimes are what one call measured, or many: none where it did not come
// to it.
type callTimes struct {
	setup, packet, sound, key []time.Duration
	pressed                   int // keys, whether or not the tone changed
}

func spread(all []time.Duration) []figure {
	if len(all) == 0 {
		return nil
	}
	return []figure{ms("p50", percentile(all, 0.5)), ms("p99", percentile(all, 0.99))}
}

// oneCall is a call of the light load.
func (c *callers) oneCall(ctx context.Context) (t callTimes, err error) {
	end, err := c.clock.Open(c.uac.local.Addr())
	if err != nil {
		return t, err
	}
	defer end.Close()
	first, loud, changed := make(chan time.Time, 1), make(chan time.Time, 1), make(chan time.Time, 1)
	end.Hear(func(payload []byte, at time.Time) {
		offer(first, at)
		level, other := listen(payload)
		if level > -40 {
			offer(loud, at)
		}
		if level > -40 && other > 0.5 {
			offer(changed, at)
		}
	})
	call, err := c.uac.Call(ctx, end.addr)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, call.Hangup(ctx)) }()
	end.Talk(call.remote)
	t.setup = append(t.setup, call.setup)
	at, err := within(ctx, 2*time.Second, loud, "nothing was heard")
	if err != nil {
		return t, err
	}
	t.packet = append(t.packet, (<-first).Sub(call.acked))
	t.sound = append(t.sound, at.Sub(call.acked))
	if err := pause(ctx, 400*time.Millisecond); err != nil { // the caller listens
		return t, err
	}
	end.Press('1')
	t.pressed++
	if at, err = within(ctx, time.Second, changed, ""); err == nil {
		t.key = append(t.key, at.Sub(end.Pressed()))
	}
	return t, nil // another server's flow may not care for keys
}

// listen is how loud a frame is, in dBFS, and how much of it is the tone
// after a key.
func listen(ulaw []byte) (level, other float64) {
	var frame [frameLen]int16
	s := frame[:min(len(ulaw), frameLen)]
	g711.DecodeULaw(s, ulaw[:len(s)])
	return pcm.Level(s), pcm.Share(s, 8000, changedTone)
}

func offer(ch chan time.Time, at time.Time) {
	select {
	case ch <- at:
	default: // it has the first already
	}
}

func within(ctx context.Context, d time.Duration, ch <-chan time.Time, otherwise string) (time.Time, error) {
	select {
	case at := <-ch:
		return at, nil
	case <-time.After(d):
		return time.Time{}, errors.New(otherwise)
	case <-ctx.Done():
		return time.Time{}, errors.New("stopped")
	}
}

// holding has n calls up that talk, calls f once they are, and hangs them up
// after it.
func (c *callers) holding(ctx context.Context, n int, f func(ends []*rtpEnd) error) (err error) {
	ends, calls := make([]*rtpEnd, n), make([]*uacCall, n)
	defer func() {
		if _, failed := atRate(context.WithoutCancel(ctx), n, 500, func(ctx context.Context, i int) error {
			if calls[i] == nil {
				return nil
			}
			return calls[i].Hangup(ctx)
		}); err == nil && len(failed) > 0 {
			err = fmt.Errorf("hang up%s", failures(failed, n))
		}
		for _, e := range ends {
			if e != nil {
				e.Close()
			}
		}
	}()
	_, failed := atRate(ctx, n, 150, func(ctx context.Context, i int) error {
		end, err := c.clock.Open(c.uac.local.Addr())
		if err != nil {
			return err
		}
		ends[i] = end
		if calls[i], err = c.uac.Call(ctx, end.addr); err != nil {
			return err
		}
		end.Talk(calls[i].remote)
		return nil
	})
	if len(failed) > 0 {
		return fmt.Errorf("set up%s", failures(failed, n))
	}
	if err := pause(ctx, time.Second); err != nil { // until what the setup left behind is done
		return err
	}
	return f(ends)
}

// cost is what the calls of a while took of the machine.
type cost struct {
	took            time.Duration
	server, callers time.Duration   // of processor
	machine         []time.Duration // how late a sleeper was
	sent            sentFrames      // by the callers
	memory          float64         // of the server at the end, in KB
}

// spend watches what ends hear and what it costs.
func (c *callers) spend(ctx context.Context, ends []*rtpEnd, seconds int) (k cost, err error) {
	for _, e := range ends {
		e.Watch(seconds)
	}
	before, err := c.cpu()
	if err != nil {
		return k, err
	}
	own, sent, began := ownCPU(), c.clock.Sent(), time.Now()
	sleeping, wake := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer wake()
	k.machine = sleeper(sleeping)
	k.took = time.Since(began)
	after, err := c.cpu()
	if err != nil {
		return k, err
	}
	k.server, k.callers, k.sent = after-before, ownCPU()-own, c.clock.Sent().since(sent)
	if k.memory, err = c.memory(); err != nil {
		return k, err
	}
	if ctx.Err() != nil {
		return k, errors.New("stopped")
	}
	return k, nil
}

// lateness says how late the machine itself and the callers were.
func (k cost) lateness() string {
	return fmt.Sprintf("a 20 ms sleeper: p99 %.2f ms; the callers' own: %.2f%%", ms("", percentile(k.machine, 0.99)).value, k.sent.share())
}

// rows are what each of n calls cost a server that had idle KB, as since says.
func (k cost) rows(name string, n int, idle float64, since string) []benchRow {
	callSeconds := float64(n) * k.took.Seconds()
	return []benchRow{
		{name + "CPU", []figure{{"", ms("", k.server).value / callSeconds, "ms per call-second"}},
			fmt.Sprintf("the callers themselves: %.2f", ms("", k.callers).value/callSeconds)},
		{name + "memory", []figure{{"", (k.memory - idle) / float64(n), "KB per call"}}, fmt.Sprintf("%.1f MB %s", idle/1024, since)},
	}
}

// playing holds n calls that are played to and talk, and measures how evenly
// they hear and what they cost. name begins the rows.
func (c *callers) playing(ctx context.Context, name string, n, seconds int) (rows []benchRow, err error) {
	idle, err := c.memory()
	if err != nil {
		return nil, err
	}
	err = c.holding(ctx, n, func(ends []*rtpEnd) error {
		k, err := c.spend(ctx, ends, seconds)
		if err != nil {
			return err
		}
		var late []time.Duration
		lost, silent := 0, 0
		for _, e := range ends {
			l, missing := e.Lateness()
			late, lost = append(late, l...), lost+missing
			if len(l) == 0 {
				silent++
			}
		}
		if len(late) == 0 {
			return errors.New("nothing was heard")
		}
		p99 := percentile(late, 0.99) // sorts
		note := k.lateness()
		if silent > 0 {
			note += fmt.Sprintf("; %d calls heard nothing", silent)
		}
		rows = append(rows, benchRow{name + "frames over 5 ms late or lost",
			[]figure{{"", lateShare(late, lost), "%"}, ms("p99", p99), ms("max", late[len(late)-1])}, note})
		if c.pid != 0 {
			rows = append(rows, k.rows(name, n, idle, "before the first")...)
		}
		return nil
	})
	return rows, err
}

// lateShare is which part of all frames were more than 5 ms late, of which
// late tells in order, or lost; in percent.
func lateShare(late []time.Duration, lost int) float64 {
	onTime, _ := slices.BinarySearch(late, tooLate+1)
	return 100 * float64(len(late)-onTime+lost) / float64(len(late)+lost)
}

func (c *callers) cpu() (time.Duration, error) {
	if c.pid == 0 {
		return 0, nil
	}
	return cpuTime(c.pid)
}

// memory is the server's, in KB.
func (c *callers) memory() (float64, error) {
	if c.pid == 0 {
		return 0, nil
	}
	return residentKB(c.pid)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.New("stopped")
	}
}

// ramp starts more and more calls a second, each hung up once it is answered,
// until one of them fails. name begins the row.
func (c *callers) ramp(ctx context.Context, name string, rates []int) ([]benchRow, error) {
	// Nobody listens to the first frames of these calls, but a port is there.
	end, err := c.clock.Open(c.uac.local.Addr())
	if err != nil {
		return nil, err
	}
	defer end.Close()
	best := benchRow{name: name + ", none failed", note: "no rate without a failure"}
	for _, rate := range rates {
		n := rate // in one second
		cpu, err := c.cpu()
		if err != nil {
			return nil, err
		}
		setup := make([]time.Duration, n)
		took, failed := atRate(ctx, n, rate, func(ctx context.Context, i int) error {
			call, err := c.uac.Call(ctx, end.addr)
			if err != nil {
				return err
			}
			setup[i] = call.setup
			return call.Hangup(ctx)
		})
		if ctx.Err() != nil {
			return nil, errors.New("stopped")
		}
		if len(failed) > 0 {
			best.note += fmt.Sprintf("; at %d/s%s", rate, failures(failed, n)[1:])
			break
		}
		if took > 1100*time.Millisecond {
			best.note += fmt.Sprintf("; the callers could not start %d/s", rate)
			break
		}
		used, err := c.cpu()
		if err != nil {
			return nil, err
		}
		best.figures = append([]figure{{"", float64(rate), "/s"}}, spread(setup)...)
		if c.pid != 0 {
			best.figures = append(best.figures, figure{"CPU", (used - cpu).Seconds() * 1000 / float64(n), "s per 1,000"})
		}
		best.note = fmt.Sprintf("%d calls, the highest tried up to %d/s", n, rates[len(rates)-1])
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return []benchRow{best}, nil
}
