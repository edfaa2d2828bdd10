package flows

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder writes files below a new folder; names that end in / are folders.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func opened(t *testing.T, flow string) (f *Files, first string) {
	t.Helper()
	f = new(Files)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	first, err := f.Add(flow)
	if err != nil {
		t.Fatal(err)
	}
	return f, first
}

// resolve is what a relative URL in the document at base leads to.
func resolve(t *testing.T, base, ref string) string {
	t.Helper()
	b, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	to, err := b.Parse(ref)
	if err != nil {
		t.Fatal(err)
	}
	return to.String()
}

func TestRelativeURLsStayInTheFolder(t *testing.T) {
	outer := folder(t, map[string]string{
		"secret.xml":          "secret",
		"flow/menu.xml":       "menu",
		"flow/a b%.xml":       "odd name",
		"flow/deep/sales.xml": "sales",
		"flow/ding.wav":       "RIFF",
		"flow-2/other.xml":    "other",
	})
	dir := filepath.Join(outer, "flow")
	if err := os.Symlink("../secret.xml", filepath.Join(dir, "link-out.xml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("deep/sales.xml", filepath.Join(dir, "link-in.xml")); err != nil {
		t.Fatal(err)
	}
	f, first := opened(t, filepath.Join(dir, "menu.xml"))
	for _, c := range []struct{ name, ref, want string }{
		{"the document itself", "", "menu"},
		{"with a query and a fragment", "menu.xml?try=1#rc=2", "menu"},
		{"a folder below", "deep/sales.xml", "sales"},
		{"up again, but not out", "deep/../menu.xml", "menu"},
		{"an escaped name", "a%20b%25.xml", "odd name"},
		{"a sound", "ding.wav", "RIFF"},
		{"a link that stays inside", "link-in.xml", "sales"},
		{"up and out", "../secret.xml", ""},
		{"escaped dots", "%2e%2e/secret.xml", ""},
		{"an escaped slash", "..%2fsecret.xml", ""},
		{"a link that leads out", "link-out.xml", ""},
		{"a folder whose name begins alike", "../flow-2/other.xml", ""},
		{"an absolute path", "file:///etc/hostname", ""},
		{"the folder", "./", ""},
		{"a device", "file:///dev/zero", ""},
		{"another host", "file://example.com" + dir + "/menu.xml", ""},
		{"a NUL", "menu.xml%00.wav", ""},
		{"no such file", "nothing.xml", ""},
		{"the web", "https://example.com/menu.xml", ""},
	} {
		body, _, err := f.Read(resolve(t, first, c.ref))
		if string(body) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v; want %q", c.name, body, err, c.want)
		}
	}
	if _, _, err := f.Read(resolve(t, first, "nothing.xml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if _, _, err := f.Read("file://" + outer + "/secret.xml"); !errors.Is(err, ErrOutside) {
		t.Errorf("got %v, want ErrOutside", err)
	}
}

func TestAChangedFileIsReadAnew(t *testing.T) {
	dir := folder(t, map[string]string{"menu.xml": "old"})
	f, first := opened(t, filepath.Join(dir, "menu.xml"))
	for _, want := range []string{"old", "new", "new and longer"} {
		next := filepath.Join(dir, ".next")
		if err := os.WriteFile(next, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(dir, "menu.xml")); err != nil { // as editors do
			t.Fatal(err)
		}
		if body, _, err := f.Read(first); string(body) != want || err != nil {
			t.Errorf("got %q, %v; want %q", body, err, want)
		}
	}
}

func TestASoundIsReadOnceUntilItChanges(t *testing.T) {
	dir := folder(t, map[string]string{"menu.xml": "m", "a.wav": "one"})
	f, first := opened(t, filepath.Join(dir, "menu.xml"))
	read := func() []byte {
		t.Helper()
		body, _, err := f.Read(resolve(t, first, "a.wav"))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	a, b := read(), read()
	if &a[0] != &b[0] {
		t.Error("read twice")
	}
	if err := os.WriteFile(filepath.Join(dir, "a.wav"), []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := string(read()); got != "another" {
		t.Errorf("got %q after the file changed", got)
	}
}

func TestTypesAndLimits(t *testing.T) {
	dir := folder(t, map[string]string{
		"full.xml":  strings.Repeat("x", maxDocument),
		"over.xml":  strings.Repeat("x", maxDocument+1),
		"BIG.WAV":   strings.Repeat("x", maxDocument+1),
		"words.txt": "hello", "agent.md": "---", "a.mp3": "x", "a.ogg": "x", "a.au": "x", "a.aiff": "x", "raw": "x",
	})
	f, first := opened(t, filepath.Join(dir, "full.xml"))
	for name, want := range map[string]string{
		"full.xml": "application/xml", "over.xml": "", "BIG.WAV": "audio/wav", "words.txt": "text/plain; charset=utf-8",
		"agent.md": "text/markdown; charset=utf-8", "a.mp3": "audio/mpeg", "a.ogg": "audio/ogg", "a.au": "audio/basic",
		"a.aiff": "audio/aiff", "raw": "application/octet-stream",
	} {
		if _, got, err := f.Read(resolve(t, first, name)); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestAdd(t *testing.T) {
	dir := folder(t, map[string]string{"index.xml": "index", "a b.xml": "odd", "empty/note.txt": ""})
	t.Chdir(dir)
	for _, c := range []struct{ name, flow, want, err string }{
		{"a relative file", "a b.xml", "file://" + dir + "/a%20b.xml", ""},
		{"a folder", ".", "file://" + dir + "/index.xml", ""},
		{"a folder without index.xml", "empty", "", "index.xml"},
		{"no such file", "none.xml", "", "none.xml"},
		{"an embedded flow", "embed:hello.xml", "embed:///hello.xml", ""},
		{"an embedded flow by URL", "embed:///menu.xml", "embed:///menu.xml", ""},
		{"no such embedded flow", "embed:none.xml", "", "there are ask-answer.xml, ask.xml, hello.xml"},
	} {
		f := new(Files)
		got, err := f.Add(c.flow)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %q, %v; want %q %s", c.name, got, err, c.want, c.err)
		}
		if err == nil {
			if body, _, err := f.Read(got); err != nil || len(body) == 0 {
				t.Errorf("%s: cannot be read: %v", c.name, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestEmbeddedFlowsLeadOnlyToEachOther(t *testing.T) {
	f := new(Files)
	for _, c := range []struct {
		ref  string
		want bool
	}{
		{"menu.xml", true}, {"../hello.xml", true}, {"flows.go", false}, {"/etc/hostname", false}, {"file:///etc/hostname", false},
	} {
		if _, _, err := f.Read(resolve(t, "embed:///hello.xml", c.ref)); (err == nil) != c.want {
			t.Errorf("%s: got %v, want found %v", c.ref, err, c.want)
		}
	}
}
