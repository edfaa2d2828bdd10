package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/hookswitch/hookswitch/runtime"
)

func (db *DB) Owe(ctx context.Context, account, sid string, callbacks []runtime.Callback) error {
	err := db.writes.do(ctx, func(tx *sql.Tx) error { return queue(tx, account, sid, callbacks) })
	if err != nil {
		return fmt.Errorf("callbacks of %s: %w", sid, err)
	}
	return nil
}

func (m *Mem) Owe(ctx context.Context, account, sid string, callbacks []runtime.Callback) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue(account, sid, callbacks)
	return nil
}
