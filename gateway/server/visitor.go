package server

import (
	"net"
	"net/netip"
	"sync"

	"github.com/pods-service/pods/gateway/relay"
)

// visitor is a connection that counts against the limits until it is closed.
type visitor struct {
	net.Conn
	// early is what has been read behind a header of the PROXY protocol.
	early *relay.Replayed
	// from is where the visitor is by such a header; nil when that is the peer.
	from net.Addr

	left   func()
	once   sync.Once
	client netip.Addr // as counted by clients; invalid when it is not
	in     *clients
}

// Read implements net.Conn.
func (v *visitor) Read(buffer []byte) (int, error) {
	if v.early != nil {
		return v.early.Read(buffer)
	}
	return v.Conn.Read(buffer)
}

// RemoteAddr returns where the visitor is.
func (v *visitor) RemoteAddr() net.Addr {
	if v.from != nil {
		return v.from
	}
	return v.Conn.RemoteAddr()
}

// CloseWrite tells the visitor that nothing more comes.
func (v *visitor) CloseWrite() error { return relay.CloseWrite(v.Conn) }

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.once.Do(func() {
		if v.in != nil {
			v.in.leave(v.client)
		}
		v.left()
	})
	return v.Conn.Close()
}
