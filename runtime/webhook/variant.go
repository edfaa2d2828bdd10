package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// mostChanges is how many things may be wrong at once.
const mostChanges = 3

// variant is one reading of a request that Twilio may have signed. Path and
// query are kept byte for byte.
type variant struct {
	scheme, user, host, port string
	path, query              string // query with its ?
	form                     url.Values
	token                    string
	changes                  []string // from the request as received, each with what to do
}

// received reads a request as it stands.
func received(r Received) (variant, bool) {
	raw, _, _ := strings.Cut(strings.TrimSpace(r.URL), "#")
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || rest == "" {
		return variant{}, false
	}
	v := variant{scheme: scheme, token: r.Token}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		v.user, authority = authority[:i+1], authority[i+1:]
	}
	v.host, v.port = cutPort(authority)
	v.path = rest[end:]
	if i := strings.IndexByte(v.path, '?'); i >= 0 {
		v.path, v.query = v.path[:i], v.path[i:]
	}
	if isForm(r) {
		v.form, _ = url.ParseQuery(strings.TrimRight(string(r.Body), "\r\n"))
	}
	return v, v.host != ""
}

// isForm tells whether the body's parameters are part of what is signed.
func isForm(r Received) bool {
	if r.Method == http.MethodGet || len(r.Body) == 0 {
		return false
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded" ||
		kind == "" && !strings.HasPrefix(strings.TrimSpace(string(r.Body)), "{")
}

func (v variant) url() string {
	s := v.scheme + "://" + v.user + v.host
	if v.port != "" {
		s += ":" + v.port
	}
	return s + v.path + v.query
}

// shown is the URL without the password.
func (v variant) shown() string {
	if name, _, ok := strings.Cut(v.user, ":"); ok {
		v.user = name + ":***@"
	}
	return v.url()
}

// but is v with one more change.
func (v variant) but(change string, alter func(*variant)) variant {
	alter(&v)
	v.changes = append(slices.Clip(v.changes), change)
	return v
}

// each calls f with the request as it stands, and with it changed in up to
// mostChanges of the ways in which programs and proxies change one.
func (v variant) each(r Received, f func(variant)) {
	ways := []func(variant, Received) []variant{tokens, schemes, hosts, ports, paths, queries, users, forms}
	var walk func(v variant, way int)
	walk = func(v variant, way int) {
		if way == len(ways) {
			f(v)
			return
		}
		walk(v, way+1)
		if len(v.changes) < mostChanges {
			for _, changed := range ways[way](v, r) {
				walk(changed, way+1)
			}
		}
	}
	walk(v, 0)
}

func tokens(v variant, _ Received) []variant {
	if t := strings.Trim(v.token, " \t\r\n\"'"); t != v.token {
		return []variant{v.but("the token has no spaces, quotes or line end around it: strip them where you read it", func(v *variant) { v.token = t })}
	}
	return nil
}

func schemes(v variant, r Received) (changed []variant) {
	why := map[string]string{
		"https": "the URL begins with https://: your proxy ends TLS; build the URL from X-Forwarded-Proto, or from the public address in your settings",
		"http":  "the URL begins with http://: the platform is configured with http; configure it with https, or build the URL as configured",
		"wss":   "the URL begins with wss://: a WebSocket is signed so; build the URL of the socket, not of the page",
	}
	candidates := []string{"https", "http"}
	if strings.HasPrefix(v.scheme, "ws") || strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		candidates = append(candidates, "wss")
	}
	for _, scheme := range candidates {
		if scheme != v.scheme {
			changed = append(changed, v.but(why[scheme], func(v *variant) { v.scheme = scheme }))
		}
	}
	return changed
}

func hosts(v variant, r Received) (changed []variant) {
	for _, header := range []string{"X-Forwarded-Host", "X-Original-Host", "Host"} {
		value, _, _ := strings.Cut(r.Header.Get(header), ",")
		host, port := cutPort(strings.TrimSpace(value))
		if host == "" || host == v.host {
			continue
		}
		changed = append(changed, v.but(fmt.Sprintf("the host is %s, as %s says: build the URL from that header, and only behind your own proxy", host, header),
			func(v *variant) { v.host, v.port = host, port }))
	}
	if lower := strings.ToLower(v.host); lower != v.host {
		changed = append(changed, v.but("the host is in lower case", func(v *variant) { v.host = lower }))
	}
	return changed
}

func ports(v variant, r Received) (changed []variant) {
	candidates := []string{"", "443", "80", r.Header.Get("X-Forwarded-Port")}
	for i, port := range candidates {
		if port == v.port || slices.Contains(candidates[:i], port) {
			continue
		}
		why := "the URL has no port: leave out the port that your server listens on"
		if port != "" {
			why = "the URL has port " + port + ": add it, as configured at the platform"
		}
		changed = append(changed, v.but(why, func(v *variant) { v.port = port }))
	}
	return changed
}

func paths(v variant, r Received) (changed []variant) {
	path, slash := strings.CutSuffix(v.path, "/")
	if slash {
		changed = append(changed, v.but("the path has no slash at its end: your server or framework adds one; configure the URL with it, or take it off before you check",
			func(v *variant) { v.path = path }))
	} else {
		changed = append(changed, v.but("the path ends with a slash: your server or framework takes it off; put it back before you check, or configure the URL without",
			func(v *variant) { v.path += "/" }))
	}
	if prefix := strings.TrimSuffix(r.Header.Get("X-Forwarded-Prefix"), "/"); prefix != "" {
		changed = append(changed, v.but("the path begins with "+prefix+", as X-Forwarded-Prefix says: your proxy takes it off; put it back before you check",
			func(v *variant) { v.path = prefix + v.path }))
	}
	for _, header := range []string{"X-Original-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Uri"} {
		if original := r.Header.Get(header); strings.HasPrefix(original, "/") && original != v.path+v.query {
			changed = append(changed, v.but("path and query are those of "+header+": your proxy rewrites them; build the URL from that header",
				func(v *variant) {
					v.path, v.query = original, ""
					if i := strings.IndexByte(original, '?'); i >= 0 {
						v.path, v.query = original[:i], original[i:]
					}
				}))
		}
	}
	if decoded, err := url.PathUnescape(v.path); err == nil {
		for _, other := range []string{decoded, (&url.URL{Path: decoded}).EscapedPath()} {
			if other != v.path {
				changed = append(changed, v.but("the path is percent-encoded otherwise: take it from the request line, before your framework decodes it",
					func(v *variant) { v.path = other }))
			}
		}
	}
	return changed
}

func queries(v variant, r Received) (changed []variant) {
	seen := map[string]bool{v.query: true}
	add := func(query, why string) {
		if query == "?" {
			query = ""
		}
		if !seen[query] {
			seen[query] = true
			changed = append(changed, v.but(why, func(v *variant) { v.query = query }))
		}
	}
	const encoding = "the query is encoded otherwise: take it from the request line, not from your framework's parsed form"
	raw := strings.TrimPrefix(v.query, "?")
	add("?"+strings.ReplaceAll(raw, "'", "%27"), encoding)
	add("?"+strings.ReplaceAll(raw, "+", "%20"), encoding)
	add("?"+strings.ReplaceAll(raw, "%20", "+"), encoding)
	if decoded, err := url.QueryUnescape(raw); err == nil {
		add("?"+decoded, encoding)
	}
	pairs := strings.Split(raw, "&")
	if len(pairs) <= 5 {
		permute(pairs, len(pairs), func(pairs []string) {
			add("?"+strings.Join(pairs, "&"), "the parameters of the query stand in another order: take the query from the request line as it is")
		})
	}
	if values, err := url.ParseQuery(raw); err == nil {
		add("?"+values.Encode(), encoding)
	}
	if len(r.Body) > 0 && !strings.Contains(raw, "bodySHA256=") {
		sum := "bodySHA256=" + sha256Hex(r.Body)
		if raw != "" {
			sum = raw + "&" + sum
		}
		add("?"+sum, "the query ends with bodySHA256=…: something dropped it on the way")
	}
	add("", "the query is not part of the URL: something added it on the way, or the platform is configured without")
	return changed
}

// permute calls f with every order of the first n of s.
func permute(s []string, n int, f func([]string)) {
	if n <= 1 {
		f(s)
		return
	}
	for i := range n {
		s[i], s[n-1] = s[n-1], s[i]
		permute(s, n-1, f)
		s[i], s[n-1] = s[n-1], s[i]
	}
}

func users(v variant, r Received) (changed []variant) {
	if v.user != "" {
		changed = append(changed, v.but("the URL has no user and password in it: leave them out", func(v *variant) { v.user = "" }))
	}
	basic, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic ")
	if !ok {
		return changed
	}
	if user, err := base64.StdEncoding.DecodeString(basic); err == nil && string(user)+"@" != v.user {
		changed = append(changed, v.but("user and password stand in the URL, https://user:password@host: they are signed with it; take them from the Authorization header",
			func(v *variant) { v.user = string(user) + "@" }))
	}
	return changed
}

func forms(v variant, r Received) (changed []variant) {
	if len(v.form) == 0 {
		if r.Method != http.MethodGet && len(r.Body) > 0 {
			if form, err := url.ParseQuery(string(r.Body)); err == nil {
				changed = append(changed, v.but("the body is read as a form: its Content-Type is application/x-www-form-urlencoded", func(v *variant) { v.form = form }))
			}
		}
		return changed
	}
	changed = append(changed, v.but("no parameter of the body is added: for a GET or a body that is not a form, only the URL is signed", func(v *variant) { v.form = nil }))

	query, _ := url.ParseQuery(strings.TrimPrefix(v.query, "?"))
	own, plus, spaces := url.Values{}, url.Values{}, false
	for name, values := range v.form {
		if !slices.Equal(values, query[name]) {
			own[name] = values
		}
		for _, value := range values {
			if strings.HasPrefix(value, " ") {
				value, spaces = "+"+value[1:], true
			}
			plus[name] = append(plus[name], value)
		}
	}
	if len(own) < len(v.form) {
		changed = append(changed, v.but("the parameters of the query are not added again: your framework mixes them with those of the body; use the body's only",
			func(v *variant) { v.form = own }))
	}
	if spaces {
		changed = append(changed, v.but("values that begin with a space begin with +: a + in the body became a space; phone numbers are sent as %2B1…",
			func(v *variant) { v.form = plus }))
	}
	return changed
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
