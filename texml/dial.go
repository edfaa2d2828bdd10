package texml

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dial calls others and connects the first who answers, or joins a room, or
// takes the next caller of a queue.
type Dial struct {
	base
	Action, Method string // Action "": the next verb runs
	Timeout        time.Duration
	TimeLimit      time.Duration
	HangupOnStar   bool
	CallerID       string // "": the caller's own
	FromDisplay    string // fromDisplayName in XML

	Record            string // do-not-record, record-from-answer, record-from-ringing, either with -dual
	RecordingChannels string // single or dual, as far as Record does not say it
	RecordMaxLength   time.Duration
	RecordingTrack    string // inbound, outbound or both
	RecordingCallbacks
	SendRecordingURL         bool
	RecordingConfigurationID string
	Trim                     bool

	AnswerOnBridge      bool
	RingTone            string // country code; "" in Twilio: the carrier's
	AudioURL            string // instead of RingTone
	PassDiversionHeader bool
	Sequential          bool
	ReferURL            string // "": a REFER of the called side fails (13802)
	ReferMethod         string
	CallReason          string
	Events              string
	Passports           string

	// Nouns are *Number, *Sip and *Client, or exactly one *Conference or
	// *Queue. The text of <Dial> is a *Number or a *Sip. *Sim, *Application
	// and *WhatsApp stand here too, and are not called.
	Nouns []Node
}

func dial(e *element) Node {
	d := &Dial{
		base:         e.base(),
		Action:       e.attr("action", 0).url(),
		Method:       e.attr("method", 13210).method("POST"),
		Timeout:      e.attr("timeout", 13212).seconds(30, is(e, 5, 1), is(e, 120, 600)),
		TimeLimit:    e.attr("timeLimit", 13216).seconds(14400, is(e, 60, 1), is(e, 14400, 86400)),
		HangupOnStar: e.attr("hangupOnStar", 13213).boolean(false),
		CallerID:     strings.TrimSpace(e.attr("callerId", 13214).text()),
		FromDisplay:  displayName(e.attr("fromDisplayName", 13259).on(Telnyx)),

		Record:                   dialRecord(e.attr("record", 13217)),
		RecordingChannels:        e.attr("recordingChannels", 0).on(Telnyx).oneOf("single", "single", "dual"),
		RecordMaxLength:          e.attr("recordMaxLength", 0).on(Telnyx).seconds(0, 0, 14400),
		RecordingTrack:           e.attr("recordingTrack", 13622).on(Twilio).oneOf("both", "inbound", "outbound", "both"),
		RecordingCallbacks:       recordingCallbacks(e, 13621),
		SendRecordingURL:         e.attr("sendRecordingUrl", 0).on(Telnyx).boolean(true),
		RecordingConfigurationID: e.attr("recordingConfigurationId", 0).on(Twilio).text(),
		Trim:                     trim(e.attr("trim", 13699).on(Twilio), false),

		AnswerOnBridge:      e.attr("answerOnBridge", 13219).boolean(false),
		RingTone:            e.attr("ringTone", 13220).oneOf(is(e, "us", ""), ringTones...),
		AudioURL:            e.attr("audioUrl", 0).on(Telnyx).url(),
		PassDiversionHeader: e.attr("passDiversionHeader", 0).on(Telnyx).boolean(false),
		Sequential:          e.attr("sequential", 13218).boolean(false),
		ReferURL:            e.attr("referUrl", 0).on(Twilio).url(),
		ReferMethod:         e.attr("referMethod", 0).on(Twilio).method("POST"),
		CallReason:          e.attr("callReason", 0).on(Twilio).text(),
		Events:              e.attr("events", 0).on(Twilio).oneOf("", "call-progress-event"),
		Passports:           e.attr("passports", 0).on(Twilio).text(),
	}
	amd := thresholds(e, Telnyx)
	d.nouns(e)
	if len(d.Nouns) == 0 {
		e.slip(Warning, 13223, "<Dial> calls nobody and is skipped", "put a number or a SIP URI inside, or <Number>, <Sip>, <Conference> or <Queue>", "Twilio skips it with warning 13223")
		return nil
	}
	for _, n := range d.Nouns {
		switch n := n.(type) {
		case *Number:
			n.AMD.fill(amd)
		case *Sip:
			n.AMD.fill(amd)
		}
	}
	return d
}

// nouns reads who is called.
func (d *Dial) nouns(e *element) {
	at := e.text
	text := e.content()
	d.Nouns = e.nodes(13215, "Number", "Sip", "Client", "Conference", "Queue", "Sim", "Application", "WhatsApp")
	switch { // cases of a template have each their own nouns
	case templated(text) && len(d.Nouns) > 0:
		return
	case text != "":
		target := &element{Element: e.Element, p: e.p, name: e.name, pos: e.p.at(at), start: at}
		if len(d.Nouns) > 0 {
			target.slip(Warning, 13215, "<Dial> has both text and nouns; the text is not called", "put it into <Number> or <Sip>", ignored)
		} else if n := target.target(text); n != nil {
			d.Nouns = []Node{n}
		}
	}
	for i, n := range d.Nouns {
		switch n.(type) {
		case *Conference, *Queue:
			if len(d.Nouns) > 1 {
				e.slip(Warning, 13000, "<"+n.Name()+"> stands beside other nouns in <Dial>; only it is used", "give it a <Dial> of its own", "Twilio logs 13000")
				d.Nouns = d.Nouns[i : i+1]
			}
			return
		}
	}
	if most := 10; len(d.Nouns) > most {
		e.slip(Warning, 13250, "<Dial> calls more than 10 at once; the first 10 are called", "use two <Dial>", "Twilio refuses more than 10")
		d.Nouns = d.Nouns[:most]
	}
}

// target makes a noun of the text of <Dial>.
func (e *element) target(text string) Node {
	lower := strings.ToLower(text)
	if strings.HasPrefix(lower, "sip:") || strings.HasPrefix(lower, "sips:") {
		if !e.sipURI(text) {
			return nil
		}
		return &Sip{base: base{e.pos, "Sip"}, Leg: plainLeg(e.p.dialect), URI: text}
	}
	number, ok := e.phoneNumber(text)
	if !ok {
		return nil
	}
	return &Number{base: base{e.pos, "Number"}, Leg: plainLeg(e.p.dialect), Number: number}
}

// displayName reads up to 128 characters that a From header may show.
func displayName(a attr) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_~!.+"
	name := strings.TrimSpace(a.value)
	kept := strings.Map(func(r rune) rune {
		if strings.ContainsRune(plain, r) {
			return r
		}
		return -1
	}, name)
	kept = kept[:min(len(kept), 128)]
	if kept != name {
		a.bad("has characters that no display name has, or more than 128; "+quoted(kept)+" is used", "write letters, digits, blanks and -_~!.+")
	}
	return kept
}

// dialRecord reads when a recording starts. Twilio also has true and false.
func dialRecord(a attr) string {
	switch {
	case a.value == "true":
		return "record-from-answer"
	case a.value == "false":
		return "do-not-record"
	}
	return a.oneOf("do-not-record", "do-not-record", "record-from-answer", "record-from-ringing", "record-from-answer-dual", "record-from-ringing-dual")
}

// phoneNumber gives + and digits of a number written in any common way.
func (e *element) phoneNumber(text string) (string, bool) {
	number := strings.Map(func(r rune) rune {
		if strings.ContainsRune("+0123456789*#", r) {
			return r
		}
		return -1
	}, text)
	wrong := strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("+0123456789*# ().-/\u00a0", r) })
	switch {
	case templated(text):
		return text, true
	case wrong || number == "" || number == "+" || strings.LastIndexByte(number, '+') > 0:
		fix := "write it as +14155550100, or a SIP address as sip:name@host"
		if e.name == "Dial" && strings.Count(text, "@") == 1 && !strings.ContainsAny(text, " :") {
			fix = "write sip:" + cut(text, 40)
		}
		e.slip(Warning, 13223, "<"+e.name+"> has "+quoted(text)+", which is no phone number, and does not call it", fix, "Twilio logs 13223")
		return "", false
	case len(number) > 32:
		e.slip(Warning, 13223, "<"+e.name+"> has a number of more than 32 digits and does not call it", "write one number only; use one <Number> for each", "Twilio logs 13223")
		return "", false
	}
	return number, true
}

// sipURI reports whether text can be called, and what is wrong if not.
func (e *element) sipURI(text string) bool {
	if templated(text) {
		return true
	}
	code, msg, fix := 13243, "", "write sip:name@host"
	uri, headers, _ := strings.Cut(text, "?")
	scheme, rest, _ := strings.Cut(uri, ":")
	address, _, _ := strings.Cut(rest, ";")
	host := address[strings.LastIndexByte(address, '@')+1:]
	switch {
	case !equalFold(scheme, "sip") && !equalFold(scheme, "sips"):
		msg = "does not start with sip: or sips:"
	case host == "" || strings.ContainsAny(text, " \t\r\n<>\""):
		msg = "is no SIP address"
	case len(uri) >= 255:
		msg, fix = "has 255 characters or more before its headers", "shorten it"
	case len(headers) >= 1024:
		code, msg, fix = 13253, "has 1024 characters of headers or more", "send less by headers"
	default:
		e.sipHeaders(headers)
		return true
	}
	e.slip(Warning, code, "the URI "+quoted(text)+" "+msg+" and is not called", fix, "Twilio logs "+strconv.Itoa(code))
	return false
}

// sipHeaders reports headers that Twilio does not pass on.
func (e *element) sipHeaders(headers string) {
	passed := []string{"user-to-user", "remote-party-id", "p-preferred-identity", "p-called-party-id"}
	for header := range strings.SplitSeq(headers, "&") {
		name, _, _ := strings.Cut(header, "=")
		lower := strings.ToLower(name)
		if name != "" && !strings.HasPrefix(lower, "x-") && !slices.Contains(passed, lower) {
			e.slip(Warning, 13252, "SIP header "+quoted(name)+" is not sent", "let its name start with X-", "Twilio logs 13252")
		}
	}
}
