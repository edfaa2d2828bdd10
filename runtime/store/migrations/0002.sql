-- The rows of recordings; their sound is in files. duration is in milliseconds.
CREATE TABLE recordings (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	account         TEXT NOT NULL,
	sid             TEXT NOT NULL,
	call            TEXT NOT NULL,
	conference      TEXT NOT NULL,
	source          TEXT NOT NULL,
	track           TEXT NOT NULL,
	channels        INTEGER NOT NULL,
	format          TEXT NOT NULL,
	status          TEXT NOT NULL,
	started         INTEGER NOT NULL,
	duration        INTEGER NOT NULL,
	error_code      INTEGER NOT NULL,
	callback_url    TEXT NOT NULL,
	callback_method TEXT NOT NULL,
	callback_events TEXT NOT NULL,
	callback_form   TEXT NOT NULL,
	UNIQUE (account, sid)
);
CREATE INDEX recordings_of_call ON recordings (account, call, id);
CREATE INDEX recordings_of_conference ON recordings (account, conference, id);
CREATE INDEX recordings_unfinished ON recordings (id) WHERE status IN ('in-progress', 'paused');
