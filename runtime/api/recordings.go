package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/hookswitch/hookswitch/runtime"
)

// extensions are those that a recording may be asked for with.
var extensions = map[string]string{"": "", ".wav": "audio/wav", ".mp3": "audio/mpeg"}

// recording answers with the sound of one recording. What has not the form of a
// SID is looked up nowhere, and who asks for another account's gets the answer
// of one that does not exist.
func (s *Server) recording(c echo.Context) error {
	account, sid := c.Param("account"), c.Param("recording")
	extension := path.Ext(sid)
	sid = strings.TrimSuffix(sid, extension)
	wanted, known := extensions[extension]
	if !known || !isSID(account, "AC") || !isSID(sid, "RE") {
		return errNotFound
	}
	if err := s.admit(c, account, sid); err != nil {
		return err
	}
	if _, there := s.accounts[account]; !there {
		return errNotFound // signed once, for an account that is gone
	}
	r := c.Request()
	rec, err := s.store.Recording(r.Context(), account, sid)
	if errors.Is(err, runtime.ErrNoRecording) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	sound, kind, err := s.sounds.Open(sid)
	if errors.Is(err, runtime.ErrNoRecording) {
		return errNotFound // it is going on, or there was nothing to hear
	}
	if err != nil {
		return err
	}
	defer func() { sound.Close() }()
	name := sid
	if wanted == "audio/mpeg" && kind == "audio/wav" {
		encoded, err := s.encode(r.Context(), sound)
		if err != nil {
			s.log.Info("no MP3 of a recording", "recording", sid, "error", err)
		} else {
			sound.Close()
			sound, kind, name = encoded, wanted, sid+".mp3"
		}
	}
	if wanted != "" && wanted != kind {
		return newProblem(http.StatusNotFound, 20404,
			"The recording is kept as "+kind+" only: ask for it without "+extension+"; an MP3 needs lame or ffmpeg on the server")
	}
	h := c.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-cache") // kept by the one who asked, who asks again each time
	h.Set("ETag", `"`+name+`"`)                 // a recording never changes
	http.ServeContent(c.Response(), r, "", rec.Started.Add(rec.Duration), sound)
	return nil
}

// encode makes an MP3 of wave, when its turn comes.
func (s *Server) encode(ctx context.Context, wave io.Reader) (io.ReadSeekCloser, error) {
	select {
	case s.encoding <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.encoding }()
	return s.mp3(ctx, wave)
}

// isSID reports whether s is prefix and 32 hex digits.
func isSID(s, prefix string) bool {
	digits, ok := strings.CutPrefix(s, prefix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
