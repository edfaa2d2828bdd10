package local

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/ai"
)

// engine is one program that speaks.
type engine struct {
	name, path string
	// voice is the engine's own name of the voice for a person, "" when it
	// does not speak the language.
	voice func(ai.Person) string
	// args are the program's arguments: text comes by standard input, sound
	// goes to the file out. Only espeak-ng has a pitch, in percent above the
	// voice's own.
	args func(voice string, speed, pitch float64, out string) []string
	// text is what the engine is given of a text.
	text func(string) string
}

func same(text string) string { return text }

// ask runs an engine's list of voices.
func ask(path string, args ...string) (string, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	return string(out), err == nil
}

// findFlite finds flite, which speaks English with the voices that were built
// into it: slt (woman) and rms (man) are the clearest, kal16 and kal the
// smallest.
func findFlite() (engine, bool) {
	path, err := exec.LookPath("flite")
	if err != nil {
		return engine{}, false
	}
	out, ok := ask(path, "-lv")
	if !ok {
		return engine{}, false
	}
	voices := strings.Fields(out)
	first := func(names ...string) string {
		for _, name := range names {
			if slices.Contains(voices, name) {
				return name
			}
		}
		return names[len(names)-1]
	}
	woman, man := first("slt", "kal16", "kal"), first("rms", "kal16", "kal")
	return engine{
		name: "flite", path: path, text: plain,
		voice: func(p ai.Person) string {
			switch {
			case primary(p.Language) != "en":
				return ""
			case p.Male:
				return man
			}
			return woman
		},
		// Sound by a pipe is not an option: flite never ends when nobody
		// reads it.
		args: func(voice string, speed, _ float64, out string) []string {
			return []string{"-voice", voice, "--setf", fmt.Sprintf("duration_stretch=%.3f", 1/speed), "-o", out}
		},
	}, true
}

// findEspeak finds espeak-ng, which speaks some hundred languages.
func findEspeak() (engine, bool) {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		return engine{}, false
	}
	out, ok := ask(path, "--voices")
	if !ok {
		return engine{}, false
	}
	languages := map[string]bool{}
	for line := range strings.Lines(out) {
		// The second column is the language; the first line names the columns.
		if f := strings.Fields(line); len(f) > 4 && !strings.HasPrefix(f[4], "mb/") {
			languages[strings.ToLower(f[1])] = true
		}
	}
	return engine{
		name: "espeak-ng", path: path, text: same,
		voice: func(p ai.Person) string {
			variant := "+f3"
			if p.Male {
				variant = "+m3"
			}
			for _, l := range []string{p.Language, espeakNames[p.Language], regional(p.Language), primary(p.Language), espeakNames[primary(p.Language)]} {
				if languages[l] {
					return l + variant
				}
			}
			return ""
		},
		args: func(voice string, speed, pitch float64, out string) []string {
			args := []string{"--stdin", "-v", voice, "-s", fmt.Sprintf("%.0f", 175*speed)}
			if pitch != 0 { // of 0 to 99, 50 is the voice's own
				args = append(args, "-p", fmt.Sprintf("%.0f", min(99, max(0, 50+pitch/2))))
			}
			return append(args, "-w", out)
		},
	}, true
}

// primary is the language of a tag without its region.
func primary(language string) string {
	p, _, _ := strings.Cut(language, "-")
	return p
}

// espeakNames are the languages that espeak-ng calls otherwise.
var espeakNames = map[string]string{"zh": "cmn", "zh-hk": "yue", "arb": "ar", "no": "nb", "iw": "he"}

// regional is the voice for American Spanish.
func regional(language string) string {
	if primary(language) == "es" && language != "es-es" && language != "es" {
		return "es-419"
	}
	return ""
}

// findSay finds the say of macOS; programs of that name elsewhere are others.
func findSay() (engine, bool) {
	if runtime.GOOS != "darwin" {
		return engine{}, false
	}
	path, err := exec.LookPath("say")
	if err != nil {
		return engine{}, false
	}
	out, ok := ask(path, "-v", "?")
	if !ok {
		return engine{}, false
	}
	voices := sayVoices(out)
	return engine{
		name: "say", path: path, text: same,
		voice: func(p ai.Person) string { return sayVoice(voices, p) },
		args: func(voice string, speed, _ float64, out string) []string {
			return []string{"-v", voice, "-r", fmt.Sprintf("%.0f", 175*speed), "-f", "-", "-o", out, "--file-format=WAVE", "--data-format=LEI16@22050"}
		},
	}, true
}

// sayVoices reads the lines of "say -v ?" ("Anna   de_DE   # Hallo!") as pairs
// of name and language.
func sayVoices(list string) (voices [][2]string) {
	for line := range strings.Lines(list) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if n := len(f) - 1; n > 0 {
			voices = append(voices, [2]string{strings.Join(f[:n], " "), strings.ToLower(strings.ReplaceAll(f[n], "_", "-"))})
		}
	}
	return voices
}

// sayMen are the men among the voices of macOS.
var sayMen = []string{"Alex", "Daniel", "Fred", "Thomas", "Jorge", "Juan", "Diego", "Luca", "Xander", "Maged", "Yuri", "Rishi", "Aaron", "Reed", "Rocko", "Eddy", "Grandpa", "Ralph", "Albert", "Junior"}

// sayVoice is the first voice of the language and the sex, else the first of
// the language, else of its primary language.
func sayVoice(voices [][2]string, p ai.Person) string {
	for _, matches := range []func(name, language string) bool{
		func(n, l string) bool { return l == p.Language && slices.Contains(sayMen, n) == p.Male },
		func(n, l string) bool {
			return primary(l) == primary(p.Language) && slices.Contains(sayMen, n) == p.Male
		},
		func(n, l string) bool { return primary(l) == primary(p.Language) },
	} {
		for _, v := range voices {
			if matches(v[0], v[1]) {
				return v[0]
			}
		}
	}
	return ""
}
