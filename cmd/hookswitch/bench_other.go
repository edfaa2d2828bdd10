//go:build !linux

package main

import (
	"fmt"
	"io"
)

func bench(_ []string, _, errOut io.Writer) int {
	fmt.Fprintln(errOut, "hookswitch bench: it needs Linux, whose /proc and packet time stamps it measures with; run it in a container")
	return 2
}
