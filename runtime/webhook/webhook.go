// Package webhook asks web servers what a call is to do, and fetches what is
// to be played.
//
// [Client.Do] sends the signed form of a document request or a status callback
// and returns the answer; [Client.Media] fetches a sound, from its cache when
// the server allows it. Both hold the limits of time and size, and follow
// redirects; [Client.Socket] opens a WebSocket. None of them ever connects to a
// private address that the operator did not name. [Verify] says which variant of a URL a received signature fits. The
// package knows HTTP and signatures, nothing of calls.
package webhook

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of what a server may send and of how long it may take.
const (
	documentBytes  = 64 << 10 // after decompression
	ownBytes       = 1 << 20
	mediaBytes     = 64 << 20
	headerBytes    = 32 << 10
	redirectLimit  = 10
	perHost        = 32 // connections, and so requests, to one host and port at a time
	defaultConnect = 5 * time.Second
	defaultTotal   = 15 * time.Second
)

// Config says how a Client behaves. The zero value is ready to use.
type Config struct {
	// AllowHosts names what may have a private address: a host name,
	// host:port, *.suffix, an IP address or a CIDR. Everything else must be
	// public. CheckAllowHosts finds entries that mean nothing.
	AllowHosts []string

	// Timeout is the whole time of one Do, redirects, retries and a slow body
	// included; 0 is 15 s. Media may take four times as long.
	Timeout time.Duration

	// ConnectTimeout is for the TCP connection and again for the TLS
	// handshake; 0 is 5 s. It and Timeout are what a URL's own fragment
	// overrides.
	ConnectTimeout time.Duration

	UserAgent string // "" is hookswitch/1

	// CacheDir keeps media between runs, at most CacheBytes of it (0 is
	// 512 MB, or 64 MB when CacheDir is "" and the cache is in memory). The
	// folder is the cache's own.
	CacheDir   string
	CacheBytes int64

	// Transport replaces the network and its guard, for call scripts; nil is
	// the guarded network.
	Transport http.RoundTripper

	RootCAs *x509.CertPool // nil: the system's
	Log     *slog.Logger   // nil: none
}

// Client makes requests. Its methods may be called from any goroutine.
type Client struct {
	userAgent      string
	total, connect time.Duration
	log            *slog.Logger
	guard          *guard
	transport      http.RoundTripper
	sockets        http.RoundTripper // of its own: a socket keeps its connection, and must not wait for one
	cache          *cache

	alive   context.Context // done when the client is closed
	kill    context.CancelCauseFunc
	mu      sync.Mutex
	flights map[string]*flight // media being fetched, by URL
	running sync.WaitGroup     // their goroutines
}

// Request is a document request or a status callback.
type Request struct {
	// URL may carry user:password@ (sent as Basic authentication) and a
	// fragment of connection overrides such as #rc=2&ct=2000; neither leaves
	// for another host.
	URL    string
	Method string     // GET or POST; anything else is POST
	Form   url.Values // added to the query of a GET, the body of a POST

	// Own marks a request that a document makes for itself: Body is what it
	// posts in place of Form, of the type that Header says, and an answer of
	// any status is an answer. Another host, after a redirect, gets none of
	// Header.
	Own  bool
	Body []byte

	// Once marks a request that must not be made twice, nor anywhere else, such
	// as one that pays: once it may have been sent it is not sent again, whatever
	// the fragment of the URL says, and a redirect is an error.
	Once bool

	Sign   Signer // nil: not signed
	Jar    http.CookieJar
	Header http.Header // added as it is, such as I-Twilio-Idempotency-Token
}

// Response is an answer of the 200s.
type Response struct {
	// URL is the one that answered, after redirects, without fragment and the
	// parameters of a GET: the base of relative URLs. User and password that
	// were sent stand in it, so that they go with those too; Redact it for a
	// log.
	URL         string
	Status      int
	ContentType string // as received
	Body        []byte // decompressed. That of Media is shared: not to be changed
	Chunked     bool   // sent without a length

	header http.Header
}

// New makes a client. Entries of AllowHosts that mean nothing open nothing and
// are logged.
func New(c Config) *Client {
	client := &Client{
		userAgent: c.UserAgent,
		total:     c.Timeout,
		connect:   c.ConnectTimeout,
		log:       c.Log,
		flights:   map[string]*flight{},
	}
	if client.userAgent == "" {
		client.userAgent = "hookswitch/1"
	}
	if client.total <= 0 {
		client.total = defaultTotal
	}
	if client.connect <= 0 {
		client.connect = defaultConnect
	}
	if client.log == nil {
		client.log = slog.New(slog.DiscardHandler)
	}
	client.alive, client.kill = context.WithCancelCause(context.Background())

	var err error
	if client.guard, err = newGuard(c.AllowHosts); err != nil {
		client.log.Warn("webhooks.allow_hosts", "err", err)
	}
	client.transport, client.sockets = c.Transport, c.Transport
	if c.Transport == nil {
		client.transport = newTransport(client.guard, c.RootCAs)
		open := newTransport(client.guard, c.RootCAs)
		open.MaxConnsPerHost = 0
		client.sockets = open
	}
	client.cache = newCache(c.CacheDir, c.CacheBytes, client.log)
	return client
}

// Close ends the media fetches that are under way and drops idle connections.
// Each Do ends with its own context.
func (c *Client) Close() error {
	c.kill(errClosed)
	c.running.Wait()
	for _, used := range []http.RoundTripper{c.transport, c.sockets} {
		if t, ok := used.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
	return nil
}

// Do sends a request and returns the answer of the 200s. It blocks for at most
// the time limit. Connection failures are tried once more, or as the URL's
// fragment says; the idempotency token is the same on every try. The error is
// an *Error, or context.Cause(ctx) when ctx ended first.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	p := purpose{
		total:    c.total,
		bytes:    documentBytes,
		tooLarge: codeTooLarge,
		accept:   "text/xml, application/xml, text/html, text/plain;q=0.9, audio/*;q=0.8, */*;q=0.1",
	}
	if r.Own {
		p.bytes, p.accept = ownBytes, "application/json, */*;q=0.5"
	}
	return c.fetch(ctx, r, p)
}
