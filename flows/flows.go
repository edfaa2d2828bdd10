// Package flows says which document answers a number, and reads the documents
// that are not on the web.
//
// A [Table] holds the routes. [Files] reads flows from folders of the operator
// (file: URLs) and the examples that are part of the program (embed: URLs).
package flows

import "embed"

// embedded holds the example flows. Each is a lesson that can be called:
// hello.xml, menu.xml, hours.xml, voicemail.xml, ask.xml, and the documents they lead to.
//
//go:embed *.xml
var embedded embed.FS
