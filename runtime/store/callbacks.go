package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// first leaves out the callbacks that stand behind another of their call to the
// same destination.
const first = `NOT EXISTS (SELECT 1 FROM callbacks before
	WHERE before.account = c.account AND before.call = c.call AND before.destination = c.destination AND before.id < c.id)`

// queue adds callbacks behind those that the call owes already.
func queue(tx *sql.Tx, account, call string, callbacks []runtime.Callback) error {
	for _, cb := range callbacks {
		_, err := tx.Exec(`INSERT INTO callbacks (account, call, url, method, form, token, created, due, attempts)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, account, call, cb.URL, cb.Method, cb.Form, cb.Token,
			millis(cb.Created), millis(cb.Due), cb.Attempts)
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) Due(ctx context.Context, now time.Time, limit int, except []string) ([]runtime.Callback, error) {
	elsewhere, args := "", []any{now.UnixMilli()}
	for _, origin := range except {
		elsewhere += ` AND url <> ? AND substr(url, 1, length(?) + 1) NOT IN (? || '/', ? || '?', ? || '#')`
		args = append(args, origin, origin, origin, origin, origin)
	}
	rows, err := db.read.QueryContext(ctx, `SELECT id, account, call, url, method, form, token, created, due, attempts
		FROM callbacks c WHERE due <= ?`+elsewhere+` AND `+first+` ORDER BY due, id LIMIT ?`, append(args, max(limit, 0))...)
	due, err := collect(rows, err, func(scan func(...any) error) (cb runtime.Callback, err error) {
		var created, due int64
		err = scan(&cb.ID, &cb.AccountSID, &cb.CallSID, &cb.URL, &cb.Method, &cb.Form, &cb.Token, &created, &due, &cb.Attempts)
		cb.Created, cb.Due = instant(created), instant(due)
		return cb, err
	})
	if err != nil {
		return nil, fmt.Errorf("callbacks due: %w", err)
	}
	return due, nil
}

func (db *DB) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	var due int64
	err = db.read.QueryRowContext(ctx, `SELECT due FROM callbacks c WHERE `+first+` ORDER BY due, id LIMIT 1`).Scan(&due)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, fmt.Errorf("next callback due: %w", err)
	}
	return instant(due), true, nil
}

func (db *DB) Delivered(ctx context.Context, id int64) error {
	err := db.writes.do(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM callbacks WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("callback %d delivered: %w", id, err)
	}
	return nil
}

func (db *DB) Retry(ctx context.Context, id int64, attempts int, at time.Time) error {
	err := db.writes.do(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE callbacks SET attempts = ?, due = ? WHERE id = ?`, attempts, millis(at), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("retry callback %d: %w", id, err)
	}
	return nil
}
