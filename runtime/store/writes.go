package store

import (
	"context"
	"database/sql"
	"sync"
)

// writes commits in groups. A commit waits for the disk, and meanwhile the
// writes that have come in queue up; whoever gets the turn next commits them
// all at once. Under load one wait for the disk serves many calls.
type writes struct {
	db    *sql.DB
	turn  sync.Mutex // held while a group is committed
	mu    sync.Mutex // guards queue
	queue []*write
}

type write struct {
	run  func(*sql.Tx) error
	done bool // with err, written under turn
	err  error
}

// do runs a write and returns when it is on the disk, or with the reason why
// it is not. Once begun it is not cut short by ctx: the wait is the disk's.
func (w *writes) do(ctx context.Context, run func(*sql.Tx) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	mine := &write{run: run}
	w.mu.Lock()
	w.queue = append(w.queue, mine)
	w.mu.Unlock()

	w.turn.Lock()
	defer w.turn.Unlock()
	if mine.done { // in the group of someone before us
		return mine.err
	}
	w.mu.Lock()
	group := w.queue
	w.queue = nil
	w.mu.Unlock()

	err := w.commit(group)
	for _, each := range group {
		each.done, each.err = true, err
		if err != nil && len(group) > 1 {
			each.err = w.commit([]*write{each}) // one bad write must not fail the others
		}
	}
	return mine.err
}

func (w *writes) commit(group []*write) error {
	tx, err := w.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	for _, each := range group {
		if err := each.run(tx); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (w *writes) close() error {
	w.turn.Lock()
	defer w.turn.Unlock()
	return w.db.Close()
}
