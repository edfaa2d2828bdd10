package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hookswitch/hookswitch/"

// arrows are the rooms each room may import, beside itself. A name ending in
// /... is a room with all below it.
var arrows = map[string][]string{
	"texml":            {},
	"verbs":            {"texml"},
	"flows":            {"texml"},
	"media/pcm":        {},
	"media":            {"media/..."},
	"ai":               {"media/pcm", "media/wav"},
	"runtime/stream":   {"media/pcm", "media/g711", "media/g722", "media/opus"},
	"runtime/webhook":  {},
	"runtime/sip":      {"media/..."},
	"runtime/store":    {"runtime", "media/recording"},
	"runtime/api":      {"runtime"},
	"runtime/outbound": {},
	"runtime/calltest": {"runtime", "runtime/store", "runtime/webhook", "texml", "media/...", "ai"},
	"runtime":          {"verbs", "texml", "media/...", "ai", "runtime/webhook", "runtime/stream"},
	"cmd":              {"..."},
}

// homes are the modules that live in one room only, and their rooms.
var homes = map[string][]string{
	"github.com/beevik/etree":           {"texml"},
	"github.com/emiago/sipgo":           {"runtime/sip"},
	"github.com/icholy/digest":          {"runtime/sip"},
	"github.com/pion/rtp":               {"media", "runtime/calltest"},
	"github.com/pion/rtcp":              {"media"},
	"github.com/labstack/echo":          {"runtime/api"},
	"github.com/sashabaranov/go-openai": {"ai/openai"},
	"github.com/coder/websocket":        {"ai", "runtime/webhook", "cmd"}, // of cmd: the server that bench calls
	"github.com/gotranspile/g722":       {"media/g722"},
	"github.com/thesyncim/gopus":        {"media/opus"},
	"gopkg.in/yaml.v3":                  {"cmd", "ai"},
	"modernc.org/sqlite":                {"runtime/store"},
	"code.dny.dev/ssrf":                 {"runtime/webhook"},
	"github.com/hajimehoshi/go-mp3":     {"media/audio"},
	"github.com/jfreymuth/oggvorbis":    {"media/audio"},
	"golang.org/x/sys":                  {"media", "runtime/sip"},
	"golang.org/x/tools":                {"runtime/calltest", "cmd"},
	"testing":                           {"runtime/calltest", "cmd"},
}

// TestArrows holds the house together: no room imports one it may not know, and
// each library stays where it lives.
func TestArrows(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if room, ok := strings.CutPrefix(imported, module); ok && !mayImport(pkg, room) {
				t.Errorf("%s imports %s; its arrows are %v", file, room, arrows[room0(pkg)])
			}
			for lib, rooms := range homes {
				if (imported == lib || strings.HasPrefix(imported, lib+"/")) && !livesIn(pkg, rooms) {
					t.Errorf("%s imports %s, which lives in %v only", file, imported, rooms)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("saw %d files; the walk went wrong", seen)
	}
}

// room0 is the nearest room of a package that has arrows of its own.
func room0(pkg string) string {
	for pkg != "." && pkg != "/" {
		if _, ok := arrows[pkg]; ok {
			return pkg
		}
		pkg = path.Dir(pkg)
	}
	return ""
}

func mayImport(pkg, room string) bool {
	home := room0(pkg)
	if home == room || strings.HasPrefix(room, home+"/") && home != "runtime" && home != "media" {
		return true
	}
	return slices.ContainsFunc(arrows[home], func(a string) bool {
		below, all := strings.CutSuffix(a, "...")
		return a == room || all && (strings.HasPrefix(room, below) || room+"/" == below)
	})
}

func livesIn(pkg string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return pkg == r || strings.HasPrefix(pkg, r+"/") })
}

// TestOneNameThreeFiles: what a verb says, does and sounds like are found under
// its name.
func TestOneNameThreeFiles(t *testing.T) {
	files, err := filepath.Glob("../../verbs/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no verbs found", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		// A verb of more than one file has its name before the underscore.
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".go"), "_")
		if name == "verbs" {
			continue
		}
		for _, pattern := range []string{"../../texml/" + name + ".go", "../../testdata/calls/" + name + "_*.txtar"} {
			if found, _ := filepath.Glob(pattern); len(found) == 0 {
				t.Errorf("verbs/%s.go has no %s beside it", name, strings.TrimPrefix(pattern, "../../"))
			}
		}
	}
}
