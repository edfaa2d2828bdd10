-- What a callback's order is kept for, beside its call: its URL without query
-- and fragment.
ALTER TABLE callbacks ADD COLUMN destination TEXT NOT NULL
	GENERATED ALWAYS AS (substr(url, 1, min(instr(url || '?', '?'), instr(url || '#', '#')) - 1)) VIRTUAL;
DROP INDEX callbacks_of_call;
CREATE INDEX callbacks_in_order ON callbacks (account, call, destination, id);
