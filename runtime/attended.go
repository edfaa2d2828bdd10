package runtime

import (
	"context"
	"strings"
	"sync"
)

// bridges are the conversations of <Dial> under way, by the dialog of the caller
// in them. An attended transfer names that dialog (RFC 3891 §3): whoever moves a
// call has asked somebody first, over another call through this server.
type bridges struct {
	mu sync.Mutex
	of map[bridgeName]*bridge
}

type bridgeName struct{ account, callID string }

// bridge is a conversation whose called side may be handed to another one.
type bridge struct {
	part func(cause error) // nil while the two are not together
	over chan struct{}     // closed when nothing is handed over any more
}

// handover is the end of a conversation whose called side goes on in another.
type handover struct {
	to   chan *attempt
	gone chan struct{} // closed when nobody takes it any more
}

func (*handover) Error() string { return "the called side was joined to somebody else" }

// open makes a conversation known; shut ends that.
func (b *bridges) open(name bridgeName) (shut func()) {
	br := &bridge{over: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of[name] = br
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.of[name] == br {
			delete(b.of, name)
		}
		close(br.over)
	}
}

// together notes what parts the two of a conversation, nil when they are apart.
func (b *bridges) together(name bridgeName, part func(cause error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if br := b.of[name]; br != nil {
		br.part = part
	}
}

// take parts a conversation and returns its called side, nil when there is none.
func (b *bridges) take(ctx context.Context, name bridgeName) *attempt {
	b.mu.Lock()
	br := b.of[name]
	if br == nil || br.part == nil {
		b.mu.Unlock()
		return nil
	}
	part := br.part
	b.mu.Unlock()
	h := &handover{to: make(chan *attempt), gone: make(chan struct{})}
	defer close(h.gone)
	part(h)
	select {
	case a := <-h.to:
		return a
	case <-br.over:
	case <-ctx.Done():
	}
	return nil
}

// give hands a over, and reports whether somebody has taken it.
func (h *handover) give(a *attempt) bool {
	select {
	case h.to <- a:
		return true
	case <-h.gone:
		return false
	}
}

// bridge is the name of this call's conversation.
func (c *call) bridge() bridgeName { return bridgeName{c.rec.AccountSID, c.rec.SIPCallID} }

// consulted takes the one whom the called side has asked before it moves the
// call, when that was over a call through this server.
func (dl *dialing) consulted(ctx context.Context, uri string) *attempt {
	replaces, ok := replacesOf(uri)
	callID, _, _ := strings.Cut(replaces, ";")
	name := bridgeName{dl.rec.AccountSID, callID}
	if !ok || name == dl.bridge() {
		return nil
	}
	a := dl.s.bridges.take(ctx, name)
	if a != nil {
		a.target = target{node: dl.d, sip: true}
	}
	return a
}
