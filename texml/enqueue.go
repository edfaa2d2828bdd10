package texml

import "time"

// Enqueue puts the caller into a queue.
type Enqueue struct {
	base
	Queue         string // its name; "" with Task or WorkflowSID
	Action        string // "": the next verb runs
	Method        string
	WaitURL       string // "" with HasWaitURL: silence
	HasWaitURL    bool
	WaitURLMethod string
	MaxWait       time.Duration // maxWaitTimeSecs in XML
	MaxQueueSize  int           // 1 to 5000; 0: what the queue has
	WorkflowSID   string
	Task          *Task
}

func enqueue(e *element) Node {
	wait := e.attr("waitUrl", 14202)
	q := &Enqueue{
		base:          e.base(),
		Action:        e.attr("action", 14203).url(),
		Method:        e.attr("method", 14201).method("POST"),
		WaitURL:       wait.url(),
		HasWaitURL:    wait.written(),
		WaitURLMethod: e.attr("waitUrlMethod", 14206).method("POST"),
		MaxWait:       e.attr("maxWaitTimeSecs", 0).on(Telnyx).seconds(14400, 1, many),
		MaxQueueSize:  e.attr("maxQueueSize", 0).on(Twilio).whole(0, 1, 5000),
		WorkflowSID:   e.attr("workflowSid", 14220).on(Twilio).text(),
	}
	q.Queue = e.content()
	for _, n := range e.nodes(0, "Task") {
		q.Task = n.(*Task)
	}
	if q.Task != nil || q.WorkflowSID != "" {
		return q
	}
	if _, ok := queueName(e, q.Queue, 14204, 14205); !ok {
		return nil
	}
	return q
}
