package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/hookswitch/hookswitch/runtime"
)

// columns of a call, in the order of fields and scanCall.
const columns = `account, sid, parent, sender, recipient, direction, status, sip_call_id,
	hangup_cause, hangup_source, error_code, error_message, created, answered, ended`

const saveCall = `INSERT INTO calls (` + columns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (account, sid) DO UPDATE SET parent = excluded.parent, sender = excluded.sender,
	recipient = excluded.recipient, direction = excluded.direction, status = excluded.status,
	sip_call_id = excluded.sip_call_id, hangup_cause = excluded.hangup_cause,
	hangup_source = excluded.hangup_source, error_code = excluded.error_code,
	error_message = excluded.error_message, created = excluded.created,
	answered = excluded.answered, ended = excluded.ended`

func fields(c runtime.CallRecord) []any {
	return []any{c.AccountSID, c.SID, c.ParentSID, c.From, c.To, c.Direction, c.Status, c.SIPCallID,
		c.HangupCause, c.HangupSource, c.ErrorCode, c.ErrorMessage, millis(c.Created), millis(c.Answered), millis(c.Ended)}
}

func scanCall(scan func(...any) error) (c runtime.CallRecord, err error) {
	var created, answered, ended int64
	err = scan(&c.AccountSID, &c.SID, &c.ParentSID, &c.From, &c.To, &c.Direction, &c.Status, &c.SIPCallID,
		&c.HangupCause, &c.HangupSource, &c.ErrorCode, &c.ErrorMessage, &created, &answered, &ended)
	c.Created, c.Answered, c.Ended = instant(created), instant(answered), instant(ended)
	return c, err
}

func (db *DB) Save(ctx context.Context, call runtime.CallRecord, events []runtime.Event, callbacks []runtime.Callback) error {
	if err := check(call); err != nil {
		return err
	}
	err := db.writes.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(saveCall, fields(call)...); err != nil {
			return err
		}
		if err := addEvents(tx, call.AccountSID, call.SID, events); err != nil {
			return err
		}
		return queue(tx, call.AccountSID, call.SID, callbacks)
	})
	if err != nil {
		return fmt.Errorf("save call %s: %w", call.SID, err)
	}
	return nil
}

// addEvents adds to the timeline of a call.
func addEvents(tx *sql.Tx, account, call string, events []runtime.Event) error {
	for _, e := range events {
		_, err := tx.Exec(`INSERT INTO events (account, call, at, kind, text, code) VALUES (?, ?, ?, ?, ?, ?)`,
			account, call, millis(e.At), e.Kind, e.Text, e.Code)
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) Call(ctx context.Context, account, sid string) (runtime.CallRecord, error) {
	row := db.read.QueryRowContext(ctx, `SELECT `+columns+` FROM calls WHERE account = ? AND sid = ?`, account, sid)
	call, err := scanCall(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = runtime.ErrNoCall
	}
	if err != nil {
		return runtime.CallRecord{}, fmt.Errorf("call %s: %w", sid, err)
	}
	return call, nil
}

func (db *DB) Calls(ctx context.Context, account string, limit int) ([]runtime.CallRecord, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+columns+` FROM calls WHERE account = ?
		ORDER BY created DESC, id DESC LIMIT ?`, account, max(limit, 0))
	calls, err := collect(rows, err, scanCall)
	if err != nil {
		return nil, fmt.Errorf("calls of account %s: %w", account, err)
	}
	return calls, nil
}

func (db *DB) Events(ctx context.Context, account, sid string) ([]runtime.Event, error) {
	if _, err := db.Call(ctx, account, sid); err != nil {
		return nil, err
	}
	rows, err := db.read.QueryContext(ctx, `SELECT at, kind, text, code FROM events
		WHERE account = ? AND call = ? ORDER BY id`, account, sid)
	events, err := collect(rows, err, func(scan func(...any) error) (e runtime.Event, err error) {
		var at int64
		err = scan(&at, &e.Kind, &e.Text, &e.Code)
		e.At = instant(at)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("events of call %s: %w", sid, err)
	}
	return events, nil
}

// collect takes what Query returned and reads one T from each row.
func collect[T any](rows *sql.Rows, err error, scan func(func(...any) error) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
