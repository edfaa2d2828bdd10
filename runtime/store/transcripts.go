package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/hookswitch/hookswitch/runtime"
)

// transcriptColumns are those of a transcript, in the order of transcriptFields
// and scanTranscript.
const transcriptColumns = `account, sid, call, recording, status, text, error_code, created, ended, due, attempts`

const insertTranscript = `INSERT INTO transcripts (` + transcriptColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (account, sid) DO `

// orderTranscript leaves one that is there as it is.
const (
	orderTranscript = insertTranscript + `NOTHING`
	saveTranscript  = insertTranscript + `UPDATE SET call = excluded.call, recording = excluded.recording,
	status = excluded.status, text = excluded.text, error_code = excluded.error_code, created = excluded.created,
	ended = excluded.ended, due = excluded.due, attempts = excluded.attempts`
)

func transcriptFields(t runtime.TranscriptRecord) []any {
	return []any{t.AccountSID, t.SID, t.CallSID, t.RecordingSID, t.Status, t.Text, t.ErrorCode,
		millis(t.Created), millis(t.Ended), millis(t.Due), t.Attempts}
}

func scanTranscript(scan func(...any) error) (t runtime.TranscriptRecord, err error) {
	var created, ended, due int64
	err = scan(&t.AccountSID, &t.SID, &t.CallSID, &t.RecordingSID, &t.Status, &t.Text, &t.ErrorCode, &created, &ended, &due, &t.Attempts)
	t.Created, t.Ended, t.Due = instant(created), instant(ended), instant(due)
	return t, err
}

func (db *DB) SaveTranscript(ctx context.Context, t runtime.TranscriptRecord, events []runtime.Event, callbacks []runtime.Callback) error {
	if err := checkTranscript(t); err != nil {
		return err
	}
	err := db.writes.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(saveTranscript, transcriptFields(t)...); err != nil {
			return err
		}
		if err := addEvents(tx, t.AccountSID, t.CallSID, events); err != nil {
			return err
		}
		return queue(tx, t.AccountSID, t.CallSID, callbacks)
	})
	if err != nil {
		return fmt.Errorf("save transcript %s: %w", t.SID, err)
	}
	return nil
}

func (db *DB) Transcript(ctx context.Context, account, sid string) (runtime.TranscriptRecord, error) {
	row := db.read.QueryRowContext(ctx, `SELECT `+transcriptColumns+` FROM transcripts WHERE account = ? AND sid = ?`, account, sid)
	t, err := scanTranscript(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = runtime.ErrNoTranscript
	}
	if err != nil {
		return runtime.TranscriptRecord{}, fmt.Errorf("transcript %s: %w", sid, err)
	}
	return t, nil
}

func (db *DB) TranscriptsOf(ctx context.Context, account, recording string) ([]runtime.TranscriptRecord, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+transcriptColumns+` FROM transcripts
		WHERE account = ? AND recording = ? ORDER BY id`, account, recording)
	all, err := collect(rows, err, scanTranscript)
	if err != nil {
		return nil, fmt.Errorf("transcripts of %s: %w", recording, err)
	}
	return all, nil
}

func (db *DB) PendingTranscripts(ctx context.Context, limit int) ([]runtime.TranscriptRecord, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+transcriptColumns+` FROM transcripts
		WHERE status = 'in-progress' ORDER BY due, id LIMIT ?`, max(limit, 0))
	all, err := collect(rows, err, scanTranscript)
	if err != nil {
		return nil, fmt.Errorf("pending transcripts: %w", err)
	}
	return all, nil
}
