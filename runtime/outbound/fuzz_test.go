package outbound

import (
	"net/netip"
	"strings"
	"testing"
)

// hostIn reads the host of a URI as any reader of it would: what stands after
// the last @, up to the port, a parameter or a header.
func hostIn(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	if strings.HasPrefix(rest, "[") {
		host, _, _ := strings.Cut(rest[1:], "]")
		return strings.ToLower(host)
	}
	host, _, _ := strings.Cut(rest, ":")
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

func here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// FuzzRoute: without a configuration nothing but this machine is called, and
// with one nothing but what it names, however the target is written.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{
		"+493023456", "00493023456", "112", "+49 (900) 5", "tel:+1-900-555-0100;phone-context=+44", "client:x", "sip:a@127.0.0.1:5060;transport=tcp",
		"sip:+19005550100@sip.example.com;user=phone", "sip:%2B449123456789@pbx.example.com", "sip:a@[::ffff:7f00:1]", "sip:a@[2001:db8::1]:5070",
		"SIP:a@evil.example.net@localhost", "sip:127.0.0.1;maddr=192.0.2.1", "sip:a@127.1?Route=%3Csip:x%3E", "sip:*31*1@sip.example.com", "sips:a@localhost",
		"sip:a;x=@b@c", "sip:a@0x7f000001", "sip:a@127.0.0.1\r\nX: y", "sip:alice:pw@192.0.2.9:5080", "sip:a@xn--pbx.example.com.", "sip:ü@localhost",
	} {
		f.Add(s)
	}
	empty, some := policy(f, Config{}), policy(f, full)
	f.Fuzz(func(t *testing.T, target string) {
		if r, err := empty.Route(target); err == nil {
			if !here(hostIn(r.URI)) || !here(hostIn(strings.TrimSpace(target))) || r.Proxy != "" || r.Trunk != "" {
				t.Errorf("%q goes to %+v", target, r)
			}
		}
		r, err := some.Route(target)
		if err != nil {
			return
		}
		host := hostIn(r.URI)
		named := here(host) || host == "sip.example.com" || host == "2001:db8::1" || host == "pbx.example.com" || host == "192.0.2.9" ||
			host == "desk.example.com" || strings.HasSuffix(host, ".inner.example.com")
		if !named {
			t.Errorf("%q goes to %s", target, host)
		}
		if strings.HasPrefix(strings.ToLower(strings.TrimSpace(target)), "sip:") {
			if asked := hostIn(strings.TrimSpace(target)); asked != host && !(here(asked) && here(host)) && netip.MustParseAddr(asked) != netip.MustParseAddr(host) {
				t.Errorf("%q asks for %s and goes to %s", target, asked, host)
			}
		}
		if strings.ContainsAny(r.URI, " \r\n\x00<>\"?\\") || strings.Count(r.URI, "@") > 1 || !strings.HasPrefix(r.URI, "sip:") {
			t.Errorf("%q becomes %q", target, r.URI)
		}
		again, err := some.Route(r.URI)
		if err != nil || again != r {
			t.Errorf("%q becomes %+v, and that becomes %+v, %v", target, r, again, err)
		}
		if r.Emergency {
			t.Errorf("%q is for help, and no trunk is", target)
		}
		if r.Trunk != "" || host == "pbx.example.com" {
			user, _, _ := strings.Cut(strings.TrimPrefix(r.URI, "sip:"), "@")
			for _, loot := range []string{"+881", "+4491", "+979", "00881", "+88 1"} {
				if strings.HasPrefix(user, loot) {
					t.Errorf("%q gets to %s", target, r.URI)
				}
			}
		}
	})
}
