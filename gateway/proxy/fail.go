package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/pods-service/pods/gateway/dial"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/pages"
)

// statusClientGone is what the log and the metrics say of a request whose
// client left before there was an answer. Nothing is sent.
const statusClientGone = 499

// fail answers a request to which the pod gave no answer.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	x.failure = err
	if x.status != 0 {
		return // the connection was already handed over
	}
	if r.Context().Err() != nil {
		x.status = statusClientGone
		return
	}
	if x.body != nil && x.body.broken.Load() {
		h.pages.Write(w, r, pages.BadRequest, x.host)
		return
	}
	h.pages.Write(w, r, h.failurePage(x, err), x.host)
}

func (h *Handler) failurePage(x *exchange, err error) pages.Page {
	if route, found := lookup(h.routes(), x.host); !found {
		return pages.NotFound
	} else if route.State != routes.StateServing {
		return pages.ForState(route.State) // it has stopped meanwhile
	}
	if dial.IsRefused(err) {
		return pages.NotListening
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "dial" {
		return pages.Unreachable
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return pages.TooSlow
	}
	return pages.BadAnswer
}
