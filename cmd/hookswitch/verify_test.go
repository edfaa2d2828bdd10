package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifySignature(t *testing.T) {
	const (
		form      = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
		signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
		public    = "https://mycompany.com/myapp.php?foo=1&bar=2"
		private   = "http://mycompany.com:3000/myapp.php?foo=1&bar=2"
		telnyx    = "CallSid=v3%3Aabc&From=%2B13122010091&To=%2B13122010090&Digits=1234"
		head      = "POST /myapp.php?foo=1&bar=2 HTTP/1.1\r\nHost: mycompany.com\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: " + signature + "\r\n"
	)
	telnyxArgs := []string{"--url", public, "--body", "-", "--header", "telnyx-timestamp: 1700000000",
		"--header", "telnyx-signature-ed25519: KU66CM64vQj6yEDcUApOxUrYeM3YdSLFnmZ8/ImRqo1pIeswBVtUlOnneI6TEUQGHZfzdW2BfZrcJufKNpYVBA==",
		"--key", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="}
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte(form), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		args  []string
		token string
		in    string
		code  int
		want  string // in what is printed
	}{
		{"valid", []string{"--url", public, "--signature", signature, "--body", "-"}, "12345", form, 0, "✓ matches as it stands"},
		{"body in a file", []string{"--url", public, "--signature", signature, "--body", file}, "12345", "", 0, "✓"},
		{"single parameters", []string{"--url", public, "--signature", signature, "--param", "CallSid=CA1234567890ABCDE", "--param", "Caller=+14158675309",
			"--param", "Digits=1234", "--param", "From=+14158675309", "--param", "To=+18005551212"}, "12345", "", 0, "✓"},
		{"token as a flag", []string{"--url", public, "--signature", signature, "--body", "-", "--token", "12345"}, "", form, 0, "✓"},
		{"behind a proxy", []string{"--url", private, "--signature", signature, "--body", "-"}, "12345", form, 1, "your proxy ends TLS"},
		{"the URL that was signed", []string{"--url", private, "--signature", signature, "--body", "-"}, "12345", form, 1, "signed: " + public},
		{"another token", []string{"--url", public, "--signature", signature, "--body", "-"}, "x", form, 1, "✗ no match"},
		{"a whole request", []string{"--request", "-", "--url", public}, "12345", head + "\r\n" + form, 0, "✓"},
		{"a whole request from an editor", []string{"--request", "-", "--url", public}, "12345", strings.ReplaceAll(head, "\r", "") + "Content-Length: 97\n\n" + form + "\n", 0, "✓"},
		{"a whole request without URL", []string{"--request", "-"}, "12345", head + "\r\n" + form, 1, "begins with https://"},
		{"Telnyx", telnyxArgs, "", telnyx, 0, "✓"},
		{"Telnyx, long ago", append(telnyxArgs, "--at", "2023-11-14T23:13:20Z"), "", telnyx, 1, "✗ the timestamp is 1h0m0s"},
		{"Telnyx, in time", append(telnyxArgs, "--at", "1700000001"), "", telnyx, 0, "✓"},
		{"no header", []string{"--url", public}, "12345", "", 1, "neither X-Twilio-Signature nor"},
		{"help", []string{"--help"}, "", "", 0, "For example"},
		{"no URL", nil, "", "", 2, "--url is missing"},
		{"an unknown flag", []string{"--urll", public}, "", "", 2, "-urll"},
		{"a stray word", []string{"--url", public, "POST"}, "", "", 2, `"POST" is not a flag`},
		{"a bad key", []string{"--url", public, "--key", "abc"}, "", "", 2, "32 bytes"},
		{"a bad time", []string{"--url", public, "--at", "noon"}, "", "", 2, "--at"},
		{"a bad header", []string{"--url", public, "--header", "Host"}, "", "", 2, "Name: value"},
		{"a bad parameter", []string{"--url", public, "--param", "Digits"}, "", "", 2, "NAME=VALUE"},
		{"body twice", []string{"--url", public, "--param", "a=1", "--body", "-"}, "", "", 2, "give one"},
		{"no such file", []string{"--url", public, "--body", file + "x"}, "", "", 2, "--body:"},
		{"not a request", []string{"--request", "-"}, "", "hello", 2, "request line"},
	} {
		t.Setenv("HOOKSWITCH_AUTH_TOKEN", row.token)
		t.Setenv("TWILIO_AUTH_TOKEN", "")
		t.Setenv("TELNYX_PUBLIC_KEY", "")
		var out, errOut bytes.Buffer
		code := verifySignature(row.args, strings.NewReader(row.in), &out, &errOut)
		if code != row.code || !strings.Contains(out.String()+errOut.String(), row.want) {
			t.Errorf("%s: exit %d, want %d; printed:\n%s%s", row.name, code, row.code, out.String(), errOut.String())
		}
		if code == 2 && out.Len() > 0 || code != 2 && errOut.Len() > 0 {
			t.Errorf("%s: on the wrong output:\n%s---\n%s", row.name, out.String(), errOut.String())
		}
	}
}
