// Package media moves sound and keys in and out of a call, every 20 ms.
package media

type Stream struct{}
