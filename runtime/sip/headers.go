package sip

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reserved are the headers that are not the application's to write: those that
// say where a request goes, which call it belongs to, who asks, and what for.
const reserved = " via route record-route from to call-id cseq contact max-forwards content-length content-type content-encoding " +
	"authorization proxy-authorization require proxy-require supported allow expires refer-to refer-sub event subscription-state "

// Limits of what an application may add to a request.
const (
	maxHeaders = 64
	maxValue   = 1024 // bytes of a header, or of another part of a destination
)

// furtherHeaders checks headers that the application wants to add to a request,
// and returns them sorted by name. None may end a line.
func furtherHeaders(headers map[string][]string) ([]field, error) {
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower := strings.ToLower(name)
		if long, short := longNames[lower]; short {
			return nil, fmt.Errorf("header %q is not one that may be set; it is %s", name, long)
		}
		if !token(name) || strings.Contains(reserved, " "+lower+" ") {
			return nil, fmt.Errorf("header %q is not one that may be set", name)
		}
		for _, v := range headers[name] {
			if strings.ContainsAny(v, "\r\n\x00") {
				return nil, fmt.Errorf("header %s has a line end or a zero byte", name)
			}
			if len(name)+len(v) > maxValue {
				return nil, fmt.Errorf("header %.50s is longer than %d bytes", name, maxValue)
			}
			if len(fields) == maxHeaders {
				return nil, fmt.Errorf("more than %d headers", maxHeaders)
			}
			fields = append(fields, field{name, v})
		}
	}
	return fields, nil
}
