package texml

import "time"

// Leg is what <Number> and <Sip> have in common.
type Leg struct {
	URL, Method string // whispered to the called side before the two are connected
	StatusCallbacks
	AMD                          AMD
	DeepfakeDetection            bool
	DeepfakeDetectionCallbackURL string
	SIPRegion                    string // US, Europe, Canada, Australia or Middle East
}

// AMD asks whether a person or a machine has answered.
type AMD struct {
	Mode               string // "": off, Enable, DetectMessageEnd
	Detection          string // detectionMode: Regular, Premium, PremiumCallScreening
	BeepProfile        string // both or freq_only
	Timeout            time.Duration
	SpeechThreshold    time.Duration
	SpeechEndThreshold time.Duration
	SilenceTimeout     time.Duration
	PromptEndTimeout   time.Duration // 0: not written
	Callback           string        // amdStatusCallback
	CallbackMethod     string
}

// Number is a phone to call.
type Number struct {
	base
	Leg
	Number     string // + and digits, or digits alone
	SendDigits string // after answer; 0-9 A-D # * w W
	BYOC       string
}

func number(e *element) Node {
	n := &Number{
		base:       e.base(),
		Leg:        leg(e, 13221),
		SendDigits: e.attr("sendDigits", 13222).keys("", sendKeys),
		BYOC:       e.attr("byoc", 0).on(Twilio).text(),
	}
	n.DeepfakeDetection = e.attr("deepfakeDetection", 0).on(Telnyx).oneOf("", "Enable", "Disable") == "Enable"
	n.DeepfakeDetectionCallbackURL = e.attr("deepfakeDetectionCallbackUrl", 0).on(Telnyx).url()
	var ok bool
	if n.Number, ok = e.phoneNumber(e.content()); !ok {
		return nil
	}
	return n
}

func leg(e *element, methodCode int) Leg {
	events := []string{"initiated", "ringing", "answered", "completed", "amd", "dtmf", "deepfake"}
	l := Leg{
		URL:             e.attr("url", 0).url(),
		Method:          e.attr("method", methodCode).method("POST"),
		StatusCallbacks: statusCallbacks(e, completed, events[:is(e, 7, 4)]...),
		SIPRegion:       e.attr("sipRegion", 0).on(Telnyx).oneOf("US", "US", "Europe", "Canada", "Australia", "Middle East"),
		AMD:             thresholds(e, Twilio),
	}
	a := &l.AMD
	if a.Mode = e.attr("machineDetection", 0).oneOf("", "Enable", "DetectMessageEnd", "Disable"); a.Mode == "Disable" {
		a.Mode = ""
	}
	a.Detection = e.attr("detectionMode", 0).on(Telnyx).oneOf("Regular", "Regular", "Premium", "PremiumCallScreening")
	a.BeepProfile = e.attr("machineDetectionBeepProfile", 0).on(Telnyx).oneOf("both", "both", "freq_only")
	if timeout := e.attr("machineDetectionTimeout", 0); e.p.dialect == Twilio {
		a.Timeout = timeout.seconds(30, 3, 60)
	} else {
		a.Timeout = timeout.millis(3500, 500, 60000)
	}
	a.PromptEndTimeout = e.attr("machineDetectionPromptEndTimeout", 0).on(Telnyx).millis(0, 1000, 120000)
	a.Callback = e.attr("amdStatusCallback", 0).url()
	a.CallbackMethod = e.attr("amdStatusCallbackMethod", 0).method("POST")
	return l
}

// thresholds reads the three that Telnyx has on <Dial> and Twilio on the noun.
func thresholds(e *element, d Dialect) AMD {
	return AMD{
		SpeechThreshold:    e.attr("machineDetectionSpeechThreshold", 0).on(d).millis(0, 1000, 6000),
		SpeechEndThreshold: e.attr("machineDetectionSpeechEndThreshold", 0).on(d).millis(0, 500, 5000),
		SilenceTimeout:     e.attr("machineDetectionSilenceTimeout", 0).on(d).millis(0, 2000, 10000),
	}
}

// fill takes thresholds that the noun does not have from <Dial>, then the
// defaults.
func (a *AMD) fill(dial AMD) {
	first := func(values ...time.Duration) time.Duration {
		for _, v := range values {
			if v > 0 {
				return v
			}
		}
		return 0
	}
	a.SpeechThreshold = first(a.SpeechThreshold, dial.SpeechThreshold, 2400*time.Millisecond)
	a.SpeechEndThreshold = first(a.SpeechEndThreshold, dial.SpeechEndThreshold, 1200*time.Millisecond)
	a.SilenceTimeout = first(a.SilenceTimeout, dial.SilenceTimeout, 5000*time.Millisecond)
}

// plainLeg is a leg without any attribute.
func plainLeg(d Dialect) Leg {
	return Leg{
		Method:          "POST",
		SIPRegion:       "US",
		StatusCallbacks: StatusCallbacks{StatusCallbackMethod: "POST", StatusCallbackEvent: completed},
		AMD:             AMD{Detection: "Regular", BeepProfile: "both", Timeout: by(d, 3500*time.Millisecond, 30*time.Second), CallbackMethod: "POST"},
	}
}
