package runtime

import (
	"context"
	"hash/maphash"
	"sync"
)

// recorder takes the state changes of calls to the store, those of one call in
// their order. A call waits for the store only when the change caused a
// callback: that has to be durable before anybody can see the change.
type recorder struct {
	server *Server
	queues [8]chan save
	seed   maphash.Seed
	wg     sync.WaitGroup
	closed sync.Once
}

// save is one state change of a call.
type save struct {
	call      CallRecord
	events    []Event
	recording *RecordingRecord // the change is one of a recording of the call, which is not saved itself then
	callbacks []Callback
	done      chan struct{} // closed when it is stored; nil when nobody waits
}

func newRecorder(s *Server) *recorder {
	r := &recorder{server: s, seed: maphash.MakeSeed()}
	for i := range r.queues {
		r.queues[i] = make(chan save, 64)
		r.wg.Go(func() { r.write(r.queues[i]) })
	}
	return r
}

func (r *recorder) write(queue <-chan save) {
	for sv := range queue {
		var err error
		if sv.recording != nil {
			err = r.server.Store.SaveRecording(context.Background(), *sv.recording, sv.callbacks)
		} else {
			err = r.server.Store.Save(context.Background(), sv.call, sv.events, sv.callbacks)
		}
		if err != nil {
			r.server.Log.Error("a call's record could not be stored", "call", sv.call.SID, "error", err)
		}
		if sv.recording != nil {
			if _, ok := sv.recording.Ordered(); ok {
				signal(r.server.transcripts)
			}
		}
		if len(sv.callbacks) > 0 {
			select {
			case r.server.due <- struct{}{}:
			default: // a wake-up is pending already
			}
		}
		if sv.done != nil {
			close(sv.done)
		}
	}
}

// put hands sv over, and waits until it is stored when it has callbacks.
func (r *recorder) put(sv save) {
	if len(sv.callbacks) > 0 {
		sv.done = make(chan struct{})
	}
	r.queues[maphash.String(r.seed, sv.call.SID)%uint64(len(r.queues))] <- sv
	if sv.done != nil {
		<-sv.done
	}
}

// close waits until everything put before is stored.
func (r *recorder) close() {
	r.closed.Do(func() {
		for _, q := range r.queues {
			close(q)
		}
	})
	r.wg.Wait()
}
