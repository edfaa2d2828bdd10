-- Times are milliseconds since 1970 in UTC; 0 stands for "not yet".
CREATE TABLE calls (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	account       TEXT NOT NULL,
	sid           TEXT NOT NULL,
	parent        TEXT NOT NULL,
	sender        TEXT NOT NULL,
	recipient     TEXT NOT NULL,
	direction     TEXT NOT NULL,
	status        TEXT NOT NULL,
	sip_call_id   TEXT NOT NULL,
	hangup_cause  TEXT NOT NULL,
	hangup_source TEXT NOT NULL,
	error_code    INTEGER NOT NULL,
	error_message TEXT NOT NULL,
	created       INTEGER NOT NULL,
	answered      INTEGER NOT NULL,
	ended         INTEGER NOT NULL,
	UNIQUE (account, sid)
);
CREATE INDEX calls_newest ON calls (account, created, id);

CREATE TABLE events (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	account TEXT NOT NULL,
	call    TEXT NOT NULL,
	at      INTEGER NOT NULL,
	kind    TEXT NOT NULL,
	text    TEXT NOT NULL,
	code    INTEGER NOT NULL
);
CREATE INDEX events_of_call ON events (account, call, id);

-- A row stands here only while it is owed: delivery deletes it.
CREATE TABLE callbacks (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	account  TEXT NOT NULL,
	call     TEXT NOT NULL,
	url      TEXT NOT NULL,
	method   TEXT NOT NULL,
	form     TEXT NOT NULL,
	token    TEXT NOT NULL,
	created  INTEGER NOT NULL,
	due      INTEGER NOT NULL,
	attempts INTEGER NOT NULL
);
CREATE INDEX callbacks_of_call ON callbacks (account, call, id);
CREATE INDEX callbacks_due ON callbacks (due, id);
