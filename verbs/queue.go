package verbs

import (
	"net/url"
	"strconv"
	"time"
)

// Dequeued is a caller that was taken from a queue by <Dial>.
type Dequeued struct {
	Result   string // bridged, queue-empty, hangup or error
	SID      string // of the queue, "" when there is none of that name
	CallSID  string // of the caller
	Waited   time.Duration
	Duration time.Duration // together
}

// addTo adds it to what the action of <Dial> is told.
func (d *Dequeued) addTo(f url.Values) {
	f.Set("DequeueResult", d.Result)
	if d.SID != "" {
		f.Set("QueueSid", d.SID)
	}
	if d.CallSID != "" {
		f.Set("DequeuedCallSid", d.CallSID)
		f.Set("DequeuedCallQueueTime", seconds(d.Waited))
		f.Set("DequeuedCallDuration", seconds(d.Duration))
	}
}

// seconds are whole seconds, the way callbacks have them.
func seconds(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Second).Seconds())) }
