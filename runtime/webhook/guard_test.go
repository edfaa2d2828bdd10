package webhook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers each lookup of a name with the next of its answers, the
// last for all that follow. An answer is addresses with spaces between.
func nameServer(names map[string][]string) *net.Resolver {
	var mu sync.Mutex
	asked := map[string]int{}
	resolve := func(query []byte) []byte {
		var m dnsmessage.Message
		if m.Unpack(query) != nil || len(m.Questions) == 0 {
			return nil
		}
		q := m.Questions[0]
		name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
		m.Header.Response, m.Header.RecursionAvailable, m.Additionals = true, true, nil
		mu.Lock()
		defer mu.Unlock()
		answers := names[name]
		if len(answers) == 0 {
			m.Header.RCode = dnsmessage.RCodeNameError
		} else {
			n := min(asked[name+q.Type.String()], len(answers)-1)
			asked[name+q.Type.String()]++
			for text := range strings.FieldsSeq(answers[n]) {
				a := netip.MustParseAddr(text)
				header := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}
				switch {
				case q.Type == dnsmessage.TypeA && a.Is4():
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
				case q.Type == dnsmessage.TypeAAAA && a.Is6():
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
		}
		answer, _ := m.Pack()
		return answer
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { // ends when the resolver closes its side
			defer theirs.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(theirs, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(theirs, query); err != nil {
					return
				}
				answer := resolve(query)
				if _, err := theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

// TestGuardRefuses asks for what must not be connected to. A name server knows
// every spelling that one could resolve.
func TestGuardRefuses(t *testing.T) {
	names := map[string][]string{
		"0x7f000001":             {"127.0.0.1"},
		"0x7f.1":                 {"127.0.0.1"},
		"localhost.example.com":  {"127.0.0.1"},
		"nip.example.com":        {"10.0.0.1"},
		"metadata.example.com":   {"169.254.169.254"},
		"six.example.com":        {"::1"},
		"both.example.com":       {"fd00::1 192.168.0.1"},
		"mapped.example.com":     {"::ffff:127.0.0.1"},
		"nat64.example.com":      {"64:ff9b::7f00:1"},
		"metadata.google.intern": {"169.254.169.254"},
	}
	hosts := []string{
		"127.0.0.1", "127.1.2.3", "127.255.255.254", "localhost", "[::1]", "0.0.0.0", "[::]", // this machine
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "[fd00::1]", "[fc00::1]", // private
		"169.254.169.254", "169.254.170.2", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", // clouds' credentials
		"100.64.0.1", "100.127.255.255", // carrier-grade NAT
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", // IPv4 in IPv6
		"[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2001::1]", // NAT64, 6to4, Teredo
		"192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "[2001:db8::1]", // documentation, measuring
		"224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]", "192.88.99.1", // multicast, broadcast, reserved
		"LOCALHOST.EXAMPLE.COM", "localhost.example.com.",
	}
	for name := range names {
		hosts = append(hosts, name)
	}
	if len(hosts) < 40 {
		t.Fatalf("%d rows", len(hosts))
	}
	c := client(t, Config{AllowHosts: []string{}})
	c.guard.resolver = nameServer(names)
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https"} {
			_, err := c.Do(t.Context(), Request{URL: scheme + "://" + host + "/latest/meta-data/"})
			if code(err) != 11205 || !strings.Contains(err.Error(), "webhooks.allow_hosts") {
				t.Errorf("%s://%s: got %v, want a refusal", scheme, host, err)
			}
		}
	}
	// Go does not take these for addresses, nor for names; a resolver that does
	// makes them refused.
	for _, host := range []string{"2130706433", "017700000001", "0177.0.0.1", "127.1", "0"} {
		_, err := c.Do(t.Context(), Request{URL: "http://" + host + "/"})
		if got := code(err); got != 11205 && got != 11210 {
			t.Errorf("%s: got %v, want a refusal", host, err)
		}
	}
	if _, err := c.Media(t.Context(), "http://127.0.0.1/hello.wav"); code(err) != 11205 {
		t.Errorf("media: got %v, want a refusal", err)
	}
}

func TestGuardRefusesRedirects(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.URL.Query().Get("to")+"/", http.StatusFound)
	})
	secret := serve(t, xml) // on this machine too, and nobody named its port
	c := client(t, Config{AllowHosts: []string{strings.TrimPrefix(s.URL, "http://")}})
	for _, to := range []string{strings.TrimPrefix(secret.URL, "http://"), "169.254.169.254", "[::ffff:a9fe:a9fe]", "10.0.0.1:8080"} {
		if _, err := c.Do(t.Context(), Request{URL: s.URL + "/?to=" + to}); code(err) != 11205 {
			t.Errorf("%s: got %v, want a refusal", to, err)
		}
		if _, err := c.Media(t.Context(), s.URL+"/?to="+to); code(err) != 11205 {
			t.Errorf("media %s: got %v, want a refusal", to, err)
		}
	}
	if n := len(secret.asked()); n != 0 {
		t.Errorf("%d requests got through", n)
	}
}

// TestGuardRebinding has a name server answer with an allowed address first
// and with others later.
func TestGuardRebinding(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		xml(w, r)
	})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	c := client(t, Config{AllowHosts: []string{"127.0.0.1"}})
	c.guard.resolver = nameServer(map[string][]string{"rebind.example.com": {"127.0.0.1", "169.254.169.254", "127.0.0.2"}})
	for i, want := range []int{0, 11205, 11205} {
		if _, err := c.Do(t.Context(), Request{URL: "http://rebind.example.com:" + port + "/"}); code(err) != want {
			t.Errorf("request %d: got %v, want code %d", i+1, err, want)
		}
	}
}

func TestGuardCheck(t *testing.T) {
	for _, row := range []struct {
		name, allow, host string
		port              uint16
		addr              string
		want              bool
	}{
		{"a public address", "", "example.com", 443, "93.184.215.14", true},
		{"a public address on any port", "", "example.com", 9999, "93.184.215.14", true},
		{"a public IPv6 address", "", "example.com", 443, "2606:2800:21f:cb07::1", true},
		{"a public address, mapped", "", "example.com", 443, "::ffff:93.184.215.14", true},
		{"a private address", "", "example.com", 443, "10.1.2.3", false},
		{"a name", "app.local", "app.local", 80, "10.1.2.3", true},
		{"a name in capitals with a dot", "App.Local.", "APP.local", 80, "10.1.2.3", true},
		{"another name", "app.local", "other.local", 80, "10.1.2.3", false},
		{"a name below", "app.local", "x.app.local", 80, "10.1.2.3", false},
		{"a suffix", "*.local", "x.app.local", 80, "10.1.2.3", true},
		{"a suffix is not the name itself", "*.local", "local", 80, "10.1.2.3", false},
		{"a suffix ends at a dot", "*.local", "notlocal", 80, "10.1.2.3", false},
		{"a port", "app.local:3000", "app.local", 3000, "10.1.2.3", true},
		{"another port", "app.local:3000", "app.local", 22, "10.1.2.3", false},
		{"a suffix with a port", "*.local:3000", "app.local", 22, "10.1.2.3", false},
		{"a CIDR", "10.1.0.0/16", "any.example", 80, "10.1.2.3", true},
		{"beside the CIDR", "10.1.0.0/16", "any.example", 80, "10.2.2.3", false},
		{"a CIDR, the address mapped", "10.1.0.0/16", "any.example", 80, "::ffff:10.1.2.3", true},
		{"an address", "127.0.0.1", "localhost", 80, "127.0.0.1", true},
		{"an address with a port", "127.0.0.1:3000", "localhost", 3000, "127.0.0.1", true},
		{"an address with another port", "127.0.0.1:3000", "localhost", 22, "127.0.0.1", false},
		{"an IPv6 address", "::1", "localhost", 80, "::1", true},
		{"an IPv6 address with a port", "[::1]:3000", "localhost", 3000, "::1", true},
		{"an IPv6 CIDR", "fd00::/8", "any.example", 80, "fd12::1", true},
		{"a zone", "fe80::1", "any.example", 80, "fe80::1%lo", true},
		{"a name does not open credentials", "app.local", "app.local", 80, "169.254.169.254", false},
		{"nor mapped", "app.local", "app.local", 80, "::ffff:169.254.169.254", false},
		{"nor by NAT64", "app.local", "app.local", 80, "64:ff9b::a9fe:a9fe", false},
		{"nor a suffix", "*.local", "app.local", 80, "fd00:ec2::254", false},
		{"the address itself does", "169.254.169.254", "app.local", 80, "169.254.169.254", true},
	} {
		g, err := newGuard(strings.Fields(row.allow))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if err := g.check(row.host, row.port, netip.MustParseAddr(row.addr)); (err == nil) != row.want {
			t.Errorf("%s: got %v, want allowed: %v", row.name, err, row.want)
		}
	}
}

func TestCheckAllowHosts(t *testing.T) {
	for _, good := range []string{"app.local", "app.local:80", "*.local", "*.local:80", "10.0.0.0/8", "10.0.0.1", "10.0.0.1:80", "::1", "[::1]", "[::1]:80", "fd00::/8", " localhost "} {
		if err := CheckAllowHosts([]string{good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "*", "*.", "*local", ".local", "a*.local", "http://app.local", "app.local/path", "10.0.0.0/33", "app.local:0", "app.local:http", "app.local:99999", "user@app.local", "[app]:1:2", "a b"} {
		if err := CheckAllowHosts([]string{"localhost", bad}); err == nil || strings.Contains(err.Error(), "localhost") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestErrorsNameTheRemedy(t *testing.T) {
	c := client(t, Config{AllowHosts: []string{}})
	c.guard.resolver = nameServer(map[string][]string{"localhost": {"127.0.0.1"}, "app.example.com": {"169.254.169.254"}})
	for _, row := range []struct {
		url  string
		code int
		want string
	}{
		{"http://localhost:3000/voice", 11205, `add "localhost:3000" to webhooks.allow_hosts`},
		{"http://[fd00::1]/", 11205, `add "[fd00::1]:80" to webhooks.allow_hosts`},
		{"http://app.example.com/", 11205, `add "169.254.169.254" to webhooks.allow_hosts`},
		{"http://nowhere.example.com/", 11210, `no address for host "nowhere.example.com"; check the name`},
	} {
		_, err := c.Do(t.Context(), Request{URL: row.url})
		if code(err) != row.code || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want code %d and %s", row.url, err, row.code, row.want)
		}
	}
}

func TestBroken(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, row := range []struct {
		name      string
		err       error
		connected bool
		code      int
		failure   failure
	}{
		{"a firewall drops packets", dial(os.ErrDeadlineExceeded), false, 11201, noConnection},
		{"the system gives up", dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), false, 11201, noConnection},
		{"nobody listens", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), false, 11202, noConnection},
		{"no route", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), false, 11205, noConnection},
		{"no such name", &net.DNSError{Name: "x", IsNotFound: true}, false, 11210, noConnection},
		{"a name server that does not answer", &net.DNSError{Name: "x", IsTimeout: true}, false, 11210, noConnection},
		{"a refused address", dial(&refusal{host: "x:80", addr: netip.MustParseAddr("10.0.0.1")}), false, 11205, permanent},
		{"a slow handshake", &handshakeError{context.DeadlineExceeded}, false, 11220, noConnection},
		{"a connection reset", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true, 11205, brokenAnswer},
	} {
		if got := broken(row.err, row.connected); got.Code != row.code || got.failure != row.failure {
			t.Errorf("%s: got %d, failure %d", row.name, got.Code, got.failure)
		}
	}
}

// certificate makes one for host, signed by authority, or by itself without.
func certificate(t *testing.T, host string, until time.Time, authority *tls.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IsCA: authority == nil, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	parent, signer := template, any(key)
	if authority != nil {
		parent, signer = authority.Leaf, authority.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestTLS(t *testing.T) {
	later := time.Now().Add(time.Hour)
	authority := certificate(t, "authority", later, nil)
	roots := x509.NewCertPool()
	roots.AddCert(authority.Leaf)
	for _, row := range []struct {
		name string
		cert tls.Certificate
		code int
	}{
		{"a good certificate", certificate(t, "127.0.0.1", later, &authority), 0},
		{"another host's", certificate(t, "other.example.com", later, &authority), 11235},
		{"an old one", certificate(t, "127.0.0.1", time.Now().Add(-time.Hour), &authority), 11236},
		{"one signed by itself", certificate(t, "127.0.0.1", later, nil), 11237},
	} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(xml))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{row.cert}}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		_, err := client(t, Config{RootCAs: roots}).Do(t.Context(), Request{URL: s.URL + "/#rc=0"})
		if code(err) != row.code {
			t.Errorf("%s: got %v, want code %d", row.name, err, row.code)
		}
		if row.code == 0 {
			old := strings.Replace(s.URL, "https", "http", 1)
			if _, err := client(t, Config{}).Do(t.Context(), Request{URL: old}); code(err) != 11200 {
				t.Errorf("http to a TLS port: got %v, want code 11200", err)
			}
		}
		s.Close()
	}
	plain := serve(t, xml)
	_, err := client(t, Config{}).Do(t.Context(), Request{URL: strings.Replace(plain.URL, "http", "https", 1) + "/#rc=0"})
	if code(err) != 11220 || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("https to a plain port: got %v, want code 11220", err)
	}
}
