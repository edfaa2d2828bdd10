package webhook

import (
	"bufio"
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bodies of a folder's files that are in memory too, so that a sound which many
// calls play is read once.
const (
	hotBody  = 2 << 20  // longest one
	hotBytes = 32 << 20 // all together
)

// cache keeps media in a folder, or in memory, and forgets what was not used
// for longest. A file of the folder is one line of JSON, the kept without its
// body, and then the body. Its name is a hash: URLs may hold passwords.
type cache struct {
	dir   string // "": in memory
	limit int64  // bytes of all bodies
	log   *slog.Logger

	mu    sync.Mutex
	size  int64
	hot   int64                    // bytes of bodies in memory, beside their files
	items map[string]*list.Element // of *item
	order list.List                // the last used first
}

type item struct {
	key  string
	kept kept // without body when there is a folder, but for the hot ones
}

// kept is an answer as the cache has it.
type kept struct {
	URL          string // that answered
	ContentType  string
	ETag         string
	LastModified string
	Fresh        time.Time // not to be asked again before
	Size         int64

	body []byte
}

func keep(r *Response, fresh time.Time) kept {
	return kept{r.URL, r.ContentType, r.header.Get("ETag"), r.header.Get("Last-Modified"), fresh, int64(len(r.Body)), r.Body}
}

func (k kept) response() *Response {
	return &Response{URL: k.URL, Status: 200, ContentType: k.ContentType, Body: k.body}
}

func newCache(dir string, limit int64, log *slog.Logger) *cache {
	c := &cache{dir: dir, limit: limit, log: log, items: map[string]*list.Element{}}
	if limit <= 0 {
		c.limit = 512 << 20
		if dir == "" {
			c.limit = 64 << 20
		}
	}
	if dir != "" {
		if err := c.load(); err != nil {
			log.Warn("media cache; using memory instead", "err", err)
			c.dir = ""
		}
	}
	return c
}

// load takes in what an earlier run left in the folder.
func (c *cache) load() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	type file struct {
		item
		used time.Time
	}
	var files []file
	for _, e := range entries {
		name := e.Name()
		if !ours(name) || !e.Type().IsRegular() {
			continue
		}
		k, used, err := c.peek(name)
		if err != nil { // what a crash left
			c.remove(name)
			continue
		}
		files = append(files, file{item{name, k}, used})
	}
	slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	for _, f := range files {
		c.insert(f.item)
	}
	return nil
}

const unfinished = "new-" // begins the name of a file being written

func ours(name string) bool {
	sum, err := hex.DecodeString(name)
	return err == nil && len(sum) == sha256.Size || strings.HasPrefix(name, unfinished)
}

// peek reads a file without its body, and when it was last used.
func (c *cache) peek(name string) (k kept, used time.Time, err error) {
	f, err := os.Open(filepath.Join(c.dir, name))
	if err != nil {
		return k, used, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return k, used, err
	}
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		return k, used, err
	}
	err = k.parse(line, info.Size()-int64(len(line)))
	if strings.HasPrefix(name, unfinished) {
		err = errIncomplete
	}
	return k, info.ModTime(), err
}

func (c *cache) read(key string) (kept, error) {
	b, err := os.ReadFile(filepath.Join(c.dir, key))
	if err != nil {
		return kept{}, err
	}
	line, body, _ := bytes.Cut(b, []byte("\n"))
	k := kept{body: body}
	return k, k.parse(line, int64(len(body)))
}

var errIncomplete = errors.New("the file is not complete")

func (k *kept) parse(line []byte, size int64) error {
	if err := json.Unmarshal(line, k); err != nil {
		return err
	}
	if k.Size != size {
		return errIncomplete
	}
	return nil
}

func (c *cache) get(key string) (kept, bool) {
	c.mu.Lock()
	e, ok := c.items[key]
	if !ok {
		c.mu.Unlock()
		return kept{}, false
	}
	c.order.MoveToFront(e)
	k := e.Value.(*item).kept
	c.mu.Unlock()
	if c.dir == "" || k.body != nil {
		return k, true
	}
	stored, err := c.read(key)
	if err != nil {
		c.drop(key)
		return kept{}, false
	}
	stored.Fresh = k.Fresh // a 304 moves it in memory only
	now := time.Now()
	os.Chtimes(filepath.Join(c.dir, key), now, now)
	c.warm(key, stored)
	return stored, true
}

// warm keeps the body of an item in memory, and lets go of those that were not
// used for longest.
func (c *cache) warm(key string, k kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok || k.Size > hotBody || k.Size == 0 || e.Value.(*item).kept.body != nil {
		return
	}
	e.Value.(*item).kept.body = k.body
	c.hot += k.Size
	for old := c.order.Back(); c.hot > hotBytes && old != e; old = old.Prev() {
		c.cool(old.Value.(*item))
	}
}

// cool drops the body of it from memory; its file stays. It needs the lock.
func (c *cache) cool(it *item) {
	if c.dir != "" && it.kept.body != nil {
		it.kept.body = nil
		c.hot -= it.kept.Size
	}
}

// put keeps k, in place of what was there before.
func (c *cache) put(key string, k kept) {
	if k.Size > c.limit {
		c.drop(key)
		return
	}
	if c.dir != "" {
		if err := c.write(key, k); err != nil {
			c.log.Warn("media cache", "err", err)
			c.drop(key)
			return
		}
		k.body = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(item{key, k})
}

// insert needs the lock.
func (c *cache) insert(it item) {
	if old, ok := c.items[it.key]; ok {
		c.forget(old)
	}
	c.items[it.key] = c.order.PushFront(&it)
	c.size += it.kept.Size
	for c.size > c.limit {
		oldest := c.order.Back()
		c.forget(oldest)
		c.remove(oldest.Value.(*item).key)
	}
}

// forget needs the lock.
func (c *cache) forget(e *list.Element) {
	it := c.order.Remove(e).(*item)
	c.cool(it)
	delete(c.items, it.key)
	c.size -= it.kept.Size
}

func (c *cache) remove(key string) {
	if c.dir == "" {
		return
	}
	if err := os.Remove(filepath.Join(c.dir, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Warn("media cache", "err", err)
	}
}

func (c *cache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		c.forget(e)
		c.remove(key)
	}
}

func (c *cache) refresh(key string, fresh time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		e.Value.(*item).kept.Fresh = fresh
	}
}

// write makes the file under another name first: a reader sees the old one or
// the new one.
func (c *cache) write(key string, k kept) error {
	line, err := json.Marshal(k)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, unfinished)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		_, err = f.Write(k.body)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(c.dir, key))
}
