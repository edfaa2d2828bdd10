package texml

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// decode turns a body into UTF-8. It knows UTF-8, UTF-16 and the Latin
// alphabets that old web servers declare; bom reports a byte order mark, which
// is dropped. A body of another encoding comes back as it is.
//
// The charset of a Content-Type header, which RFC 7303 section 3.2 puts before
// the declaration, does not get here: such a document has to declare its
// encoding, or be UTF-8, or it is refused as not UTF-8.
func decode(body []byte) (src string, bom bool) {
	s := string(body)
	switch {
	case strings.HasPrefix(s, "\xef\xbb\xbf"):
		return s[3:], true
	case strings.HasPrefix(s, "\xfe\xff"):
		return decodeUTF16(body[2:], binary.BigEndian), true
	case strings.HasPrefix(s, "\xff\xfe"):
		return decodeUTF16(body[2:], binary.LittleEndian), true
	case strings.HasPrefix(s, "\x00<"):
		return decodeUTF16(body, binary.BigEndian), false
	case strings.HasPrefix(s, "<\x00"):
		return decodeUTF16(body, binary.LittleEndian), false
	}
	switch strings.ToLower(declared(s)) {
	case "iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii", "windows-1252", "cp1252":
		return decodeLatin(s), false
	}
	return s, false
}

func decodeUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// declared gives the encoding named in the XML declaration, if any.
func declared(s string) string {
	s = strings.TrimLeft(s, " \t\r\n")
	if !strings.HasPrefix(s, "<?xml") {
		return ""
	}
	s, _, _ = strings.Cut(s, "?>")
	_, s, ok := strings.Cut(s, "encoding")
	if s = strings.TrimLeft(s, " \t\r\n="); !ok || s == "" {
		return ""
	}
	name, _, _ := strings.Cut(s[1:], s[:1]) // between two quotes of one kind
	return name
}

// decodeLatin reads Windows-1252, of which ISO-8859-1 is a part as far as
// documents use it: web browsers treat the two alike (WHATWG Encoding).
func decodeLatin(s string) string {
	const high = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ" // 0x80 to 0x9f
	table := []rune(high)
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x80:
			b.WriteByte(c)
		case c < 0xa0:
			b.WriteRune(table[c-0x80])
		default:
			b.WriteRune(rune(c))
		}
	}
	return b.String()
}
