package runtime

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// notices makes the status callbacks of a conference. They are numbered from 1
// and are delivered in that order, whoever's call caused them. All methods may
// be called on nil, which has none.
type notices struct {
	conf     *conference
	dialect  texml.Dialect
	to       Request
	events   []string
	sequence int
}

// newNotices are those the first participant asks for; nil when it asks for none.
func newNotices(c *conference, first Participant) *notices {
	if first.Callback.URL == "" || len(first.Events) == 0 {
		return nil
	}
	return &notices{conf: c, dialect: first.Dialect, to: first.Callback, events: first.Events}
}

// asked reports whether somebody wants to know of event.
func (n *notices) asked(event string) bool { return n != nil && slices.Contains(n.events, event) }

// of tells that something happened to a participant, who is also named where the
// news is of the whole conference and the dialect has it so. pairs are further
// parameters; those with an empty value are left out.
func (n *notices) of(event, what string, s *seat, pairs ...string) []Callback {
	if !n.asked(event) {
		return nil
	}
	now := time.Now()
	n.sequence++
	f := url.Values{
		"AccountSid":          {n.conf.name.Account},
		"ConferenceSid":       {n.conf.sid},
		"FriendlyName":        {n.conf.name.Name},
		"SequenceNumber":      {strconv.Itoa(n.sequence)},
		"StatusCallbackEvent": {what},
	}
	add := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] != "" {
				f.Set(pairs[i], pairs[i+1])
			}
		}
	}
	if n.dialect == texml.Telnyx {
		f.Set("Timestamp", iso(now))
		f.Set("ConnectionId", connectionID(n.conf.name.Account))
		// The key by which the dialect of a callback is known.
		f.Set("CallSidLegacy", "")
		if s != nil {
			for _, name := range []string{"CallSid", "CallSidLegacy", "CallingPartyType", "From", "FromSipUri", "To", "ToSipUri"} {
				add(name, s.Form.Get(name))
			}
			add("ParticipantLabel", s.Label)
		}
	} else {
		f.Set("Timestamp", now.UTC().Format("Mon, 2 Jan 2006 15:04:05 -0700"))
		if s != nil && event != "start" && event != "end" {
			add("CallSid", s.CallSID, "Muted", strconv.FormatBool(s.muted), "Hold", strconv.FormatBool(s.held),
				"Coaching", strconv.FormatBool(s.coaching != nil), "EndConferenceOnExit", strconv.FormatBool(s.endOnExit),
				"StartConferenceOnEnter", strconv.FormatBool(s.StartOnEnter), "ParticipantLabel", s.Label)
		}
		add(pairs...)
	}
	return []Callback{{
		CallSID: n.conf.sid, AccountSID: n.conf.name.Account,
		URL: n.to.URL, Method: method(n.to.Method), Form: f.Encode(),
		Token: n.conf.rooms.s.NewID(""), Created: now, Due: now,
	}}
}

// left tells that s is out.
func (n *notices) left(s *seat, why Departure, callStatus string) []Callback {
	return n.of("leave", "participant-leave", s, "ParticipantCallStatus", callStatus, "ReasonParticipantLeft", string(why))
}

// endings are the words for why a conference ended.
var endings = map[string]string{
	"conference-ended-via-api":                       "The conference was ended by the API",
	"last-participant-kicked":                        "The last participant was put out",
	"last-participant-left":                          "The last participant left",
	"participant-with-end-conference-on-exit-kicked": "A participant with endConferenceOnExit was put out",
	"participant-with-end-conference-on-exit-left":   "A participant with endConferenceOnExit left",
}

// ended tells that the conference is over. by is who ended it, nil for the API.
func (n *notices) ended(by *seat, reason string) []Callback {
	sid, label := "", ""
	if by != nil {
		sid, label = by.CallSID, by.Label
	}
	return n.of("end", "conference-end", by, "CallSidEndingConference", sid, "ParticipantLabelEndingConference", label,
		"ReasonConferenceEnded", reason, "Reason", endings[reason])
}

// updated tells what is no longer as it was before.
func (n *notices) updated(s *seat, before stance) (news []Callback) {
	if s.muted != before.muted {
		news = append(news, n.of("mute", either(s.muted, "participant-mute", "participant-unmute"), s)...)
	}
	if s.held != before.held {
		news = append(news, n.of("hold", either(s.held, "participant-hold", "participant-unhold"), s)...)
	}
	if s.coaching != before.coaching || s.endOnExit != before.endOnExit || s.beepOnExit != before.beepOnExit {
		news = append(news, n.of("modify", "participant-modify", s)...)
	}
	return news
}

// announced tells that an announcement is over. err is why it was not heard to
// its end, nil when it was.
func (n *notices) announced(to *seat, all bool, announceURL string, err error) []Callback {
	if all && n != nil && n.dialect == texml.Twilio {
		to = nil // it was nobody's in particular
	}
	if err != nil {
		return n.of("announcement", "announcement-fail", to, "AnnounceUrl", announceURL, "ReasonAnnouncementFailed", err.Error())
	}
	return n.of("announcement", "announcement-end", to, "AnnounceUrl", announceURL)
}

func either(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}
