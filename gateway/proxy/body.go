package proxy

import (
	"io"
	"net/http"
	"sync/atomic"
)

// visitorBody is a visitor's request body on its way to the pod.
type visitorBody struct {
	io.ReadCloser
	request *http.Request // gets the trailers when the body has been read
	// trailers are sent to the pod behind the body. Its keys are those that the
	// visitor announced and that the pod may see; nil when there are none.
	trailers http.Header
	received *atomic.Int64 // counts the bytes read
	// broken is set when the visitor stopped in the middle, or sent something
	// that is not a body.
	broken atomic.Bool
	// ended is set when the whole body has been read.
	ended atomic.Bool
}

// Read is called by the transport's own goroutine, which writes the trailers
// afterwards.
func (b *visitorBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.received.Add(int64(n))
	switch err {
	case nil:
	case io.EOF:
		for name := range b.trailers {
			b.trailers[name] = b.request.Trailer[name]
		}
		b.ended.Store(true)
	default:
		b.broken.Store(true)
	}
	return n, err
}
