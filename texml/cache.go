package texml

import (
	"container/list"
	"sync"
)

// Cache keeps documents by their content, so that one seen before is not parsed
// again. It is safe for concurrent use.
type Cache struct {
	entries int

	mu    sync.Mutex
	known map[content]*list.Element // of *parsed
	order *list.List                // the one used last is in front
	bytes int
}

// content is what a document is known by.
type content struct {
	dialect Dialect
	body    string
}

type parsed struct {
	content
	doc *Document
	err error
}

// averageBody bounds the memory of a cache: its documents have no more bytes
// than this for each entry.
const averageBody = 8 << 10

// NewCache makes a cache for so many documents, of 8 KB on average. Those not
// used for the longest time are dropped first.
func NewCache(entries int) *Cache {
	return &Cache{entries: entries, known: map[content]*list.Element{}, order: list.New()}
}

// Parse does what [Parse] does.
func (c *Cache) Parse(source string, body []byte, d Dialect) (*Document, error) {
	c.mu.Lock()
	e, ok := c.known[content{d, string(body)}]
	if ok {
		c.order.MoveToFront(e)
	}
	c.mu.Unlock()
	if !ok {
		doc, err := Parse(source, body, d)
		c.keep(&parsed{content{d, string(body)}, doc, err})
		return doc, err
	}
	p := e.Value.(*parsed)
	if p.err != nil {
		return nil, p.err.(Errors).from(source)
	}
	if p.doc.Source == source {
		return p.doc, nil
	}
	doc := *p.doc
	doc.Source, doc.Slips = source, doc.Slips.from(source)
	return &doc, nil
}

func (c *Cache) keep(p *parsed) {
	if len(p.body) > MaxBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.known[p.content]; ok {
		return
	}
	c.known[p.content] = c.order.PushFront(p)
	c.bytes += len(p.body)
	for c.order.Len() > c.entries || c.bytes > c.entries*averageBody {
		last := c.order.Remove(c.order.Back()).(*parsed)
		delete(c.known, last.content)
		c.bytes -= len(last.body)
	}
}
