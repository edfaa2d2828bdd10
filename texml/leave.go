package texml

// Leave takes the caller out of the queue whose wait document holds it.
type Leave struct{ base }

func leave(e *element) Node { return &Leave{e.base()} }
