package texml

import "time"

// Task is what Twilio's TaskRouter gets to know of a queued call.
type Task struct {
	base
	Attributes string // JSON
	Priority   int
	Timeout    time.Duration
}

func task(e *element) Node {
	e.unsupported(12200, "write the name of a queue as the text of <Enqueue>")
	return &Task{e.base(), e.content(), e.attr("priority", 14222).whole(0, 0, many), e.attr("timeout", 14223).seconds(0, 0, many)}
}
