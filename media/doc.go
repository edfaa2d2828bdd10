// Package media moves sound and keys in and out of a call, every 20 ms.
//
// A [Stream] is one call's RTP (RFC 3550, profile RFC 3551): what is played
// goes out of it, what the caller says and presses comes in. A [Pacer] serves
// many streams from a few goroutines. Output is pulled: on each stream's own
// 20 ms deadline the pacer asks the current [Source] for a frame, encodes and
// sends it. Input is pushed: the pacer drains the [Wire] on its tick and hands
// each packet to [Stream.Receive]. No goroutine wakes and nothing is allocated
// for a packet. [Relay] joins two streams: what one receives the other sends
// before Receive returns.
//
// Everything runs on package time alone, so that testing/synctest drives it:
// give the pacer a Poll of 20 ms and one goroutine, and the stream a Wire that
// lives in memory.
package media
