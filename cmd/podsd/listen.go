package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// listen opens address for TCP. The name localhost means both loopback
// addresses, so that a client that prefers IPv6 is served too; a machine
// without IPv6 has the other alone. The returned address has the real port.
func listen(address string) (net.Listener, string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", fmt.Errorf("read the address %q: %w", address, err)
	}
	if host != "localhost" {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, "", fmt.Errorf("listen on %s: %w; is something else running there?", address, err)
		}
		return listener, listener.Addr().String(), nil
	}
	v4, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w; is something else running there?", address, err)
	}
	port = strconv.Itoa(v4.Addr().(*net.TCPAddr).Port)
	named := net.JoinHostPort("localhost", port)
	v6, err := net.Listen("tcp", net.JoinHostPort("::1", port))
	if err != nil {
		return v4, named, nil //nolint:nilerr // no IPv6, or another program has the port there
	}
	return join(v4, v6), named, nil
}

// both is two listeners that look like one.
type both struct {
	net.Listener // the first, which gives the address
	accepted     chan accepted
	closed       chan struct{}
	close        func() error // closes everything, once
}

type accepted struct {
	conn net.Conn
	err  error
}

func join(first, second net.Listener) net.Listener {
	b := &both{Listener: first, accepted: make(chan accepted), closed: make(chan struct{})}
	b.close = sync.OnceValue(func() error {
		close(b.closed)
		return errors.Join(first.Close(), second.Close())
	})
	for _, listener := range []net.Listener{first, second} {
		go b.accept(listener)
	}
	return b
}

func (b *both) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		select {
		case b.accepted <- accepted{conn, err}:
		case <-b.closed:
			if conn != nil {
				_ = conn.Close()
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// Accept implements net.Listener.
func (b *both) Accept() (net.Conn, error) {
	select {
	case a := <-b.accepted:
		return a.conn, a.err
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (b *both) Close() error { return b.close() }
