package runtime

import (
	"context"
	"strings"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// WithFiles is web together with the documents that are not on it: URLs of
// another scheme than http and https, such as file: and embed:, are read by
// read. What is sent along with such a request fills the document's templates.
func WithFiles(web Web, read func(url string) (*webhook.Response, error)) Web {
	return withFiles{web, read}
}

type withFiles struct {
	Web
	read func(url string) (*webhook.Response, error)
}

func (w withFiles) Do(ctx context.Context, r webhook.Request) (*webhook.Response, error) {
	if onWeb(r.URL) {
		return w.Web.Do(ctx, r)
	}
	return w.read(r.URL)
}

func (w withFiles) Media(ctx context.Context, url string) (*webhook.Response, error) {
	if onWeb(url) {
		return w.Web.Media(ctx, url)
	}
	return w.read(url)
}

func onWeb(url string) bool {
	return strings.HasPrefix(url, "http:") || strings.HasPrefix(url, "https:")
}
