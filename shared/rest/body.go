package rest

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// maxBody bounds the body of a JSON request.
const maxBody = 1 << 20

// bound keeps a request from sending more than its route takes, and from taking
// longer for it than the whole request may.
func (r *Router) bound(w http.ResponseWriter, req *http.Request, route Route) {
	if req.ContentLength == 0 {
		return
	}
	req.Body = http.MaxBytesReader(w, req.Body, cmp.Or(route.MaxBody, maxBody))
	controller := http.NewResponseController(w)
	if controller.SetReadDeadline(time.Now().Add(cmp.Or(route.Timeout, r.config.Timeout))) != nil {
		return // a connection that has none, as in a test without one
	}
	// Past the body, the end of a connection is what it always is.
	req.Body = &timedBody{req.Body, func() { _ = controller.SetReadDeadline(time.Time{}) }}
}

// timedBody calls done when it has been read to its end.
type timedBody struct {
	io.ReadCloser
	done func()
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.done()
	}
	return n, err
}

// ReadBody returns the body of a request, of which at most limit bytes are
// taken.
//
// Errors: KindTooLarge; KindInvalid for a body that does not come in time or ends
// too early.
func (r *Request) ReadBody(limit int) ([]byte, error) {
	tooLarge := pods.TooLarge("The request body is larger than the %d KiB that are taken here. Send less.", limit>>10)
	if r.ContentLength > int64(limit) {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	_, above := errors.AsType[*http.MaxBytesError](err)
	switch {
	case above || len(data) > limit:
		return nil, tooLarge
	case isTimeout(err):
		return nil, invalidBody("the request body did not come in time")
	case err != nil:
		return nil, invalidBody("the request body ended too early")
	}
	return data, nil
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}
