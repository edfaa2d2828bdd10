package texml

import "strconv"

// Queue takes the first caller of a queue.
type Queue struct {
	base
	Queue               string // its name
	URL, Method         string // runs on the queued caller before the two are connected
	ReservationSID      string
	PostWorkActivitySID string
}

func queue(e *element) Node {
	q := &Queue{
		base:                e.base(),
		URL:                 e.attr("url", 14212).url(),
		Method:              e.attr("method", 14211).method("POST"),
		ReservationSID:      e.attr("reservationSid", 14215).on(Twilio).text(),
		PostWorkActivitySID: e.attr("postWorkActivitySid", 14215).on(Twilio).text(),
	}
	var ok bool
	if q.Queue, ok = queueName(e, e.content(), 14210, 14210); !ok {
		return nil
	}
	return q
}

// queueName reports a name that is not 1 to 64 characters long.
func queueName(e *element, name string, short, long int) (string, bool) {
	switch n := len([]rune(name)); {
	case templated(name):
		return name, true
	case n == 0:
		e.slip(Warning, short, "<"+e.name+"> has no queue name and is skipped", "put the name of the queue inside", "Twilio logs "+strconv.Itoa(short))
	case n > 64:
		e.slip(Warning, long, "<"+e.name+"> has a queue name of more than 64 characters and is skipped", "shorten it", "Twilio logs "+strconv.Itoa(long))
	default:
		return name, true
	}
	return "", false
}
