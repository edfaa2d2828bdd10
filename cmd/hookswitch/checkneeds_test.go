package main

import (
	"strings"
	"testing"
)

func TestCheckFindsWhatTheConfigurationHasNot(t *testing.T) {
	const ears = "ai: {asr: {mine: {provider: openai, baseUrl: 'http://127.0.0.1:1/v1'}}}\n"
	const connectors = "connectors: {shop: {kind: pay, url: 'https://a.example/'}, rec: {kind: siprec, url: 'sip:srs.example.com'}, out: {kind: stream, url: 'wss://a.example/'}}\n"
	for _, tt := range []struct{ name, config, verb, want string }{
		{"speech without ears", "", `<Gather input="dtmf speech"/>`, "warning: <Gather> needs somebody who understands speech, and the configuration names nobody; name a provider under ai.asr [13340]"},
		{"keys without ears", "", `<Gather/>`, ""},
		{"a transcript without ears", "", `<Record transcription="true"/>`, "<Record> needs somebody who understands speech"},
		{"a live transcript without ears", "", `<Start><Transcription/></Start>`, "<Transcription> needs somebody who understands speech"},
		{"speech with ears", ears, `<Gather input="speech"/><Start><Transcription transcriptionEngine="mine"/></Start>`, ""},
		{"an engine that is not there", ears, `<Gather input="speech" transcriptionEngine="Deepgram"/>`, "<Gather> names the engine Deepgram, which the configuration has not; the default hears in its place"},
		{"connectors", connectors, `<Start><Siprec connectorName="rec"/></Start><Connect><Stream connectorName="out"/></Connect><Pay paymentConnector="shop"/>`, ""},
		{"a connector that is not there", connectors, `<Start><Siprec connectorName="rex"/></Start>`, `<Siprec> needs the connector "rex", which the configuration has not; did you mean rec?`},
		{"a connector of another kind", connectors, `<Connect><Stream connectorName="shop"/></Connect>`, `<Stream> needs a connector of the kind stream, and "shop" is of the kind pay`},
		{"payment without a connector", "", `<Pay/>`, `<Pay> needs the connector "Default", which the configuration has not; name it under connectors [64004]`},
	} {
		written(t, map[string]string{
			"hookswitch.yaml": "routes: [{to: '*', flow: a.xml}]\n" + tt.config,
			"a.xml":           "<Response>" + tt.verb + "</Response>",
		})
		for _, target := range []string{"hookswitch.yaml", "."} { // a.xml is in the folder, too
			_, out, _ := checking(target)
			if tt.want == "" && strings.Contains(out, "warning:") || !strings.Contains(out, tt.want) {
				t.Errorf("%s: got\n%swant %q", tt.name, out, tt.want)
			}
		}
	}
}
