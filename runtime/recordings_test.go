package runtime

import (
	"net/url"
	"testing"
	"time"
)

func TestWhatARecordingOwes(t *testing.T) {
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const of, telnyx = "RecordingUrl=http%3A%2F%2Fme%2Fx", "RecordingUrl=http%3A%2F%2Fme%2Fx&CallSidLegacy=CA1&ConnectionId=7"
	twilio := "&RecordingChannels=2&RecordingSid=RE1&RecordingSource=RecordVerb&RecordingStartTime=Sun%2C+1+Mar+2026+12%3A00%3A00+%2B0000"
	for _, c := range []struct {
		name   string
		to     RecordingCallback
		change func(*RecordingRecord)
		want   string // "" is nothing
	}{
		{"nobody to tell", RecordingCallback{}, nil, ""},
		{"completed unless said otherwise", RecordingCallback{URL: "http://a", Form: of}, nil,
			"AccountSid=AC1&CallSid=CA1&RecordingChannels=2&RecordingDuration=2&RecordingSid=RE1&RecordingSource=RecordVerb" +
				"&RecordingStartTime=Sun%2C+1+Mar+2026+12%3A00%3A00+%2B0000&RecordingStatus=completed&RecordingTrack=both&" + of},
		{"completed in Telnyx's words", RecordingCallback{URL: "http://a", Form: telnyx}, nil,
			"AccountSid=AC1&CallSid=CA1&CallSidLegacy=CA1&ConnectionId=7&RecordingChannels=2&RecordingDuration=2&RecordingSid=RE1" +
				"&RecordingSource=RecordVerb&RecordingStatus=completed&" + of},
		{"no URL of what is not there in Telnyx's words", RecordingCallback{URL: "http://a", Form: telnyx, Events: "in-progress"},
			func(r *RecordingRecord) { r.Status = "in-progress" },
			"AccountSid=AC1&CallSid=CA1&CallSidLegacy=CA1&ConnectionId=7&RecordingChannels=2&RecordingSid=RE1" +
				"&RecordingSource=RecordVerb&RecordingStatus=in-progress"},
		{"a start that was not asked for", RecordingCallback{URL: "http://a"},
			func(r *RecordingRecord) { r.Status = "in-progress" }, ""},
		{"an absent one that was not asked for", RecordingCallback{URL: "http://a"},
			func(r *RecordingRecord) { r.Status = "absent" }, ""},
		{"an absent one", RecordingCallback{URL: "http://a", Events: "completed absent"},
			func(r *RecordingRecord) { r.Status = "absent" },
			"AccountSid=AC1&CallSid=CA1" + twilio + "&RecordingStatus=absent&RecordingTrack=both"},
		{"a failed one to who waits for its end", RecordingCallback{URL: "http://a"},
			func(r *RecordingRecord) { r.Status, r.ErrorCode = "failed", 16101 },
			"AccountSid=AC1&CallSid=CA1&ErrorCode=16101" + twilio + "&RecordingStatus=failed&RecordingTrack=both"},
		{"a pause", RecordingCallback{URL: "http://a", Events: "in-progress completed absent"},
			func(r *RecordingRecord) { r.Status = "paused" }, ""},
		{"of a conference", RecordingCallback{URL: "http://a", Events: "absent"},
			func(r *RecordingRecord) { r.Status, r.CallSID, r.ConferenceSID = "absent", "", "CF1" },
			"AccountSid=AC1&ConferenceSid=CF1" + twilio + "&RecordingStatus=absent&RecordingTrack=both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := RecordingRecord{
				SID: "RE1", AccountSID: "AC1", CallSID: "CA1", Source: "RecordVerb", Track: "both", Channels: 2,
				Status: "completed", Started: started, Duration: 1600 * time.Millisecond, Callback: c.to,
			}
			if c.change != nil {
				c.change(&r)
			}
			now := started.Add(time.Minute)
			owed := r.Owed(now, "token")
			if c.want == "" {
				if len(owed) != 0 {
					t.Errorf("got %+v, want nothing", owed)
				}
				return
			}
			if len(owed) != 1 {
				t.Fatalf("got %d callbacks, want 1", len(owed))
			}
			want, err := url.ParseQuery(c.want)
			if err != nil {
				t.Fatal(err)
			}
			got := owed[0]
			if got.Form != want.Encode() {
				t.Errorf("got  %s\nwant %s", got.Form, want.Encode())
			}
			if got.Method != "POST" || got.URL != "http://a" || got.Token != "token" || got.Created != now || got.Due != now || got.AccountSID != "AC1" {
				t.Errorf("got %+v", got)
			}
			if got.CallSID != r.CallSID && got.CallSID != r.ConferenceSID {
				t.Errorf("got the queue of %q", got.CallSID)
			}
		})
	}
}
