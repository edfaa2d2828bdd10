package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// Mem is a store without a disk: what it holds ends with the process. Its
// methods never wait for anything, so it can be used in virtual time.
type Mem struct {
	mu        sync.Mutex
	calls     map[key]*entry
	saved     int64                      // calls so far
	records   []runtime.RecordingRecord  // in the order of the first SaveRecording
	texts     []runtime.TranscriptRecord // in the order in which they were ordered
	callbacks []runtime.Callback         // in the order of their IDs
	last      int64                      // ID given last
}

// key names a call; one account's SID says nothing about another's.
type key struct{ account, sid string }

type entry struct {
	record runtime.CallRecord
	events []runtime.Event
	nth    int64 // in order of the first Save
}

// Memory returns an empty store.
func Memory() *Mem { return &Mem{calls: make(map[key]*entry)} }

func (m *Mem) Save(ctx context.Context, call runtime.CallRecord, events []runtime.Event, callbacks []runtime.Callback) error {
	if err := check(call); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key{call.AccountSID, call.SID}
	e := m.calls[k]
	if e == nil {
		m.saved++
		e = &entry{nth: m.saved}
		m.calls[k] = e
	}
	call.Created, call.Answered, call.Ended = whole(call.Created), whole(call.Answered), whole(call.Ended)
	e.record = call
	e.add(events)
	m.queue(call.AccountSID, call.SID, callbacks)
	return nil
}

// add adds to the timeline.
func (e *entry) add(events []runtime.Event) {
	for _, event := range events {
		e.events = append(e.events, runtime.Event{At: whole(event.At), Kind: event.Kind, Text: event.Text, Code: event.Code})
	}
}

// queue adds callbacks behind those that the call owes already.
func (m *Mem) queue(account, call string, callbacks []runtime.Callback) {
	for _, cb := range callbacks {
		m.last++
		cb.ID, cb.AccountSID, cb.CallSID = m.last, account, call
		cb.Created, cb.Due = whole(cb.Created), whole(cb.Due)
		m.callbacks = append(m.callbacks, cb)
	}
}

// whole is t as the database would give it back.
func whole(t time.Time) time.Time { return instant(millis(t)) }

func (m *Mem) Call(ctx context.Context, account, sid string) (runtime.CallRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.calls[key{account, sid}]
	if e == nil {
		return runtime.CallRecord{}, fmt.Errorf("call %s: %w", sid, runtime.ErrNoCall)
	}
	return e.record, nil
}

func (m *Mem) Calls(ctx context.Context, account string, limit int) ([]runtime.CallRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*entry
	for k, e := range m.calls {
		if k.account == account {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *entry) int {
		return cmp.Or(b.record.Created.Compare(a.record.Created), cmp.Compare(b.nth, a.nth))
	})
	var records []runtime.CallRecord
	for _, e := range found[:min(len(found), max(limit, 0))] {
		records = append(records, e.record)
	}
	return records, nil
}

func (m *Mem) Events(ctx context.Context, account, sid string) ([]runtime.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.calls[key{account, sid}]
	if e == nil {
		return nil, fmt.Errorf("call %s: %w", sid, runtime.ErrNoCall)
	}
	return slices.Clone(e.events), nil
}

func (m *Mem) Due(ctx context.Context, now time.Time, limit int, except []string) ([]runtime.Callback, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := slices.DeleteFunc(m.first(), func(cb runtime.Callback) bool {
		return cb.Due.After(whole(now)) || slices.ContainsFunc(except, func(origin string) bool { return isFrom(cb.URL, origin) })
	})
	return due[:min(len(due), max(limit, 0))], nil
}

// isFrom reports whether url has that scheme, host and port.
func isFrom(url, origin string) bool {
	rest, ok := strings.CutPrefix(url, origin)
	return ok && (rest == "" || strings.ContainsRune("/?#", rune(rest[0])))
}

func (m *Mem) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.first()
	if len(first) == 0 {
		return time.Time{}, false, nil
	}
	return first[0].Due, true, nil
}

// first returns the first owed callback of each call to each destination, the
// longest due first.
func (m *Mem) first() []runtime.Callback {
	type queue struct{ account, call, destination string }
	seen := make(map[queue]bool)
	var first []runtime.Callback
	for _, cb := range m.callbacks {
		k := queue{cb.AccountSID, cb.CallSID, cb.URL}
		if end := strings.IndexAny(cb.URL, "?#"); end >= 0 {
			k.destination = cb.URL[:end]
		}
		if !seen[k] {
			seen[k] = true
			first = append(first, cb)
		}
	}
	slices.SortFunc(first, func(a, b runtime.Callback) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
	})
	return first
}

func (m *Mem) Delivered(ctx context.Context, id int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callbacks = slices.DeleteFunc(m.callbacks, func(cb runtime.Callback) bool { return cb.ID == id })
	return nil
}

func (m *Mem) Retry(ctx context.Context, id int64, attempts int, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.callbacks {
		if m.callbacks[i].ID == id {
			m.callbacks[i].Attempts, m.callbacks[i].Due = attempts, whole(at)
		}
	}
	return nil
}

func (m *Mem) SaveRecording(ctx context.Context, r runtime.RecordingRecord, callbacks []runtime.Callback) error {
	if err := checkRecording(r); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Started, r.Duration = whole(r.Started), r.Duration.Truncate(time.Millisecond)
	if i := m.recording(r.AccountSID, r.SID); i >= 0 {
		m.records[i] = r
	} else {
		m.records = append(m.records, r)
	}
	if t, ok := r.Ordered(); ok && m.transcript(t.AccountSID, t.SID) < 0 {
		m.keep(t)
	}
	m.queue(r.AccountSID, cmp.Or(r.CallSID, r.ConferenceSID), callbacks)
	return nil
}

// recording is the index of a record, -1 when there is none.
func (m *Mem) recording(account, sid string) int {
	return slices.IndexFunc(m.records, func(r runtime.RecordingRecord) bool { return r.AccountSID == account && r.SID == sid })
}

func (m *Mem) Recording(ctx context.Context, account, sid string) (runtime.RecordingRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.recording(account, sid)
	if i < 0 {
		return runtime.RecordingRecord{}, fmt.Errorf("recording %s: %w", sid, runtime.ErrNoRecording)
	}
	return m.records[i], nil
}

func (m *Mem) RecordingsOf(ctx context.Context, account, sid string) ([]runtime.RecordingRecord, error) {
	return m.recordings(func(r runtime.RecordingRecord) bool {
		return sid != "" && r.AccountSID == account && (r.CallSID == sid || r.ConferenceSID == sid)
	}), nil
}

func (m *Mem) UnfinishedRecordings(ctx context.Context) ([]runtime.RecordingRecord, error) {
	return m.recordings(func(r runtime.RecordingRecord) bool { return r.Status == "in-progress" || r.Status == "paused" }), nil
}

func (m *Mem) recordings(want func(runtime.RecordingRecord) bool) (found []runtime.RecordingRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		if want(r) {
			found = append(found, r)
		}
	}
	return found
}

// Close does nothing.
func (m *Mem) Close() error { return nil }
