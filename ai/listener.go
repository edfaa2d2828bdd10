package ai

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookswitch/hookswitch/media/pcm"
)

// ListenerConfig is what a [Listener] listens with.
type ListenerConfig struct {
	// Ears are all providers. Those that are not Aside are the chain that
	// speech falls back along, the first first.
	Ears    []NamedASR
	Observe func(Latency) // nil: nobody; it must not block
}

// NamedASR is one provider that understands speech.
type NamedASR struct {
	Name  string // as configured
	Kind  string // openai, openai-realtime, deepgram, telnyx
	ASR   ASR
	Aside bool // it listens only for documents whose engine leads to it
}

// Listener is the [ASR] of a server. It finds the provider that a document's
// engine asks for, and goes on with the next one when that fails: what was said
// since the last final result is kept, at most 30 seconds of it, and heard
// again by the next one, so that no speech is lost. It is safe for concurrent
// use.
type Listener struct {
	ears    []*ear
	observe func(Latency)
}

// ear is a provider and how it does.
type ear struct {
	NamedASR
	health health
}

// NewListener is the Listener of a configuration.
func NewListener(c ListenerConfig) *Listener {
	l := &Listener{observe: c.Observe}
	if l.observe == nil {
		l.observe = func(Latency) {}
	}
	for _, e := range c.Ears {
		l.ears = append(l.ears, &ear{NamedASR: e})
	}
	return l
}

// telnyxEngines are those that Telnyx resells, beside its own.
var telnyxEngines = []string{"telnyx", "deepgram", "google", "azure", "xai", "assemblyai", "soniox", "speechmatics", "parakeet", "humain", "reson8", "cohere"}

// Has reports whether engine leads to a provider that is configured, or is "".
func (l *Listener) Has(engine string) bool {
	engine, _ = engineOf(Hearing{Engine: engine})
	return engine == "" || slices.ContainsFunc(l.ears, func(e *ear) bool { return e.answers(engine) > 0 })
}

// answers tells how well e fits an engine: 3 by its name, 2 by its kind, 1 as
// one that resells it, 0 not at all.
func (e *ear) answers(engine string) int {
	engine = strings.ToLower(engine)
	switch {
	case engine == "":
		return 0
	case strings.EqualFold(e.Name, engine):
		return 3
	case engine == e.Kind, engine == "whisper" && e.Kind == "openai":
		return 2
	case e.Kind == "telnyx" && slices.Contains(telnyxEngines, engine):
		return 1
	}
	return 0
}

// chain is who may hear h, the best first.
func (l *Listener) chain(h Hearing) []*ear {
	engine, _ := engineOf(h)
	var first *ear
	best := 0
	for _, e := range l.ears {
		if fits := e.answers(engine); fits > best {
			first, best = e, fits
		}
	}
	var chain []*ear
	if first != nil {
		chain = append(chain, first)
	}
	for _, e := range l.ears {
		if e != first && !e.Aside {
			chain = append(chain, e)
		}
	}
	return chain
}

// engineOf reads the engine that a model names: deepgram/nova-3 (Telnyx),
// deepgram_nova-3 and googlev2_telephony (Twilio), and the model without it. A
// and B are the old names in TeXML.
func engineOf(h Hearing) (engine, model string) {
	switch strings.ToUpper(h.Engine) {
	case "A":
		h.Engine = "Google"
	case "B":
		h.Engine = "Telnyx"
	}
	for _, cut := range []string{"/", "_"} {
		vendor, rest, ok := strings.Cut(h.Model, cut)
		if vendor = strings.ToLower(vendor); vendor == "googlev2" {
			vendor = "google"
		}
		if ok && (slices.Contains(telnyxEngines, vendor) || vendor == "openai") {
			if h.Engine != "" {
				vendor = h.Engine
			}
			return vendor, rest
		}
	}
	return h.Engine, h.Model
}

// hearing is h as e is given it: engine and model only if they are meant for it.
func (e *ear) hearing(h Hearing) Hearing {
	engine, model := engineOf(h)
	fits := e.answers(engine)
	if strings.HasPrefix(e.Kind, "openai") {
		h.Model = model // without the maker, which Telnyx writes
	}
	reads := engine == "" && (e.Kind == "deepgram" || e.Kind == "telnyx") // they tell their models from others
	if fits == 0 && !reads {
		h.Model, h.Region = "", ""
	}
	h.Engine = ""
	if e.Kind == "telnyx" && slices.Contains(telnyxEngines, strings.ToLower(engine)) {
		h.Engine = engine
	}
	return h
}

// Hear yields what is said in sound as [ASR] says. Times of results count from
// the beginning of sound, whoever understood it.
func (l *Listener) Hear(ctx context.Context, h Hearing, sound <-chan pcm.Frame) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		chain := l.chain(h)
		if len(chain) == 0 {
			yield(Result{}, &Error{Provider: "speech", Kind: Unavailable, Msg: "no provider understands speech", Fix: "name one under ai.asr"})
			return
		}
		var recording sync.WaitGroup
		defer recording.Wait()
		ctx, stop := context.WithCancel(ctx)
		defer stop() // runs before Wait
		t := newTape(20 * time.Millisecond)
		recording.Go(func() { t.record(ctx, sound) })

		var failed error
		unable := make(map[*ear]bool) // whoever cannot understand this at all
		for at := 0; ; at++ {
			e, why := nextEar(chain, unable, at)
			if e == nil {
				if failed == nil {
					failed = why
				}
				yield(Result{}, failed)
				return
			}
			at = slices.Index(chain, e)
			more, err := l.listen(ctx, e, e.hearing(h), t, yield)
			switch {
			case ctx.Err() != nil && more:
				yield(Result{}, context.Cause(ctx))
				return
			case err == nil:
				return
			}
			failed = err
			fault, ok := errors.AsType[*Error](err)
			unable[e] = !ok || fault.Kind == Content || fault.Kind == Unsupported
		}
	}
}

// nextEar is the first of chain, from number at on and then round, that can be
// asked now.
func nextEar(chain []*ear, unable map[*ear]bool, at int) (*ear, error) {
	var failed error
	for i := range chain {
		e := chain[(at+i)%len(chain)]
		if unable[e] {
			continue
		}
		ok, why := e.health.take()
		if ok {
			return e, nil
		}
		failed = why
	}
	return nil, failed
}

// listen lets e hear the tape and yields what it understands. It returns the
// error with which e failed; nil when there is nothing more to hear, or nobody
// wants it any more: then more is false.
func (l *Listener) listen(ctx context.Context, e *ear, h Hearing, t *tape, yield func(Result, error) bool) (more bool, err error) {
	var playing sync.WaitGroup
	defer playing.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop() // runs before Wait
	from := t.start()
	offset := time.Duration(from) * t.frame
	var heard atomic.Int64 // number of the frame after the last one given
	var whole atomic.Bool  // all of the sound was given
	sound := make(chan pcm.Frame)
	playing.Go(func() {
		defer close(sound)
		for n := from; ; n++ {
			f, at, ok := t.next(ctx, n)
			if !ok {
				whole.Store(ctx.Err() == nil)
				return
			}
			// Frames that are not on the tape any more were silence, or too
			// many; the times of results must not know.
			for ; n < at; n++ {
				select {
				case sound <- make(pcm.Frame, len(f)):
				case <-ctx.Done():
					return
				}
			}
			select {
			case sound <- f:
				heard.Store(int64(n + 1))
			case <-ctx.Done():
				return
			}
		}
	})
	began := time.Now()
	measured := Latency{Provider: e.Name, Kind: "asr"}
	defer func() {
		measured.Total, measured.Err = time.Since(began), err
		tell(ctx, l.observe, measured)
	}()
	for r, err := range e.ASR.Hear(ctx, h, sound) {
		switch {
		case err != nil && ctx.Err() != nil:
			return true, nil
		case err != nil:
			e.health.failed(err)
			return true, err
		}
		if measured.First == 0 {
			measured.First = time.Since(began)
		}
		r.shift(offset)
		if r.Final {
			e.health.worked()
			t.understood(r.end(), int(heard.Load()))
		}
		if !yield(r, nil) {
			return false, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return true, nil
	case !whole.Load():
		err = &Error{Provider: e.Name, Kind: Unavailable, Msg: "it stopped listening before the end"}
		e.health.failed(err)
		return true, err
	}
	e.health.worked()
	return true, nil
}

// shift moves a result to a later place in the sound.
func (r *Result) shift(by time.Duration) {
	if by == 0 {
		return
	}
	if r.end() > 0 {
		r.Began += by
		r.Ended = r.end() + by
	}
	r.Words = slices.Clone(r.Words)
	for i := range r.Words {
		if r.Words[i].Ended > 0 {
			r.Words[i].Began += by
			r.Words[i].Ended += by
		}
	}
}

// end is where a result ends; 0: not known.
func (r *Result) end() time.Duration {
	if r.Ended == 0 && len(r.Words) > 0 {
		return r.Words[len(r.Words)-1].Ended
	}
	return r.Ended
}
