-- What is asked for of a recording, and the texts of recordings.
ALTER TABLE recordings ADD COLUMN transcript_sid TEXT NOT NULL DEFAULT '';
ALTER TABLE recordings ADD COLUMN transcript_language TEXT NOT NULL DEFAULT '';
ALTER TABLE recordings ADD COLUMN transcript_engine TEXT NOT NULL DEFAULT '';
ALTER TABLE recordings ADD COLUMN transcript_model TEXT NOT NULL DEFAULT '';
ALTER TABLE recordings ADD COLUMN transcript_url TEXT NOT NULL DEFAULT '';
ALTER TABLE recordings ADD COLUMN transcript_form TEXT NOT NULL DEFAULT '';
CREATE TABLE transcripts (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	account    TEXT NOT NULL,
	sid        TEXT NOT NULL,
	call       TEXT NOT NULL,
	recording  TEXT NOT NULL,
	status     TEXT NOT NULL,
	text       TEXT NOT NULL,
	error_code INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	ended      INTEGER NOT NULL,
	due        INTEGER NOT NULL,
	attempts   INTEGER NOT NULL,
	UNIQUE (account, sid)
);
CREATE INDEX transcripts_of_recording ON transcripts (account, recording, id);
CREATE INDEX transcripts_pending ON transcripts (due, id) WHERE status = 'in-progress';
