package verbs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookswitch/hookswitch/texml"
)

func TestLimits(t *testing.T) {
	const ignored, skipped = " is not supported by this version of hookswitch and is ignored", " is not supported by this version of hookswitch and is skipped"
	for _, test := range []struct {
		name string
		xml  string
		want []string // column and message, which begins so
	}{
		{"none", `<Dial>+1</Dial>`, nil},
		{"of <Dial>", `<Dial callReason="a" events="call-progress-event" passports="p" recordingConfigurationId="r">+1</Dial>`,
			[]string{"11: callReason" + ignored, "11: events" + ignored, "11: passports" + ignored, "11: recordingConfigurationId" + ignored}},
		{"of <Number>", `<Dial><Number machineDetection="Enable" amdStatusCallback="/a" deepfakeDetection="Enable" sipRegion="Europe" byoc="b" statusCallbackEvent="dtmf">+1</Number></Dial>`,
			[]string{"17: byoc" + ignored, "17: deepfakeDetection" + ignored, "17: sipRegion" + ignored, "17: statusCallbackEvent dtmf" + ignored}},
		{"of <Sip>", `<Dial><Sip machineDetection="DetectMessageEnd" detectionMode="PremiumCallScreening" machineDetectionPromptEndTimeout="2000">sip:a@b.example</Sip></Dial>`,
			[]string{"17: detectionMode PremiumCallScreening runs the detector of Regular", "17: machineDetectionPromptEndTimeout" + ignored}},
		{"each once, where it stands first", `<Dial><Number byoc="b">+1</Number><Number byoc="b">+2</Number></Dial>`, []string{"17: byoc" + ignored}},
		{"of <Conference>", `<Dial><Conference region="us1" eventCallbackUrl="/e" recordingConfigurationId="r">a</Conference></Dial>`,
			[]string{"17: recordingConfigurationId" + ignored, "17: region" + ignored, "17: eventCallbackUrl" + ignored}},
		{"of <Queue>", `<Dial><Queue reservationSid="W" postWorkActivitySid="A">a</Queue></Dial>`, []string{"17: reservationSid" + ignored, "17: postWorkActivitySid" + ignored}},
		{"of <Record>", `<Record transcription="true" recordingConfigurationId="r"/>`, []string{"11: recordingConfigurationId" + ignored}},
		{"of <Play>", `<Play mediaStorage="true">a</Play>`, []string{"11: <Play> cannot have a stored sound"}},
		{"a <Play> that needs no sound", `<Play mediaStorage="true" digits="1">a</Play>`, nil},
		{"of <Enqueue>", `<Enqueue workflowSid="WW1"/>`, []string{"11: <Enqueue> with a workflow"}},
		{"of <Start>", `<Start><Suppression/><Recording recordingConfigurationId="r"/></Start>`, []string{"18: <Suppression>" + skipped, "32: recordingConfigurationId" + ignored}},
		{"of <Stop>", `<Stop><Suppression/></Stop>`, []string{"11: <Suppression>" + skipped}},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc, err := texml.Parse("", []byte("<Response>"+test.xml+"</Response>"), texml.Telnyx)
			if err != nil {
				t.Fatal(err)
			}
			got := Limits(doc.Verbs[0])
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %q", got, test.want)
			}
			for i, want := range test.want {
				if said := fmt.Sprintf("%d: %s", got[i].Node.At().Col, got[i].Msg); !strings.HasPrefix(said, want) {
					t.Errorf("got %q, want %q", said, want)
				}
			}
		})
	}
}
