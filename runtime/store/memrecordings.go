package store

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"

	"github.com/hookswitch/hookswitch/media/recording"
)

// MemFolder keeps recordings in memory. Nothing waits for a disk or another
// program, so it can be used in virtual time: an MP3 that is asked for becomes
// a WAV file.
type MemFolder struct {
	mu   sync.Mutex
	part map[string]*recording.Buffer
	kept map[string]*recording.Buffer
}

// MemoryRecordings returns an empty MemFolder.
func MemoryRecordings() *MemFolder {
	return &MemFolder{part: map[string]*recording.Buffer{}, kept: map[string]*recording.Buffer{}}
}

func (m *MemFolder) Create(sid string) (recording.File, error) {
	if !isRecording(sid) {
		return nil, noRecording(sid)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.part[sid] != nil {
		return nil, begunBefore(sid)
	}
	m.part[sid] = &recording.Buffer{}
	return m.part[sid], nil
}

func (m *MemFolder) Commit(ctx context.Context, sid, format string) (got string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.part[sid] == nil {
		return "", noRecording(sid)
	}
	m.kept[sid] = m.part[sid]
	delete(m.part, sid)
	if format == "mp3" {
		return "wav", recording.ErrNoEncoder
	}
	return "wav", nil
}

func (m *MemFolder) Discard(sid string) error { return m.drop(m.part, sid) }

func (m *MemFolder) Delete(sid string) error { return m.drop(m.kept, sid) }

func (m *MemFolder) drop(from map[string]*recording.Buffer, sid string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if from[sid] == nil {
		return noRecording(sid)
	}
	delete(from, sid)
	return nil
}

func (m *MemFolder) Open(sid string) (io.ReadSeekCloser, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[sid] == nil {
		return nil, "", noRecording(sid)
	}
	return sound{bytes.NewReader(m.kept[sid].Bytes())}, "audio/wav", nil
}

// sound is a recording being read.
type sound struct{ *bytes.Reader }

func (sound) Close() error { return nil }

func (m *MemFolder) Unfinished() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var sids []string
	for sid := range m.part {
		sids = append(sids, sid)
	}
	slices.Sort(sids)
	return sids, nil
}
