package streams

import "net"

// What tests need of the inside.

const (
	// MaxHello bounds a ClientHello, in bytes.
	MaxHello = maxHello
	// MaxFirst bounds what is read of a connection before it is known what it
	// is: requests of Postgres, a ClientHello, and what came along with the
	// first of them.
	MaxFirst = firstRead + maxHello
)

// ReadHello is readHello: the server name, whether there is a ClientHello at
// all, and the bytes that it took.
func ReadHello(conn net.Conn) (serverName string, found bool, taken []byte, err error) {
	said, taken, err := readHello(conn)
	if said == nil {
		return "", false, taken, err
	}
	return said.serverName, true, taken, err
}

// Identify is identify: the protocol, empty for HTTP, the host where there is a
// route, and the connection with what the server or the pod is to read.
func (h *Handler) Identify(conn net.Conn) (protocol, host string, rest net.Conn, err error) {
	stream, http, err := h.identify(conn)
	if stream == nil {
		return "", "", http, err
	}
	if stream.route != nil {
		host = stream.route.Host
	}
	return stream.protocol, host, stream.conn, err
}
