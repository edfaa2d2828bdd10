// Command hookswitch answers telephone calls with TeXML and TwiML documents.
// It is the only place where the rooms of the house meet.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

const usage = `hookswitch answers telephone calls with TeXML (TwiML) documents.

  hookswitch serve [FLOW]          answer calls; FLOW is a TeXML file or a webhook URL
  hookswitch call SIP_URI FLOW     place one call and run FLOW on it
  hookswitch check FILE|DIR|URL... find every slip in documents and configuration
  hookswitch precache [FLOW...]    have the texts of documents spoken before anybody calls
  hookswitch test FILE|DIR...      run call scripts in virtual time
  hookswitch verify-signature      find which form of a URL a received signature fits
  hookswitch bench                 measure real calls over loopback
  hookswitch version               print the version

Each command has --help. The shortest beginning, without any file or account:

  hookswitch serve                 then call sip:demo@127.0.0.1 with any SIP phone
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process: 0 is success, 1 something was
// found wrong, 2 the command line was.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(errOut, usage)
		return 2
	}
	command, rest := args[0], args[1:]
	switch command {
	case "serve":
		return serve(rest, out, errOut)
	case "call":
		return call(rest, out, errOut)
	case "check":
		return check(rest, out, errOut)
	case "precache":
		return precache(rest, out, errOut)
	case "test":
		return testCommand(rest, out, errOut)
	case childCommand:
		testChild()
		return 0
	case "verify-signature":
		return verifySignature(rest, in, out, errOut)
	case "bench":
		return bench(rest, out, errOut)
	case "version", "--version", "-v":
		fmt.Fprintln(out, version())
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(out, usage)
		return 0
	}
	fmt.Fprintf(errOut, "hookswitch: there is no command %q\n\n%s", command, usage)
	return 2
}

// version is the module's version, or the commit a plain build was made from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "hookswitch, built without module information"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (v == "" || v == "(devel)") {
			v = s.Value[:12]
		}
	}
	return "hookswitch " + v + ", " + info.GoVersion
}
