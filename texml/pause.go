package texml

import "time"

// Pause waits in silence.
type Pause struct {
	base
	Length time.Duration // 1 s if not written; 1 to 180 s in Telnyx
}

func pause(e *element) Node {
	return &Pause{e.base(), e.attr("length", 13910).seconds(1, 1, is(e, 180, many))}
}
