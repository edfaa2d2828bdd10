package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hookswitch/hookswitch/runtime"
)

// recordingColumns are those of a recording, in the order of recordingFields
// and scanRecording.
const recordingColumns = `account, sid, call, conference, source, track, channels, format, status, started, duration,
	error_code, callback_url, callback_method, callback_events, callback_form,
	transcript_sid, transcript_language, transcript_engine, transcript_model, transcript_url, transcript_form`

const saveRecording = `INSERT INTO recordings (` + recordingColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (account, sid) DO UPDATE SET call = excluded.call, conference = excluded.conference,
	source = excluded.source, track = excluded.track, channels = excluded.channels, format = excluded.format,
	status = excluded.status, started = excluded.started, duration = excluded.duration,
	error_code = excluded.error_code, callback_url = excluded.callback_url,
	callback_method = excluded.callback_method, callback_events = excluded.callback_events,
	callback_form = excluded.callback_form, transcript_sid = excluded.transcript_sid,
	transcript_language = excluded.transcript_language, transcript_engine = excluded.transcript_engine,
	transcript_model = excluded.transcript_model, transcript_url = excluded.transcript_url,
	transcript_form = excluded.transcript_form`

func recordingFields(r runtime.RecordingRecord) []any {
	return []any{r.AccountSID, r.SID, r.CallSID, r.ConferenceSID, r.Source, r.Track, r.Channels, r.Format, r.Status,
		millis(r.Started), r.Duration.Milliseconds(), r.ErrorCode, r.Callback.URL, r.Callback.Method, r.Callback.Events, r.Callback.Form,
		r.Transcript.SID, r.Transcript.Language, r.Transcript.Engine, r.Transcript.Model, r.Transcript.URL, r.Transcript.Form}
}

func scanRecording(scan func(...any) error) (r runtime.RecordingRecord, err error) {
	var started, duration int64
	err = scan(&r.AccountSID, &r.SID, &r.CallSID, &r.ConferenceSID, &r.Source, &r.Track, &r.Channels, &r.Format, &r.Status,
		&started, &duration, &r.ErrorCode, &r.Callback.URL, &r.Callback.Method, &r.Callback.Events, &r.Callback.Form,
		&r.Transcript.SID, &r.Transcript.Language, &r.Transcript.Engine, &r.Transcript.Model, &r.Transcript.URL, &r.Transcript.Form)
	r.Started, r.Duration = instant(started), time.Duration(duration)*time.Millisecond
	return r, err
}

func (db *DB) SaveRecording(ctx context.Context, r runtime.RecordingRecord, callbacks []runtime.Callback) error {
	if err := checkRecording(r); err != nil {
		return err
	}
	err := db.writes.do(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(saveRecording, recordingFields(r)...); err != nil {
			return err
		}
		if t, ok := r.Ordered(); ok {
			if _, err := tx.Exec(orderTranscript, transcriptFields(t)...); err != nil {
				return err
			}
		}
		return queue(tx, r.AccountSID, cmp.Or(r.CallSID, r.ConferenceSID), callbacks)
	})
	if err != nil {
		return fmt.Errorf("save recording %s: %w", r.SID, err)
	}
	return nil
}

func (db *DB) Recording(ctx context.Context, account, sid string) (runtime.RecordingRecord, error) {
	row := db.read.QueryRowContext(ctx, `SELECT `+recordingColumns+` FROM recordings WHERE account = ? AND sid = ?`, account, sid)
	r, err := scanRecording(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = runtime.ErrNoRecording
	}
	if err != nil {
		return runtime.RecordingRecord{}, fmt.Errorf("recording %s: %w", sid, err)
	}
	return r, nil
}

func (db *DB) RecordingsOf(ctx context.Context, account, sid string) ([]runtime.RecordingRecord, error) {
	if sid == "" { // which a recording of a conference has for its call
		return nil, nil
	}
	rows, err := db.read.QueryContext(ctx, `SELECT `+recordingColumns+` FROM recordings
		WHERE account = ? AND (call = ? OR conference = ?) ORDER BY id`, account, sid, sid)
	all, err := collect(rows, err, scanRecording)
	if err != nil {
		return nil, fmt.Errorf("recordings of %s: %w", sid, err)
	}
	return all, nil
}

func (db *DB) UnfinishedRecordings(ctx context.Context) ([]runtime.RecordingRecord, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+recordingColumns+` FROM recordings
		WHERE status IN ('in-progress', 'paused') ORDER BY id`)
	all, err := collect(rows, err, scanRecording)
	if err != nil {
		return nil, fmt.Errorf("unfinished recordings: %w", err)
	}
	return all, nil
}
