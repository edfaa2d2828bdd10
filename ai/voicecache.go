package ai

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

// VoiceCacheConfig says where a [VoiceCache] keeps sounds, and how many.
type VoiceCacheConfig struct {
	Folder string // "": in memory only
	Disk   int64  // bytes of files; 0: in memory only
	Memory int64  // bytes of samples; 0: 32 MB, which is half an hour at 8 kHz
	Log    *slog.Logger
}

// VoiceCache keeps what was spoken by its content: the text, who spoke it, how,
// and at what rate. What was not asked for longest goes first. Its files are
// WAV, named by hashes; they outlive the program, and several programs may
// share a folder. It is safe for concurrent use.
type VoiceCache struct {
	folder string
	log    *slog.Logger

	mu     sync.Mutex
	memory shelf[pcm.Clip]
	disk   shelf[struct{}]
}

// soundKey is the hash of what a sound is.
type soundKey [sha256.Size]byte

func newKey(content []byte) soundKey { return sha256.Sum256(content) }

func (k soundKey) file() string { return hex.EncodeToString(k[:]) + ".wav" }

// OpenVoiceCache makes the folder if it is not there, and takes stock of it.
func OpenVoiceCache(c VoiceCacheConfig) (*VoiceCache, error) {
	if c.Memory == 0 {
		c.Memory = 32 << 20
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	v := &VoiceCache{log: c.Log, memory: newShelf[pcm.Clip](c.Memory), disk: newShelf[struct{}](c.Disk)}
	if c.Folder == "" || c.Disk <= 0 {
		return v, nil
	}
	v.folder = c.Folder
	if err := os.MkdirAll(v.folder, 0o700); err != nil {
		return nil, fmt.Errorf("cache of voices: %w", err)
	}
	entries, err := os.ReadDir(v.folder)
	if err != nil {
		return nil, fmt.Errorf("cache of voices: %w", err)
	}
	var found []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if strings.HasSuffix(info.Name(), ".part") && time.Since(info.ModTime()) > time.Hour {
			os.Remove(filepath.Join(v.folder, info.Name())) // of a program that ended while it wrote
		}
		if _, ok := keyOfFile(info.Name()); ok {
			found = append(found, info)
		}
	}
	slices.SortFunc(found, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range found {
		key, _ := keyOfFile(info.Name())
		v.drop(v.disk.put(key, struct{}{}, info.Size()))
	}
	return v, nil
}

// keyOfFile reads the name of a file of the cache.
func keyOfFile(name string) (key soundKey, ok bool) {
	text, ok := strings.CutSuffix(name, ".wav")
	if !ok || len(text) != hex.EncodedLen(len(key)) {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(text))
	return key, err == nil
}

// get is the sound of key, which is shared and not to be written to.
func (v *VoiceCache) get(key soundKey) ([]int16, bool) {
	v.mu.Lock()
	clip, ok := v.memory.get(key)
	v.mu.Unlock()
	if ok || v.folder == "" {
		return clip.Samples, ok
	}
	path := filepath.Join(v.folder, key.file())
	body, err := os.ReadFile(path)
	if err != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.disk.remove(key)
		if !errors.Is(err, fs.ErrNotExist) {
			v.log.Warn("cache of voices", "error", err)
		}
		return nil, false
	}
	clip, err = wav.Decode(body)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil || len(clip.Samples) == 0 {
		v.log.Warn("cache of voices: a file that is no sound is dropped", "file", path)
		v.disk.remove(key)
		os.Remove(path)
		return nil, false
	}
	now := time.Now()
	os.Chtimes(path, now, now) // the order of use outlives the program
	v.drop(v.disk.put(key, struct{}{}, int64(len(body))))
	v.memory.put(key, clip, int64(2*len(clip.Samples)))
	return clip.Samples, true
}

// put keeps clip, whose samples nobody may change from now on. That a file
// could not be written is logged.
func (v *VoiceCache) put(key soundKey, clip pcm.Clip) {
	v.mu.Lock()
	v.memory.put(key, clip, int64(2*len(clip.Samples)))
	v.mu.Unlock()
	if v.folder == "" {
		return
	}
	body := wav.Encode(clip)
	if int64(len(body)) > v.disk.limit {
		return
	}
	if err := write(v.folder, key.file(), body); err != nil {
		v.log.Warn("cache of voices", "error", err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(v.disk.put(key, struct{}{}, int64(len(body))))
}

// write makes a file that is there as a whole or not at all.
func write(folder, name string, body []byte) (err error) {
	f, err := os.CreateTemp(folder, "*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(body)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(folder, name))
}

// drop removes files.
func (v *VoiceCache) drop(keys []soundKey) {
	for _, key := range keys {
		if err := os.Remove(filepath.Join(v.folder, key.file())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			v.log.Warn("cache of voices", "error", err)
		}
	}
}

// shelf holds things up to a number of bytes; what was used last comes first.
type shelf[T any] struct {
	limit, held int64
	order       *list.List // of thing[T]
	at          map[soundKey]*list.Element
}

type thing[T any] struct {
	key   soundKey
	value T
	size  int64
}

func newShelf[T any](limit int64) shelf[T] {
	return shelf[T]{limit: limit, order: list.New(), at: make(map[soundKey]*list.Element)}
}

func (s *shelf[T]) get(key soundKey) (value T, ok bool) {
	e, ok := s.at[key]
	if !ok {
		return value, false
	}
	s.order.MoveToFront(e)
	return e.Value.(thing[T]).value, true
}

// put adds a thing in place of what has its key, and returns the keys of those
// that had to go; that may be its own, when it is too large by itself.
func (s *shelf[T]) put(key soundKey, value T, size int64) (gone []soundKey) {
	s.remove(key)
	s.at[key] = s.order.PushFront(thing[T]{key, value, size})
	for s.held += size; s.held > s.limit; {
		last := s.order.Back().Value.(thing[T]).key
		s.remove(last)
		gone = append(gone, last)
	}
	return gone
}

func (s *shelf[T]) remove(key soundKey) {
	if e, ok := s.at[key]; ok {
		s.held -= s.order.Remove(e).(thing[T]).size
		delete(s.at, key)
	}
}
