package runtime

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// params are the parameters of every request a call makes, in its dialect.
// extra, a verb's own, win over them.
func (c *call) params(extra url.Values) url.Values {
	f := url.Values{}
	set := func(name, value string) {
		if value != "" {
			f.Set(name, value)
		}
	}
	set("CallSid", c.rec.SID)
	set("AccountSid", c.rec.AccountSID)
	set("From", c.rec.From)
	set("To", c.rec.To)
	set("CallStatus", c.rec.Status)
	set("ForwardedFrom", c.set.Diversion)
	set("ParentCallSid", c.rec.ParentSID)
	if c.set.Dialect == texml.Twilio {
		set("ApiVersion", "2010-04-01")
		set("Direction", c.rec.Direction)
		set("Caller", c.rec.From)
		set("Called", c.rec.To)
		set("CallerName", c.set.CallerName)
		set("SipCallId", c.set.SIPCallID)
		set("SipSourceIp", c.set.SourceIP)
		if _, host, ok := strings.Cut(c.set.ToURI, "@"); ok {
			set("SipDomain", host)
		}
	} else {
		direction, _, _ := strings.Cut(c.rec.Direction, "-") // who placed it is not told
		set("Direction", direction)
		set("CallSidLegacy", c.rec.SID)
		set("ParentCallSidLegacy", c.rec.ParentSID)
		set("CallerId", c.rec.From)
		set("ConnectionId", connectionID(c.rec.AccountSID))
		set("FromSipUri", c.set.FromURI)
		set("ToSipUri", c.set.ToURI)
		set("CallingPartyType", callingParty(c.rec.From))
	}
	for name, values := range c.set.Headers {
		switch lower := strings.ToLower(name); {
		case len(values) == 0:
		case strings.HasPrefix(lower, "x-"):
			set("SipHeader_"+name, values[0])
		case lower == "user-to-user": // RFC 7433 spells it otherwise than Twilio
			set("SipHeader_User-To-User", values[0])
		}
	}
	for name, values := range extra {
		f[name] = values
	}
	return f
}

// callingParty is pstn for a telephone number and sip for anything else.
func callingParty(from string) string {
	if digits := strings.TrimPrefix(from, "+"); digits != "" && strings.Trim(digits, "0123456789") == "" {
		return "pstn"
	}
	return "sip"
}

// connectionID is the numeric name Telnyx gives an application: here a number
// that stays the same for an account.
func connectionID(account string) string {
	n, err := strconv.ParseUint(account[max(0, len(account)-15):], 16, 64)
	if err != nil {
		return "0"
	}
	return strconv.FormatUint(n, 10)
}

// event is one step of a call that status callbacks can be had for.
type event string

const (
	initiated event = "initiated"
	ringing   event = "ringing"
	answered  event = "answered"
	completed event = "completed"
)

// callback is the status callback owed for ev, or nothing when the call's
// owner did not ask for that one. now is when the event happened.
func (c *call) callback(ev event, now time.Time) []Callback {
	asked := c.set.StatusEvents
	if len(asked) == 0 {
		asked = []string{string(completed)}
	}
	to := c.set.StatusCallback
	if to.URL == "" || !slices.Contains(asked, string(ev)) {
		return nil
	}
	f := c.params(nil)
	if ev == initiated {
		f.Set("CallStatus", string(initiated))
	}
	f.Set("CallbackSource", "call-progress-events")
	f.Set("SequenceNumber", strconv.Itoa(c.sequence))
	c.sequence++
	if c.set.Dialect == texml.Twilio {
		f.Set("Timestamp", now.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700"))
	} else {
		f.Set("Timestamp", now.UTC().Format(time.RFC3339))
		f.Set("CallInitiatedAt", iso(c.rec.Created))
	}
	if (ev == answered || ev == completed) && c.verdict != nil {
		maps.Copy(f, answeredBy(*c.verdict))
	}
	switch ev {
	case answered:
		if c.set.Dialect == texml.Telnyx {
			f.Set("Codec", c.leg.Stream().Codec())
			f.Set("SamplingRate", strconv.Itoa(c.leg.Stream().Rate()))
		}
	case completed:
		c.completedParams(f)
	}
	return []Callback{{
		CallSID: c.rec.SID, AccountSID: c.rec.AccountSID,
		URL: to.URL, Method: method(to.Method), Form: f.Encode(),
		Token: c.s.NewID(""), Created: now, Due: now,
	}}
}

// completedParams adds what only the last callback of a call knows.
func (c *call) completedParams(f url.Values) {
	seconds := 0
	if !c.rec.Answered.IsZero() {
		seconds = int(c.rec.Ended.Sub(c.rec.Answered).Round(time.Second).Seconds())
	}
	f.Set("CallDuration", strconv.Itoa(seconds))
	if r := c.recorded; r != nil && r.Status == "completed" {
		f.Set("RecordingSid", r.SID)
		f.Set("RecordingDuration", wholeSeconds(r.Duration))
		if r.URL != "" {
			f.Set("RecordingUrl", r.URL)
		}
	}
	if c.set.Dialect == texml.Twilio {
		f.Set("Duration", strconv.Itoa((seconds+59)/60)) // begun minutes
		if c.sipStatus != 0 {
			f.Set("SipResponseCode", strconv.Itoa(c.sipStatus))
		}
		return
	}
	f.Set("HangupCause", c.rec.HangupCause)
	f.Set("HangupSource", c.rec.HangupSource)
	f.Set("EndTime", iso(c.rec.Ended))
	f.Set("OccurredAt", iso(c.rec.Ended))
	if !c.rec.Answered.IsZero() {
		f.Set("AnsweredTime", iso(c.rec.Answered))
	}
	if c.rec.ErrorCode != 0 {
		f.Set("ErrorCode", strconv.Itoa(c.rec.ErrorCode))
	}
	if c.rec.ErrorMessage != "" {
		f.Set("ErrorMessage", c.rec.ErrorMessage)
	}
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
