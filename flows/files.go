package flows

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Limits of what is read, in bytes.
const (
	maxDocument = 64 << 10 // of a document, as of one from the web
	maxMedia    = 64 << 20 // of anything else

	keptBytes = 32 << 20 // of sounds that are kept in memory
	keptSound = 2 << 20  // longest of them
)

// ErrOutside is the error of a file: URL that leaves the folders of the flows.
var ErrOutside = errors.New("outside the folders of the flows")

// Files reads static documents, and the sounds beside them. The zero value has
// the embedded flows only; [Files.Add] opens folders. A file that has changed is
// read anew for the next request, while calls in progress have the document that
// they read. Its methods may be called from any goroutine.
type Files struct {
	mu    sync.RWMutex
	roots map[string]*os.Root // by absolute path

	sounds    map[string]sound // by URL
	soundSize int64
}

// sound is a file that was read, as it was then. Its body is never changed.
type sound struct {
	body []byte
	at   time.Time
}

// Add opens the folder of a flow and returns the URL of its first document.
// Flow is a file, a folder that has an index.xml, or an embedded flow as
// "embed:hello.xml". Documents of the folder and below can lead to each other,
// and to nothing outside it; symbolic links count by where they lead.
func (f *Files) Add(flow string) (string, error) {
	if name, ok := strings.CutPrefix(flow, "embed:"); ok {
		name = strings.TrimLeft(name, "/")
		if _, err := fs.Stat(embedded, name); err != nil {
			return "", fmt.Errorf("no embedded flow is called %q; there are %s", name, strings.Join(names(), ", "))
		}
		return "embed:///" + name, nil
	}
	file, err := filepath.Abs(flow)
	if err != nil {
		return "", fmt.Errorf("flow %s: %w", flow, err)
	}
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		file = filepath.Join(file, "index.xml")
		_, err = os.Stat(file)
	}
	if err != nil {
		return "", fmt.Errorf("flow: %w", err)
	}
	dir := filepath.Dir(file)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.roots[dir] == nil {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return "", fmt.Errorf("flow: %w", err)
		}
		if f.roots == nil {
			f.roots = make(map[string]*os.Root)
		}
		f.roots[dir] = root
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String(), nil
}

// Read returns what a file: or embed: URL names, which nobody may change, and
// its type by the end of its name. A query is of no account here. Errors wrap fs.ErrNotExist,
// [ErrOutside], or say which limit was passed.
func (f *Files) Read(rawURL string) (body []byte, contentType string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, "", err
	}
	name := u.Path
	if u.Opaque != "" { // file:menu.xml
		return nil, "", fmt.Errorf("read %s: write %s:///path", rawURL, u.Scheme)
	}
	var file fs.File
	switch u.Scheme {
	case "embed":
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		file, err = embedded.Open(name)
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, "", fmt.Errorf("read %s: a file: URL has no host; write file:///path", rawURL)
		}
		file, err = f.open(path.Clean("/" + name))
	default:
		return nil, "", fmt.Errorf("read %s: only file: and embed: can be read", rawURL)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", rawURL, err)
	}
	defer file.Close()
	contentType = typeOf(name)
	limit := maxMedia
	if isDocument(contentType) {
		limit = maxDocument
	}
	info, err := file.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", rawURL, err)
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("read %s: not a file", rawURL)
	}
	if kept, ok := f.kept(rawURL, info); ok {
		return kept, contentType, nil
	}
	body, err = io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", rawURL, err)
	}
	if len(body) > limit {
		return nil, "", fmt.Errorf("read %s: over the limit of %d bytes", rawURL, limit)
	}
	if !isDocument(contentType) && info.Size() == int64(len(body)) {
		f.keep(rawURL, sound{body, info.ModTime()})
	}
	return body, contentType, nil
}

// kept is the sound at a URL, if the file is still the one that was read.
func (f *Files) kept(url string, info fs.FileInfo) ([]byte, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	s, ok := f.sounds[url]
	return s.body, ok && s.at.Equal(info.ModTime()) && int64(len(s.body)) == info.Size()
}

// keep keeps a sound that is not too long. When the room is used up, all go.
func (f *Files) keep(url string, s sound) {
	size := int64(len(s.body))
	if size > keptSound {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.soundSize += size - int64(len(f.sounds[url].body))
	if f.sounds == nil || f.soundSize > keptBytes {
		f.sounds, f.soundSize = make(map[string]sound), size
	}
	f.sounds[url] = s
}

// open opens a file by the root whose folder holds it.
func (f *Files) open(name string) (fs.File, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	name = filepath.FromSlash(name)
	for dir, root := range f.roots {
		rel, err := filepath.Rel(dir, name)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		info, err := root.Stat(rel)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() { // a pipe would block Open
			return nil, fmt.Errorf("%s: not a file", rel)
		}
		return root.Open(rel)
	}
	return nil, ErrOutside
}

// Close closes the folders.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, root := range f.roots {
		errs = append(errs, root.Close())
	}
	f.roots = nil
	return errors.Join(errs...)
}

// names of the embedded documents.
func names() []string {
	found, err := fs.Glob(embedded, "*.xml")
	if err != nil {
		return nil
	}
	return found
}

// typeOf is the content type of a file by the end of its name.
func typeOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".xml", ".texml", ".twiml":
		return "application/xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".json":
		return "application/json"
	case ".wav":
		return "audio/wav"
	case ".mp3":
		return "audio/mpeg"
	case ".ogg", ".oga", ".opus":
		return "audio/ogg"
	case ".aiff", ".aif":
		return "audio/aiff"
	case ".au", ".snd":
		return "audio/basic"
	}
	return "application/octet-stream"
}

// isDocument reports whether the limit of documents counts: anything that is
// text.
func isDocument(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.HasPrefix(contentType, "application/xml") ||
		contentType == "application/json"
}
