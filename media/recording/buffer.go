package recording

import (
	"io"
	"slices"
	"sync"
)

// Buffer is a File in memory. It is empty at first; Close does nothing.
type Buffer struct {
	mu sync.Mutex
	b  []byte
}

// WriteAt writes all of p; what lies between the end and off becomes 0.
func (b *Buffer) WriteAt(p []byte, off int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resize(max(len(b.b), int(off)+len(p)))
	return copy(b.b[off:], p), nil
}

func (b *Buffer) ReadAt(p []byte, off int64) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if off < int64(len(b.b)) {
		n = copy(p, b.b[off:])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (b *Buffer) Truncate(size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resize(int(size))
	return nil
}

func (b *Buffer) resize(size int) {
	was := len(b.b)
	b.b = slices.Grow(b.b[:min(was, size)], max(0, size-was))[:size]
	if size > was {
		clear(b.b[was:])
	}
}

// Sync does nothing.
func (b *Buffer) Sync() error { return nil }

// Close does nothing.
func (b *Buffer) Close() error { return nil }

// Bytes is a copy of what the file holds.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.b)
}
