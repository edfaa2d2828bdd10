package texml

import "fmt"

// Dialect says whose defaults, ranges and names a document is read by. Verbs
// and attributes of both are always understood.
type Dialect int

// The zero value is Telnyx.
const (
	Telnyx Dialect = iota // TeXML
	Twilio                // TwiML
)

// String gives the name that [ParseDialect] reads.
func (d Dialect) String() string {
	if d == Twilio {
		return "twilio"
	}
	return "telnyx"
}

// ParseDialect reads "telnyx" or "twilio".
func ParseDialect(name string) (Dialect, error) {
	switch name {
	case "telnyx":
		return Telnyx, nil
	case "twilio":
		return Twilio, nil
	}
	return Telnyx, fmt.Errorf("no dialect is called %q; write telnyx or twilio", name)
}

// markup is the name of the dialect's language.
func (d Dialect) markup() string {
	if d == Twilio {
		return "TwiML"
	}
	return "TeXML"
}

// by picks the value of the dialect.
func by[T any](d Dialect, telnyx, twilio T) T {
	if d == Twilio {
		return twilio
	}
	return telnyx
}
