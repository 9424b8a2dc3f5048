package proxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/cors"

	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/routes"
)

// exchange is one request on its way: the client's ResponseWriter, and what
// the log line and the metrics say at the end. It is used by the request's own
// goroutine.
type exchange struct {
	http.ResponseWriter
	started time.Time
	host    string        // canonical, empty when the request names none
	route   *routes.Route // nil when there is none
	visitor http.Header   // what the pod is told of the visitor who has logged in
	usage   *usage.Pod    // nil when there is no route
	cors    *cors.Cors    // nil when the pod decides itself
	status  int           // 0 until the header is written
	written int64         // bytes of the body; of an upgrade, none
	// failure is why the pod gave no answer.
	failure error
	// upgrades counts connections that were taken over and not given back.
	upgrades prometheus.Gauge
	body     *visitorBody // nil when the request has none
	bothWays bool         // the body may be read while the answer is written
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	return r.Context().Value(exchangeKey{}).(*exchange)
}

// Unwrap lets http.ResponseController reach the client's connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader passes the status on and remembers it, unless it is one that
// comes before the answer (1xx).
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write passes a part of the body on and counts it.
func (x *exchange) Write(part []byte) (int, error) {
	n, err := x.ResponseWriter.Write(part)
	x.written += int64(n)
	return n, err
}

// Hijack hands over the connection once the pod has agreed to an upgrade.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over connection: %w", err)
	}
	x.status = http.StatusSwitchingProtocols
	x.upgrades.Inc()
	early, _ := buffered.Peek(buffered.Reader.Buffered())
	return &upgraded{Conn: conn, early: early, usage: x.usage}, buffered, nil
}

// openBothWays lets the pod's answer begin while the visitor still sends.
// HTTP/2 is made that way; an HTTP/1 server would swallow the rest of the body
// as soon as the answer begins.
func (x *exchange) openBothWays(r *http.Request) {
	if x.body != nil && r.ProtoMajor == 1 {
		x.bothWays = http.NewResponseController(x.ResponseWriter).EnableFullDuplex() == nil
	}
}

// settle comes to the end of a body that nobody has read to its end. The
// server itself would do so only when it no longer expects the body to end,
// and then break the connection under the next request. What there is of an
// answer is sent before: the visitor may be waiting for it with the rest.
//
// A body without a proper end takes the connection with it: what follows it
// must not be read as the next request.
func (x *exchange) settle() {
	if !x.bothWays || x.status == http.StatusSwitchingProtocols || x.body.ended.Load() {
		return
	}
	_ = http.NewResponseController(x.ResponseWriter).Flush() // fails only when the visitor is gone
	err := x.body.ReadCloser.Close()                         // reads a bounded rest
	if err != nil || x.body.broken.Load() {
		panic(http.ErrAbortHandler)
	}
}
