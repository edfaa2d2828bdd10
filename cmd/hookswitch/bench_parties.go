//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// parties makes the rows of calls with others.
func (b *benchRun) parties(ctx context.Context) error {
	speaks, more := ulaw, ""
	if b.flags.transcode {
		speaks, more = alaw, ", transcoded"
	}
	dialRecord, roomRecord := "do-not-record", "do-not-record"
	if b.flags.record {
		dialRecord, roomRecord, more = "record-from-answer-dual", "record-from-start", more+", recorded"
	}
	with := func(what string, f func(*callers) ([]benchRow, error)) error {
		callees, err := newUAS(b.flags.callee, b.clock, speaks)
		if err != nil {
			return err
		}
		defer callees.Close()
		document := "/dial?" + url.Values{"callee": {callees.uri()}, "record": {dialRecord}}.Encode()
		return b.on(ctx, what, document, callees, f)
	}
	if b.flags.dials {
		err := with(fmt.Sprintf("light load: 50 calls a second with a callee each, for %d s", b.flags.seconds), func(c *callers) ([]benchRow, error) {
			return c.dialled(ctx, b.flags.seconds)
		})
		if err != nil {
			return err
		}
		err = with("new calls with a callee each: more a second, until one fails", func(c *callers) ([]benchRow, error) {
			return c.ramp(ctx, "new calls with a callee", b.flags.rates)
		})
		if err != nil {
			return err
		}
	}
	for _, n := range b.flags.bridged {
		name := fmt.Sprintf("%d bridged%s", n, more)
		err := with(fmt.Sprintf("%s, for %d s", name, b.flags.seconds), func(c *callers) ([]benchRow, error) {
			return c.bridged(ctx, name+": ", n, b.flags.seconds)
		})
		if err != nil {
			return err
		}
	}
	for _, members := range b.flags.rooms {
		rooms := (leastRoomCalls + members - 1) / members
		name := fmt.Sprintf("%d in conferences of %d%s", rooms*members, members, more)
		document := fmt.Sprintf("/room?members=%d&record=%s", members, roomRecord)
		err := b.on(ctx, fmt.Sprintf("%s, for %d s", name, b.flags.seconds), document, nil, func(c *callers) ([]benchRow, error) {
			return c.playing(ctx, name+": ", rooms*members, b.flags.seconds)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// bridged holds n calls that the server has joined to n callees, all of whom
// talk, and measures how long each frame is on its way and what that costs.
func (c *callers) bridged(ctx context.Context, name string, n, seconds int) (rows []benchRow, err error) {
	// What the first call ever leaves behind is no other call's memory.
	if _, err := c.dialledOnce(ctx); err != nil {
		return nil, err
	}
	idle, err := c.memory()
	if err != nil {
		return nil, err
	}
	err = c.holding(ctx, n, func(ends []*rtpEnd) error {
		callees := c.callees.Ends()
		if len(callees) != n {
			return fmt.Errorf("%d of %d callees were called", len(callees), n)
		}
		ends = append(ends, callees...)
		k, err := c.spend(ctx, ends, seconds)
		if err != nil {
			return err
		}
		var delays, late []time.Duration
		lost, silent := 0, 0
		for _, e := range ends {
			d := e.Delays()
			_, missing := e.Lateness()
			if lost += missing; len(d) == 0 {
				silent++
				continue
			}
			delays = append(delays, d...)
			late = append(late, above(d)...)
		}
		if len(delays) == 0 {
			return errors.New("nothing came through")
		}
		note := "one way, from send to the kernel of the other side"
		if silent > 0 {
			note += fmt.Sprintf("; %d of %d heard nothing", silent, len(ends))
		}
		p99 := percentile(late, 0.99) // sorts
		rows = append(rows,
			benchRow{name + "delay", []figure{ms("p50", percentile(delays, 0.5)), ms("p99", percentile(delays, 0.99)), ms("max", delays[len(delays)-1])}, note},
			benchRow{name + "frames over 5 ms late or lost",
				[]figure{{"", lateShare(late, lost), "%"}, ms("p99", p99), ms("max", late[len(late)-1])}, "later than the call's fastest frame; " + k.lateness()})
		if c.pid != 0 {
			rows = append(rows, k.rows(name, n, idle, "after one call")...)
		}
		return nil
	})
	return rows, err
}

// above is how much more each is than the least of all.
func above(all []time.Duration) []time.Duration {
	least := percentile(all, 0) // sorts
	more := make([]time.Duration, len(all))
	for i, d := range all {
		more[i] = d - least
	}
	return more
}

// dialled places 50 calls a second that the server joins to a callee each, and
// measures how soon that is done.
func (c *callers) dialled(ctx context.Context, seconds int) ([]benchRow, error) {
	const perSecond = 50
	n := perSecond * seconds
	var mu sync.Mutex
	var setup, sound []time.Duration
	_, failed := atRate(ctx, n, perSecond, func(ctx context.Context, _ int) error {
		t, err := c.dialledOnce(ctx)
		mu.Lock()
		defer mu.Unlock()
		setup, sound = append(setup, t.setup...), append(sound, t.sound...)
		return err
	})
	if len(setup) == 0 {
		return nil, fmt.Errorf("no call was answered%s", failures(failed, n))
	}
	return []benchRow{
		{"setup with a callee: INVITE to 200", spread(setup), fmt.Sprintf("%d calls at %d/s, the callee answers at once%s", n, perSecond, failures(failed, n))},
		{"ACK to the callee's first sound", spread(sound), ""},
	}, nil
}

// dialledOnce is a call of the light load: until the caller hears the callee.
func (c *callers) dialledOnce(ctx context.Context) (t callTimes, err error) {
	end, err := c.clock.Open(c.uac.local.Addr())
	if err != nil {
		return t, err
	}
	defer end.Close()
	voice := make(chan time.Time, 1)
	end.Hear(func(payload []byte, at time.Time) {
		if _, ok := c.clock.log.Sent(payload); ok {
			offer(voice, at)
		}
	})
	call, err := c.uac.Call(ctx, end.addr)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, call.Hangup(ctx)) }()
	end.Talk(call.remote)
	t.setup = append(t.setup, call.setup)
	heard, err := within(ctx, 2*time.Second, voice, "the callee was not heard")
	if err == nil {
		t.sound = append(t.sound, heard.Sub(call.acked))
	}
	return t, err
}
