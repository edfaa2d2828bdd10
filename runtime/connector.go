package runtime

import "net/http"

// Connector is a server of others that documents name by their connectorName. What
// it is, where it is and how to log in there is said by the configuration, so that
// no document holds a password, nor sends a call's sound where nobody wanted it.
type Connector struct {
	Kind string // siprec, pay or stream
	URL  string // sip: for siprec, https: for pay, wss: for stream

	Username, Password string // for a server that asks who we are; "" is nobody
	Token              string // a bearer token; "" is none
}

// authorize adds to h what tells the server who we are.
func (c Connector) authorize(h http.Header) {
	switch {
	case c.Token != "":
		h.Set("Authorization", "Bearer "+c.Token)
	case c.Username != "":
		r := http.Request{Header: h}
		r.SetBasicAuth(c.Username, c.Password)
	}
}
