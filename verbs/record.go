package verbs

import (
	"net/url"
	"time"
)

// Recorded is a recording that is over.
type Recorded struct {
	SID      string
	URL      string // "" when it may not be told
	Status   string // completed, absent or failed
	Duration time.Duration
	Digits   string // the key that ended it, or hangup
}

// addTo adds the recording to what an action is told.
func (r *Recorded) addTo(f url.Values) {
	f.Set("RecordingSid", r.SID)
	if r.URL != "" {
		f.Set("RecordingUrl", r.URL)
	}
	f.Set("RecordingDuration", seconds(r.Duration))
	f.Set("RecordingStatus", r.Status)
}
