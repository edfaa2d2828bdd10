package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// problem is an error as the platform writes it.
type problem struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

func (p problem) Error() string { return p.Message }

func newProblem(status, code int, message string) problem {
	return problem{code, message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), status}
}

var (
	errNoCredentials = newProblem(http.StatusUnauthorized, 20003,
		"Authenticate: send the account's SID and auth token (Basic), or the URL as it was told, before it expires")
	errNotFound = newProblem(http.StatusNotFound, 20404, "The requested resource was not found")
	errMethod   = newProblem(http.StatusMethodNotAllowed, 20004, "Method not allowed: use GET or HEAD")
	errTooMany  = newProblem(http.StatusTooManyRequests, 20429, "Too many wrong tokens: wait as long as Retry-After says")
	errInternal = newProblem(http.StatusInternalServerError, 20500, "Internal server error")
)

// fail writes what went wrong. What is no problem of the client's is logged,
// and not told.
func (s *Server) fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p, ok := errors.AsType[problem](err)
	if h, routing := errors.AsType[*echo.HTTPError](err); !ok && routing {
		switch h.Code {
		case http.StatusNotFound:
			p, ok = errNotFound, true
		case http.StatusMethodNotAllowed:
			p, ok = errMethod, true
		}
	}
	if !ok {
		s.log.Error("a request could not be answered", "error", err)
		p = errInternal
	}
	if p.Status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", `Basic realm="hookswitch", charset="UTF-8"`)
	}
	if err := c.JSON(p.Status, p); err != nil {
		s.log.Debug("an error could not be written", "error", err)
	}
}
