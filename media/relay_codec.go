package media

// hearing is how a relay understands what it is to say in another codec. Its
// own side says it with the coder that everything of that stream is coded by,
// for that has to know what went before.
type hearing struct {
	codec   codec
	conv    converter
	samples []int16
}

// transcode writes what p has to payload, in the codec c of the stream that
// sends it. Both are as long. Packets are taken as they come: a coder that
// missed one recovers in a few milliseconds.
func (r *relay) transcode(payload []byte, p *passed, c codec) {
	h := &r.theirs
	switch {
	case p.codec == c.name:
		copy(payload, p.payload)
		return
	case h.codec.name != p.codec:
		h.codec = codecFor(p.codec)
	}
	if c.transcode != nil && h.codec.transcode != nil {
		c.transcode(payload, p.payload)
		return
	}
	n := len(payload) * h.codec.samples()
	if n > cap(h.samples) {
		h.samples = make([]int16, n)
	}
	samples := h.samples[:n]
	h.codec.decode(samples, p.payload)
	if h.codec.rate != c.rate {
		samples = h.conv.resample(samples, h.codec.rate, c.rate)
	}
	c.encode(payload, samples)
}
