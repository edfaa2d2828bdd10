//go:build linux

package main

import (
	"bytes"
	"encoding/xml"
	"time"

	"github.com/hookswitch/hookswitch/texml"
)

// elevenElements is a document of the size that webhooks answer with.
const elevenElements = `<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say voice="alice" language="en-US">Welcome to the clinic.</Say>
  <Gather numDigits="1" timeout="5" action="/menu" method="POST">
    <Say>For appointments press 1.</Say>
    <Say>For the nurse press 2.</Say>
    <Play loop="1">https://example.com/chime.wav</Play>
    <Pause length="2"/>
  </Gather>
  <Say>We did not hear a key.</Say>
  <Pause length="1"/>
  <Redirect method="POST">/voice</Redirect>
  <Hangup/>
</Response>
`

// parseRow measures what reading a document costs, beside the bare tokens of
// encoding/xml.
func parseRow() (benchRow, error) {
	document := []byte(elevenElements)
	if _, err := texml.Parse("bench", document, texml.Telnyx); err != nil {
		return benchRow{}, err
	}
	cache := texml.NewCache(16)
	return benchRow{"reading a document of 11 elements", []figure{
		microseconds("new", func() { texml.Parse("bench", document, texml.Telnyx) }),
		microseconds("seen before", func() { cache.Parse("bench", document, texml.Telnyx) }),
		microseconds("tokens alone", func() {
			for d := xml.NewDecoder(bytes.NewReader(document)); ; {
				if _, err := d.Token(); err != nil {
					return
				}
			}
		}),
	}, "beside encoding/xml's tokens of the same bytes; in one process, on one core"}, nil
}

// microseconds is the cost of f, the least of five short runs.
func microseconds(name string, f func()) figure {
	f()
	best := time.Hour
	for range 5 {
		n, began := 0, time.Now()
		for time.Since(began) < 40*time.Millisecond {
			for range 20 {
				f()
			}
			n += 20
		}
		best = min(best, time.Since(began)/time.Duration(n))
	}
	return figure{name, float64(best) / float64(time.Microsecond), "µs"}
}
