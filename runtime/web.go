package runtime

import (
	"context"
	"strings"

	"github.com/hookswitch/hookswitch/runtime/webhook"
)

// WithFiles is web together with the documents that are not on it: what file:
// and embed: URLs name is read by read. What is sent along with such a request
// fills the document's templates.
func WithFiles(web Web, read func(url string) (*webhook.Response, error)) Web {
	return withFiles{web, read}
}

type withFiles struct {
	Web
	read func(url string) (*webhook.Response, error)
}

func (w withFiles) Do(ctx context.Context, r webhook.Request) (*webhook.Response, error) {
	if onDisk(r.URL) {
		return w.read(r.URL)
	}
	return w.Web.Do(ctx, r)
}

func (w withFiles) Media(ctx context.Context, url string) (*webhook.Response, error) {
	if onDisk(url) {
		return w.read(url)
	}
	return w.Web.Media(ctx, url)
}

func onDisk(url string) bool {
	scheme, _, _ := strings.Cut(url, ":")
	return strings.EqualFold(scheme, "file") || strings.EqualFold(scheme, "embed")
}
