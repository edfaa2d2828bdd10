package verbs

import (
	"slices"

	"github.com/hookswitch/hookswitch/texml"
)

// Limit is something a document asks for that this version does not do. The verb
// runs without it.
type Limit struct {
	Node texml.Node // where it stands
	Code int        // the platforms', 0 for none
	Msg  string
}

// Limits are those of a verb and of what stands in it, but for the prompts of a
// <Gather>, which are verbs themselves. A call warns of them when the verb runs.
func Limits(n texml.Node) []Limit {
	var all limits
	switch n := n.(type) {
	case *texml.Dial:
		all.ofDial(n)
	case *texml.Enqueue:
		all.add(n, 14220, "<Enqueue> with a workflow or a task needs TaskRouter, which hookswitch has not; put the name of a queue inside", n.Queue == "")
	case *texml.Gather:
		all.add(n, 13326, "<Gather> cannot hear speech in this version of hookswitch; it listens to keys only", slices.Contains(n.Input, "speech"))
	case *texml.Play:
		all.add(n, 90040, "<Play> cannot have a stored sound, as hookswitch stores none; write the URL of a file, without mediaStorage",
			n.MediaStorage && n.Digits == "" && n.RingTone == "")
	case *texml.Record:
		all.add(n, 13620, "recordings are not transcribed by this version of hookswitch", n.Transcription)
		all.ignore(n, "recordingConfigurationId", n.RecordingConfigurationID != "")
	case *texml.Start:
		for _, service := range n.Services {
			if r, ok := service.(*texml.Recording); ok {
				all.ignore(r, "recordingConfigurationId", r.RecordingConfigurationID != "")
			} else {
				all.skip(service, service.Name())
			}
		}
	case *texml.Stop:
		for _, service := range n.Services {
			if service.Kind != "Recording" {
				all.skip(n, service.Kind)
			}
		}
	}
	return all
}

type limits []Limit

// add takes msg in when it is asked for, once, where that stands first.
func (all *limits) add(n texml.Node, code int, msg string, asked bool) {
	if asked && !slices.ContainsFunc(*all, func(l Limit) bool { return l.Msg == msg }) {
		*all = append(*all, Limit{n, code, msg})
	}
}

func (all *limits) ignore(n texml.Node, what string, asked bool) {
	all.add(n, 0, what+" is not supported by this version of hookswitch and is ignored", asked)
}

func (all *limits) skip(n texml.Node, name string) {
	all.add(n, 0, "<"+name+"> is not supported by this version of hookswitch and is skipped", true)
}

func (all *limits) ofDial(d *texml.Dial) {
	all.ignore(d, "callReason", d.CallReason != "")
	all.ignore(d, "events", d.Events != "")
	all.ignore(d, "passports", d.Passports != "")
	all.ignore(d, "recordingConfigurationId", d.RecordingConfigurationID != "")
	for _, n := range d.Nouns {
		switch n := n.(type) {
		case *texml.Number:
			all.ignore(n, "byoc", n.BYOC != "")
			all.ofLeg(n, n.Leg)
		case *texml.Sip:
			all.ofLeg(n, n.Leg)
		case *texml.Conference:
			all.ignore(n, "recordingConfigurationId", n.RecordingConfigurationID != "")
			all.ignore(n, "region", n.Region != "")
			all.ignore(n, "eventCallbackUrl", n.EventCallbackURL != "")
		case *texml.Queue:
			all.ignore(n, "reservationSid", n.ReservationSID != "")
			all.ignore(n, "postWorkActivitySid", n.PostWorkActivitySID != "")
		}
	}
}

func (all *limits) ofLeg(n texml.Node, leg texml.Leg) {
	all.ignore(n, "machineDetection", leg.AMD.Mode != "")
	all.ignore(n, "amdStatusCallback", leg.AMD.Callback != "")
	all.ignore(n, "deepfakeDetection", leg.DeepfakeDetection)
	all.ignore(n, "sipRegion", leg.SIPRegion != "US")
	for _, event := range []string{"amd", "dtmf", "deepfake"} {
		all.ignore(n, "statusCallbackEvent "+event, slices.Contains(leg.StatusCallbackEvent, event))
	}
}

// warn tells the call what of n it does not do.
func warn(call Call, n texml.Node) {
	for _, l := range Limits(n) {
		call.Warn(l.Node, l.Code, l.Msg)
	}
}
