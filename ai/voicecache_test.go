package ai

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
	"github.com/hookswitch/hookswitch/media/wav"
)

func openCache(t *testing.T, c VoiceCacheConfig) *VoiceCache {
	t.Helper()
	v, err := OpenVoiceCache(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ramp is a sound of n samples, which tells where it begins.
func ramp(from, n int) pcm.Clip {
	c := pcm.Clip{Rate: 8000}
	for i := range n {
		c.Samples = append(c.Samples, int16(from+i))
	}
	return c
}

func key(name string) soundKey { return newKey([]byte(name)) }

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCacheOutlivesTheProgram(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "voices")
	openCache(t, VoiceCacheConfig{Folder: dir, Disk: 1 << 20}).put(key("a"), ramp(0, 100))
	got, ok := openCache(t, VoiceCacheConfig{Folder: dir, Disk: 1 << 20}).get(key("a"))
	if !ok || !slices.Equal(got, ramp(0, 100).Samples) {
		t.Errorf("%d samples, %v", len(got), ok)
	}
	body, err := os.ReadFile(filepath.Join(dir, key("a").file()))
	if err != nil {
		t.Fatal(err)
	}
	if clip, err := wav.Decode(body); err != nil || clip.Rate != 8000 {
		t.Errorf("the file has %d Hz, %v", clip.Rate, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v; others may read it", info.Mode(), err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	file := int64(len(wav.Encode(ramp(0, 100))))
	c := VoiceCacheConfig{Folder: dir, Disk: 3 * file, Memory: 2 * 200}
	v := openCache(t, c)
	for _, name := range []string{"a", "b", "c"} {
		v.put(key(name), ramp(0, 100))
	}
	v.get(key("a")) // from disk; b is now the one not used for longest
	v.put(key("d"), ramp(0, 100))
	v.put(key("large"), ramp(0, 1000))
	for name, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true, "large": false} {
		if _, err := os.Stat(filepath.Join(dir, key(name).file())); (err == nil) != want {
			t.Errorf("%s on disk: %v, want %v", name, err == nil, want)
		}
	}
	if v.memory.held > c.Memory || v.disk.held > c.Disk {
		t.Errorf("%d bytes in memory and %d on disk", v.memory.held, v.disk.held)
	}
	// After a start, the order of use is that of the files' times.
	for i, name := range []string{"d", "a", "c"} {
		at := time.Now().Add(time.Duration(i-10) * time.Minute)
		if err := os.Chtimes(filepath.Join(dir, key(name).file()), at, at); err != nil {
			t.Fatal(err)
		}
	}
	c.Disk = 2 * file
	openCache(t, c)
	want := []string{key("a").file(), key("c").file()}
	slices.Sort(want)
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("after a start with less room: %v, want a and c", got)
	}
}

func TestCacheDropsWhatIsNoSound(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, key("a").file())
	for _, body := range []string{"", "RIFF", strings.Repeat("x", 1000), string(wav.Encode(pcm.Clip{Rate: 8000}))} {
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		v := openCache(t, VoiceCacheConfig{Folder: dir, Disk: 1 << 20})
		if _, ok := v.get(key("a")); ok {
			t.Errorf("%.10q is a sound", body)
		}
		if got := files(t, dir); len(got) > 0 || v.disk.held != 0 {
			t.Errorf("%.10q is still there: %v, %d bytes", body, got, v.disk.held)
		}
	}
}

func TestCacheClearsUpAfterACrash(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{"old.part": 2 * time.Hour, "new.part": 0, "notes.txt": 2 * time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	openCache(t, VoiceCacheConfig{Folder: dir, Disk: 1 << 20})
	if got := files(t, dir); !slices.Equal(got, []string{"new.part", "notes.txt"}) {
		t.Errorf("%v, want what may still be written, and what is not ours", got)
	}
}

func cachedSpeaker(t *testing.T, voices ...*scripted) *Speaker {
	s := speaker(nil, voices...)
	s.cache = openCache(t, VoiceCacheConfig{})
	return s
}

func TestEqualTextsAreVoicedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &scripted{wait: 300 * time.Millisecond, between: time.Second}
		s := cachedSpeaker(t, v)
		got := make(chan string)
		for i := range 3 { // the others come while the first is under way
			time.AfterFunc(time.Duration(i)*500*time.Millisecond, func() {
				text, err := heard(t.Context(), s, Speech{Text: "Hello, all of you."})
				if err != nil {
					t.Error(err)
				}
				got <- text
			})
		}
		for range 3 {
			if text := <-got; text != "[1]Hello, all of you." {
				t.Errorf("heard %q", text)
			}
		}
		if again, err := heard(t.Context(), s, Speech{Text: "Hello, all of you."}); err != nil || again != "[1]Hello, all of you." {
			t.Errorf("%q, %v from the cache", again, err)
		}
		if len(v.asked) != 1 {
			t.Errorf("voiced %d times", len(v.asked))
		}
		for _, other := range []Speech{{Text: "Hello, all of you!"}, {Text: "Hello, all of you.", Rate: 2}, {Text: "Hello, all of you.", Voice: "man"}, {Text: "Hello, all of you.", Language: "de"}, {Text: "Hello, all of you.", Pitch: 5}} {
			before := len(v.asked)
			if _, err := heard(t.Context(), s, other); err != nil || len(v.asked) != before+1 {
				t.Errorf("%+v came from the cache (%v)", other, err)
			}
		}
	})
}

func TestOneListenerLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &scripted{between: time.Second}
		s := cachedSpeaker(t, v)
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, hangUp)
		first := make(chan error)
		go func() {
			_, err := heard(ctx, s, Speech{Text: "Hello, all of you."})
			first <- err
		}()
		synctest.Wait()
		second, err := heard(t.Context(), s, Speech{Text: "Hello, all of you."})
		if err != nil || second != "[1]Hello, all of you." || <-first == nil {
			t.Errorf("the second heard %q, %v", second, err)
		}
		if len(v.asked) != 1 {
			t.Errorf("voiced %d times", len(v.asked))
		}
	})
}

func TestWhatNobodyHearsIsNotVoicedNorKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &scripted{between: time.Minute}
		s := cachedSpeaker(t, v)
		began := time.Now()
		for range s.Speak(t.Context(), Speech{Text: "Hello, all of you."}, 8000) {
			break
		}
		if took := time.Since(began); took != 0 || len(v.ended) != 1 || v.ended[0] == nil {
			t.Errorf("the voice has ended %v after %v, want at once", v.ended, took)
		}
		v.between = 0
		if got, err := heard(t.Context(), s, Speech{Text: "Hello, all of you."}); err != nil || got != "[1]Hello, all of you." {
			t.Errorf("%q, %v", got, err)
		}
		if len(v.asked) != 2 {
			t.Errorf("voiced %d times, want a part not to be kept", len(v.asked))
		}
	})
}

func TestWhatTwoVoicesSaidIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := &scripted{fails: always(1, fault(Unavailable))}, &scripted{}
		s := cachedSpeaker(t, bad, good)
		for range 2 {
			if _, err := heard(t.Context(), s, Speech{Text: "Hello, all of you."}); err != nil {
				t.Fatal(err)
			}
		}
		if len(bad.asked) != 2 {
			t.Errorf("the first was asked %d times, want each time", len(bad.asked))
		}
	})
}

func TestASecondChoiceIsKeptForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := &scripted{fails: always(0, fault(Auth))}, &scripted{}
		s := cachedSpeaker(t, bad, good)
		for range 2 { // the second time while the first is left alone
			if got, err := heard(t.Context(), s, Speech{Text: "Hello."}); err != nil || got != "[2]Hello." {
				t.Fatal(got, err)
			}
		}
		if len(good.asked) != 1 {
			t.Errorf("the second was asked %d times, want its sound kept", len(good.asked))
		}
		bad.fails = nil
		time.Sleep(5 * time.Minute)
		if got, _ := heard(t.Context(), s, Speech{Text: "Hello."}); got != "[1]Hello." {
			t.Errorf("%q, want the first again", got)
		}
	})
}

func TestCachedFramesAreTheConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cachedSpeaker(t, &scripted{})
		for range 2 {
			for f := range s.Speak(t.Context(), Speech{Text: "Hello."}, 8000) {
				clear(f)
			}
		}
		if got, _ := heard(t.Context(), s, Speech{Text: "Hello."}); got != "[1]Hello." {
			t.Errorf("%q after others wrote into it", got)
		}
	})
}
