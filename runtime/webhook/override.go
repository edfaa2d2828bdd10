package webhook

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// overrides are the connection settings of one request. The fragment of its
// URL may set them: https://host/path#rc=2&rp=4xx,5xx&ct=2000
//
//	ct  connect time limit, 100 to 10000 ms
//	rt  longest wait for the first and between later bytes, 100 to 15000 ms
//	tt  whole time, retries included, 100 to 15000 ms
//	rc  retries, 0 to 5
//	rp  what to retry, separated by commas: ct (no connection), rt (no answer
//	    in time), 4xx, 5xx, all
//	sni, e, r  understood, without effect: the server name is always sent, and
//	    there is one edge, this machine
type overrides struct {
	connect, read, total time.Duration
	retries              int
	retry                map[failure]bool
}

// parseOverrides reads a fragment over what o has. A retry policy that does
// not exist is an error, as it is for Twilio (11243); any other setting that
// cannot be used is left as it was and named in ignored. A fragment that is
// not made of settings is no concern of ours.
func parseOverrides(fragment string, o overrides) (_ overrides, ignored []string, err error) {
	if !strings.Contains(fragment, "=") {
		return o, nil, nil
	}
	longestTotal := max(o.total, 15*time.Second) // an operator's longer limit stays reachable
	for pair := range strings.SplitSeq(fragment, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		ok := true
		switch name {
		case "ct":
			ok = setMillis(&o.connect, value, 10*time.Second)
		case "rt":
			ok = setMillis(&o.read, value, 15*time.Second)
		case "tt":
			ok = setMillis(&o.total, value, longestTotal)
		case "rc":
			n, err := strconv.Atoi(value)
			if ok = err == nil && n >= 0 && n <= 5; ok {
				o.retries = n
			}
		case "rp":
			if o.retry, err = parseRetry(value); err != nil {
				return o, ignored, err
			}
		case "sni", "e", "r":
		default:
			ok = false
		}
		if !ok {
			ignored = append(ignored, name)
		}
	}
	return o, ignored, nil
}

func setMillis(d *time.Duration, value string, longest time.Duration) bool {
	n, err := strconv.Atoi(value)
	if err != nil || n < 100 || n > int(longest/time.Millisecond) {
		return false
	}
	*d = time.Duration(n) * time.Millisecond
	return true
}

func parseRetry(value string) (map[failure]bool, error) {
	retry := map[failure]bool{}
	for policy := range strings.SplitSeq(value, ",") {
		switch policy {
		case "ct":
			retry[noConnection] = true
		case "rt":
			retry[noAnswer] = true
		case "4xx":
			retry[clientStatus] = true
		case "5xx":
			retry[serverStatus] = true
		case "all":
			for f := noConnection; f <= brokenAnswer; f++ {
				retry[f] = true
			}
		default:
			return nil, fmt.Errorf("the fragment's retry policy rp has an unknown value; write ct, rt, 4xx, 5xx or all, separated by commas")
		}
	}
	return retry, nil
}
