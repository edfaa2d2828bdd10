package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite"
)

// DB is a store in one SQLite file, with its -wal and -shm files beside it.
// What Save, Delivered and Retry have returned from is on the disk.
type DB struct {
	read   *sql.DB // sees every commit, several at once
	writes writes
}

// Open opens the database at a path, or at "sqlite:///path/of/file.db", and
// brings its schema up to date. File and folder are made when missing, readable
// by their owner only. The database must not be opened by two processes that
// deliver callbacks: each would deliver all of them.
func Open(target string) (*DB, error) {
	path, err := pathOf(target)
	if err != nil {
		return nil, err
	}
	db, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return db, nil
}

func open(path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	// FULL makes each commit wait for the disk; with NORMAL a power cut could
	// take the last ones back after they were acknowledged. secure_delete puts
	// zeros over what is deleted: a callback may hold what a caller said.
	const pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_txlock=immediate"
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + pragmas
	write, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := migrate(write); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := sql.Open("sqlite", name+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	return &DB{read: read, writes: writes{db: write}}, nil
}

// Close waits for the writes under way. Those that come later fail.
func (db *DB) Close() error {
	return errors.Join(db.read.Close(), db.writes.close())
}

func pathOf(target string) (string, error) {
	scheme, rest, ok := strings.Cut(target, "://")
	switch {
	case target == "":
		return "", errors.New(`open store: no path; write a file name or "sqlite:///path/of/file.db"`)
	case !ok:
		return target, nil
	case scheme != "sqlite":
		return "", fmt.Errorf("open store: %s is not a kind of store we have; write sqlite:///path/of/file.db", scheme)
	}
	path, err := url.PathUnescape(rest)
	if err != nil || path == "" || strings.Contains(path, "?") {
		return "", fmt.Errorf("open store: %q is not sqlite:///path/of/file.db", target)
	}
	return path, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// migrate runs the files of migrations that the database has not seen, in
// order, all in one transaction. Its user_version counts those it has.
func migrate(db *sql.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var have int
	if err := tx.QueryRow("PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	if have > len(files) {
		return fmt.Errorf("its schema is version %d, ours %d: it was made by a newer hookswitch", have, len(files))
	}
	for _, name := range files[have:] {
		script, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(string(script)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(files))); err != nil {
		return err
	}
	return tx.Commit()
}
