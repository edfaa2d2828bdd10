package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hookswitch/hookswitch/ai"
	"github.com/hookswitch/hookswitch/texml"
)

// needs are what a document wants of the configuration and does not find there:
// who understands speech, and connectors. A call warns of each, and goes on
// without.
type needs struct {
	config *Config
	source string
	slips  texml.Errors
}

// missing gives the needs of a document, none of one that cannot be read.
func missing(c checked, d texml.Dialect, config *Config) texml.Errors {
	doc, err := texml.Parse(c.source, c.body, d)
	if err != nil {
		return nil
	}
	n := needs{config: config, source: c.source}
	for _, v := range doc.Verbs {
		n.verb(v)
	}
	return n.slips
}

func (n *needs) verb(v texml.Node) {
	switch v := v.(type) {
	case *texml.Gather:
		if slices.Contains(v.Input, "speech") {
			n.ears(v, 13340, v.TranscriptionEngine)
		}
	case *texml.Record:
		if v.Transcription {
			n.ears(v, 13620, v.TranscriptionEngine)
		}
	case *texml.Pay:
		n.connector(v, 64004, "pay", v.PaymentConnector)
	case *texml.Start:
		for _, service := range v.Services {
			n.service(service)
		}
	case *texml.Connect:
		n.service(v.Service)
	}
}

func (n *needs) service(v texml.Node) {
	switch v := v.(type) {
	case *texml.Stream:
		if v.ConnectorName != "" {
			n.connector(v, 31940, "stream", v.ConnectorName)
		}
	case *texml.Siprec:
		n.connector(v, 0, "siprec", v.ConnectorName)
	case *texml.Transcription:
		n.ears(v, 32650, v.TranscriptionEngine)
	}
}

// ears reports that nobody understands speech, or not the engine that is named.
func (n *needs) ears(v texml.Node, code int, engine string) {
	var have []ai.NamedASR
	for name, p := range n.config.AI.ASR {
		have = append(have, ai.NamedASR{Name: name, Kind: p.Provider})
	}
	switch {
	case len(have) == 0:
		n.add(v, code, fmt.Sprintf("<%s> needs somebody who understands speech, and the configuration names nobody", v.Name()), "name a provider under ai.asr")
	case !ai.NewListener(ai.ListenerConfig{Ears: have}).Has(engine):
		n.add(v, 0, fmt.Sprintf("<%s> names the engine %s, which the configuration has not; the default hears in its place", v.Name(), engine), "name a provider of it under ai.asr")
	}
}

func (n *needs) connector(v texml.Node, code int, kind, name string) {
	have, ok := n.config.Connectors[name]
	switch {
	case !ok:
		n.add(v, code, fmt.Sprintf("<%s> needs the connector %q, which the configuration has not", v.Name(), name),
			meant(name, slices.Sorted(maps.Keys(n.config.Connectors)), "name it under connectors"))
	case have.Kind != kind:
		n.add(v, code, fmt.Sprintf("<%s> needs a connector of the kind %s, and %q is of the kind %s", v.Name(), kind, name, have.Kind), "name another one under connectors")
	}
}

func (n *needs) add(v texml.Node, code int, msg, fix string) {
	n.slips = append(n.slips, &texml.Error{Source: n.source, Pos: v.At(), Level: texml.Warning, Code: code, Msg: msg, Fix: fix})
}
