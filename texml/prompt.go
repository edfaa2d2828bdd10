package texml

// Prompt is what <Pay> says at a step.
type Prompt struct {
	base
	For                   []string // steps
	ErrorType             []string
	CardType              []string
	Attempt               []string // numbers from 1 to 3
	RequireMatchingInputs bool
	Prompts               []Node // *Say, *Play, *Pause
}

func prompt(e *element) Node {
	return &Prompt{
		base: e.base(),
		For: e.attr("for", 0).words("payment-card-number", "expiration-date", "security-code", "postal-code", "payment-processing",
			"bank-account-number", "bank-routing-number"),
		ErrorType: e.attr("errorType", 0).words("timeout", "invalid-card-number", "invalid-card-type", "invalid-date", "invalid-security-code",
			"invalid-postal-code", "invalid-bank-routing-number", "invalid-bank-account-number", "internal-error", "input-matching-failed"),
		CardType:              e.attr("cardType", 0).words("visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club", "enroute"),
		Attempt:               e.attr("attempt", 0).words("1", "2", "3"),
		RequireMatchingInputs: e.attr("requireMatchingInputs", 0).boolean(false),
		Prompts:               e.nodes(0, "Say", "Play", "Pause"),
	}
}
