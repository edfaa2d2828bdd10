package texml

import (
	"encoding/json"
	"strings"
)

// AIGather talks with the caller until it knows what Parameters ask for.
type AIGather struct {
	base
	Action, Method string // Method "": the application's (Telnyx)
	Greeting       string
	VoiceName      string // Provider.Model.Voice
	VoiceKeyRef    string // api_key_ref
	VoiceSpeed     float64
	Parameters     string // JSON Schema of an object
	History        []Message
	Interruptible  bool   // InterruptionSettings enable
	Transcription  string // its model; "": the default
	Model          string // of <Assistant>; "": the default
	ModelKeyRef    string
	Instructions   string
	Tools          []string // JSON each
}

// Message is one of the messages before the conversation.
type Message struct{ Role, Text string }

func aiGather(e *element) Node {
	e.only(Telnyx)
	g := &AIGather{
		base:          e.base(),
		Action:        e.attr("action", 0).url(),
		Method:        e.attr("method", 0).method(""),
		VoiceName:     "Telnyx.NaturalHD.Astra",
		VoiceSpeed:    1,
		Interruptible: true,
	}
	for c := e.kids(); c != nil; c = c.next {
		if c.allowed(0, "Greeting", "Voice", "Parameters", "MessageHistory", "InterruptionSettings", "Transcription", "Assistant") {
			c.with(g.part)
		}
	}
	if g.Parameters == "" {
		e.slip(Warning, 0, "<AIGather> has no <Parameters> and is skipped", "put a JSON Schema into <Parameters><![CDATA[…]]></Parameters>", "")
		return nil
	}
	return g
}

func (g *AIGather) part(e *element) {
	switch e.name {
	case "Greeting":
		g.Greeting = e.content()
	case "Voice":
		g.VoiceName = e.attr("name", 0).or(g.VoiceName)
		g.VoiceKeyRef = e.attr("api_key_ref", 0).text()
		g.VoiceSpeed = e.attr("voice_speed", 0).number(1, 0.1, 2)
	case "Parameters":
		g.Parameters = e.json()
	case "MessageHistory":
		for c := e.kids(); c != nil; c = c.next {
			if c.allowed(0, "Message") {
				c.with(func(e *element) {
					g.History = append(g.History, Message{e.attr("role", 0).oneOf("user", "user", "assistant"), e.content()})
				})
			}
		}
	case "InterruptionSettings":
		g.Interruptible = e.attr("enable", 0).boolean(true)
	case "Transcription":
		g.Transcription = e.attr("model", 0).text()
	case "Assistant":
		g.assistant(e)
	}
}

func (g *AIGather) assistant(e *element) {
	g.Model = e.attr("model", 0).text()
	g.ModelKeyRef = e.attr("api_key_ref", 0).text()
	g.Instructions = e.attr("instructions", 0).text()
	for c := e.kids(); c != nil; c = c.next {
		if !c.allowed(0, "Tools") {
			continue
		}
		c.with(func(e *element) {
			for c := e.kids(); c != nil; c = c.next {
				if c.allowed(0, "Tool") {
					c.with(func(e *element) {
						if tool := e.json(); tool != "" {
							g.Tools = append(g.Tools, tool)
						}
					})
				}
			}
		})
	}
}

// json gives the text of e, or "" and a slip if it is no JSON object.
func (e *element) json() string {
	text := e.content()
	if templated(text) && !json.Valid([]byte(text)) {
		return text
	}
	if !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
		e.slip(Warning, 0, "the text of <"+e.name+"> is no JSON object", "write {…} in JSON, inside <![CDATA[…]]>", "")
		return ""
	}
	return text
}
