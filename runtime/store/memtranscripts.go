package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hookswitch/hookswitch/runtime"
)

func (m *Mem) SaveTranscript(ctx context.Context, t runtime.TranscriptRecord, events []runtime.Event, callbacks []runtime.Callback) error {
	if err := checkTranscript(t); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(t)
	if e := m.calls[key{t.AccountSID, t.CallSID}]; e != nil {
		e.add(events)
	}
	m.queue(t.AccountSID, t.CallSID, callbacks)
	return nil
}

// keep adds t, or puts it in place of the one of its SID. m.mu is held.
func (m *Mem) keep(t runtime.TranscriptRecord) {
	t.Created, t.Ended, t.Due = whole(t.Created), whole(t.Ended), whole(t.Due)
	if i := m.transcript(t.AccountSID, t.SID); i >= 0 {
		m.texts[i] = t
	} else {
		m.texts = append(m.texts, t)
	}
}

// transcript is the index of a record, -1 when there is none. m.mu is held.
func (m *Mem) transcript(account, sid string) int {
	return slices.IndexFunc(m.texts, func(t runtime.TranscriptRecord) bool { return t.AccountSID == account && t.SID == sid })
}

func (m *Mem) Transcript(ctx context.Context, account, sid string) (runtime.TranscriptRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.transcript(account, sid)
	if i < 0 {
		return runtime.TranscriptRecord{}, fmt.Errorf("transcript %s: %w", sid, runtime.ErrNoTranscript)
	}
	return m.texts[i], nil
}

func (m *Mem) TranscriptsOf(ctx context.Context, account, recording string) ([]runtime.TranscriptRecord, error) {
	return m.transcripts(func(t runtime.TranscriptRecord) bool { return t.AccountSID == account && t.RecordingSID == recording }), nil
}

func (m *Mem) PendingTranscripts(ctx context.Context, limit int) ([]runtime.TranscriptRecord, error) {
	pending := m.transcripts(func(t runtime.TranscriptRecord) bool { return t.Status == "in-progress" })
	slices.SortStableFunc(pending, func(a, b runtime.TranscriptRecord) int { return cmp.Compare(millis(a.Due), millis(b.Due)) })
	return pending[:min(len(pending), max(limit, 0))], nil
}

func (m *Mem) transcripts(want func(runtime.TranscriptRecord) bool) (found []runtime.TranscriptRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.texts {
		if want(t) {
			found = append(found, t)
		}
	}
	return found
}
