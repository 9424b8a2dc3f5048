package server

import (
	"context"
	"errors"
	"net"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/pods-service/pods/gateway/streams"
)

// acceptPause is the time to the next attempt to take a connection when the
// system had none to give.
const acceptPause = 20 * time.Millisecond

// keepAlive finds out within two minutes that a visitor is gone who has not
// said so: connections that are silent may stay for days.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// front takes the connections of one listener, within the limits, and hands
// those that are for HTTP to an http.Server, whose listener it is.
type front struct {
	net.Listener
	server  *Server
	name    string
	streams *streams.Handler // nil when all is HTTP
	room    *semaphore.Weighted
	http    chan net.Conn

	// ctx ends, with a cause, when no more connections are taken.
	ctx context.Context
	end context.CancelCauseFunc
}

func (s *Server) newFront(name string, listener net.Listener, streams *streams.Handler) *front {
	f := &front{Listener: listener, server: s, name: name, streams: streams, http: make(chan net.Conn)}
	f.ctx, f.end = context.WithCancelCause(context.Background())
	if s.options.MaxConnections > 0 {
		f.room = semaphore.NewWeighted(int64(s.options.MaxConnections))
	}
	return f
}

// Accept implements net.Listener for the http.Server.
func (f *front) Accept() (net.Conn, error) {
	select {
	case conn := <-f.http:
		return conn, nil
	case <-f.ctx.Done():
		return nil, context.Cause(f.ctx)
	}
}

// Close implements net.Listener. Connections of which it is not known yet what
// they are for are closed.
func (f *front) Close() error {
	f.end(net.ErrClosed)
	return f.Listener.Close()
}

// run takes connections until the front is closed or the listener fails.
// Connections that are not for HTTP live until requests ends.
func (f *front) run(requests context.Context) {
	accepted := f.server.metrics.accepted.WithLabelValues(f.name)
	for {
		if f.room != nil && f.room.Acquire(f.ctx, 1) != nil {
			return
		}
		conn, err := f.Listener.Accept()
		if err != nil {
			f.leave()
			if isTemporary(err) && f.ctx.Err() == nil {
				time.Sleep(acceptPause)
				continue
			}
			f.end(err)
			return
		}
		accepted.Inc()
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetKeepAliveConfig(keepAlive) // the system's own defaults do as well
		}
		f.server.active.begin() // from now on, so that the end waits for it
		go f.take(requests, &visitor{Conn: conn, left: f.leave})
	}
}

func (f *front) leave() {
	if f.room != nil {
		f.room.Release(1)
	}
}

// isTemporary reports whether it was the system that had no connection to
// give: too many files are open, as a rule.
func isTemporary(err error) bool {
	failure, ok := errors.AsType[net.Error](err)
	return ok && failure.Temporary() //nolint:staticcheck // what net/http asks as well, for want of another
}

// take finds out who the visitor is and what the connection is for.
func (f *front) take(requests context.Context, conn *visitor) {
	defer f.server.active.end()
	if err := f.server.trusted.identify(f.ctx, conn); err != nil {
		f.server.metrics.refused(f.name, reasonHeader)
		_ = conn.Close()
		return
	}
	if !f.server.clients.enter(conn) {
		f.server.metrics.refused(f.name, reasonClient)
		_ = conn.Close()
		return
	}
	http := net.Conn(conn)
	if f.streams != nil {
		var stream *streams.Stream
		if stream, http = f.streams.Open(f.ctx, conn); stream != nil {
			stream.Serve(requests)
			return
		}
	}
	if http == nil {
		return // it is closed
	}
	select {
	case f.http <- http:
	case <-f.ctx.Done():
		_ = http.Close()
	}
}
