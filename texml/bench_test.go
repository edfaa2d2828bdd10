package texml

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// realistic gives a document of about so many bytes, without slips.
func realistic(size int) []byte {
	const menu = `
  <Gather input="dtmf speech" numDigits="1" timeout="5" action="/menu?step=%d&amp;lang=en" finishOnKey="#">
    <Say voice="Polly.Joanna" language="en-US">Press 1 for sales, press 2 for support, or stay on the line &amp; wait.</Say>
    <Play>https://example.com/sounds/menu-%d.mp3</Play>
    <Pause length="2"/>
  </Gather>
  <Say>We have not heard anything. <break time="500ms"/> Please hold while we <emphasis level="strong">connect</emphasis> you.</Say>
  <Dial timeout="20" record="record-from-answer" callerId="+14155550100">
    <Number statusCallback="/status" statusCallbackEvent="initiated ringing answered completed">+14155550199</Number>
    <Sip username="a" password="b">sip:agent@example.com</Sip>
  </Dial>`
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<Response>")
	for i := 0; b.Len() < size-800 || i == 0; i++ {
		fmt.Fprintf(&b, menu, i, i)
	}
	b.WriteString("\n</Response>\n")
	return []byte(b.String())
}

var sizes = []int{1, 8, 64}

func BenchmarkTokens(b *testing.B) {
	for _, kb := range sizes {
		body := realistic(kb << 10)
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				tokens(body)
			}
		})
	}
}

func tokens(body []byte) {
	dec := xml.NewDecoder(strings.NewReader(string(body)))
	for {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
	}
}

// BenchmarkParse parses and checks documents.
func BenchmarkParse(b *testing.B) {
	for _, kb := range sizes {
		body := realistic(kb << 10)
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if slips := Check("menu.xml", body, Telnyx); len(slips) > 0 {
					b.Fatal(slips)
				}
			}
		})
	}
}

// BenchmarkRatio reports how many times the bare token pass of encoding/xml it
// takes to parse and check the same bytes. The two alternate, so that other
// work on the machine slows both; the medians are compared.
func BenchmarkRatio(b *testing.B) {
	for _, kb := range sizes {
		body := realistic(kb << 10)
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			var bare, full []time.Duration
			for b.Loop() {
				start := time.Now()
				tokens(body)
				middle := time.Now()
				Check("menu.xml", body, Telnyx)
				bare, full = append(bare, middle.Sub(start)), append(full, time.Since(middle))
			}
			slices.Sort(bare)
			slices.Sort(full)
			b.ReportMetric(float64(full[len(full)/2])/float64(bare[len(bare)/2]), "x-tokens")
		})
	}
}

func BenchmarkCache(b *testing.B) {
	for _, kb := range sizes {
		body := realistic(kb << 10)
		b.Run(fmt.Sprintf("%dKB", kb), func(b *testing.B) {
			c := NewCache(10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Parse("menu.xml", body, Telnyx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSlips parses and checks documents that have as many slips as 64 KB
// can hold.
func BenchmarkSlips(b *testing.B) {
	var dial strings.Builder
	for i := range maxAttrs {
		fmt.Fprintf(&dial, "calerId%d='' ", i)
	}
	for _, c := range []struct{ name, part string }{
		{"unknown verbs", "<Playyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy/>"},
		{"unknown attributes", "<Dial " + dial.String() + "/>"},
		{"attributes written twice", "<Say " + strings.Repeat("a='' ", maxAttrs) + "/>"},
		{"wrong words", "<Gather input='" + strings.Repeat("dtfm ", 13000) + "'/>"},
		{"types", "<!DOCTYPE a>"},
		{"speech", "aaaaaaaaaaaaaaaaaaaa<say-as interpret-as='digit'>1</say-as>"},
	} {
		parts := strings.Repeat(c.part, min((MaxBytes-40)/len(c.part), MaxElements-2))
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				Check("", []byte("<Response><Say/>"+parts+"</Response>"), Telnyx)
			}
		})
	}
}
