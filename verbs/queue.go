package verbs

import (
	"net/url"
	"strconv"
	"time"
)

// Dequeued is a caller that was taken from a queue.
type Dequeued struct {
	Result   string // as QueueResult has it
	SID      string // of the queue
	CallSID  string
	Waited   time.Duration
	Duration time.Duration // together
}

// addTo adds it to what the action of <Dial> is told.
func (d *Dequeued) addTo(f url.Values) {
	f.Set("DequeueResult", d.Result)
	f.Set("QueueSid", d.SID)
	if d.CallSID == "" {
		return
	}
	f.Set("DequeuedCallSid", d.CallSID)
	f.Set("DequeuedCallQueueTime", strconv.Itoa(int(d.Waited.Seconds())))
	f.Set("DequeuedCallDuration", strconv.Itoa(int(d.Duration.Seconds())))
}
