package texml

// Play plays a file, keys or a ringing tone.
type Play struct {
	base
	URL             string // "" if Digits or RingTone is set; a media name if MediaStorage
	Digits          string // 0-9 A-D # * w W; w waits 0.5 s, W 1 s
	Loop            int    // rounds; 0: until hang-up, in Telnyx only
	MediaStorage    bool
	ContinueOnError bool   // the next verb runs when both sources fail
	FailoverURL     string // tried once
	RingTone        string // country code of Dial's list
}

func play(e *element) Node {
	p := &Play{
		base:            e.base(),
		Digits:          e.attr("digits", 13430).keys("", sendKeys),
		Loop:            loop(e, 13410, 1000),
		MediaStorage:    e.attr("mediaStorage", 0).on(Telnyx).boolean(false),
		ContinueOnError: e.attr("continueOnError", 0).on(Telnyx).boolean(false),
		FailoverURL:     e.attr("failoverUrl", 0).on(Telnyx).url(),
		RingTone:        e.attr("ringTone", 13220).on(Telnyx).oneOf("", ringTones...),
	}
	at := e.text
	p.URL = e.content()
	switch {
	case p.Digits != "" && e.parent.name == "Gather":
		e.slip(Warning, 13320, "<Play> with digits cannot be inside <Gather>", "move it before <Gather>", "Twilio logs 13320")
		return nil
	case p.Digits != "":
		if p.URL != "" {
			e.p.slip(at, Warning, 0, "<Play> plays its digits, not its text", "use two <Play>", "")
		}
		p.URL = ""
	case p.RingTone != "":
		if p.URL != "" {
			e.p.slip(at, Warning, 0, "<Play> plays its ringTone, not its text", "use two <Play>", "")
		}
		p.URL = ""
	case p.URL == "":
		e.slip(Warning, 13420, "<Play> has nothing to play and is skipped", "put the URL of a sound file inside", "")
		return nil
	case !p.MediaStorage:
		return e.withURL(p, &p.URL, at)
	}
	return p
}

// withURL gives n if the text of e, found at an offset, can be a URL.
func (e *element) withURL(n Node, u *string, at int) Node {
	if why := badURL(*u); why != "" {
		e.p.slip(at, Warning, 11100, "the URL of <"+e.name+"> "+why+"; the verb is skipped", howToURL, "Twilio ends with error 11100")
		return nil
	}
	if offWeb(*u) {
		e.p.slip(at, Warning, 11100, "the URL of <"+e.name+"> is not on the web, and the request fails", howToURL, "Twilio ends with error 11100")
	}
	return n
}

var ringTones = []string{
	"at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr", "hu", "il", "in", "it", "lt", "jp", "mx",
	"my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se", "sg", "th", "tw", "uk", "us", "us-old", "ve", "za",
}
