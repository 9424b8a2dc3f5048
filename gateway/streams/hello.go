package streams

import (
	"crypto/tls"
	"errors"
	"net"
)

// maxHello bounds a ClientHello, in bytes with the framing around it. Those of
// browsers have some 2 KB.
const maxHello = 16 << 10

// hello is what a client says first in a TLS handshake.
type hello struct {
	serverName string
	protocols  []string // ALPN
}

var (
	errHelloTooLong = errors.New("the ClientHello is too long")
	errSeen         = errors.New("the ClientHello has been seen")
)

// readHello reads a ClientHello and returns it with all the bytes that it took.
// When they are no ClientHello, hello is nil; err is set when they have ended
// before that could be said.
func readHello(conn net.Conn) (said *hello, taken []byte, err error) {
	tap := &tap{Conn: conn}
	// The parser is that of crypto/tls, stopped before it answers.
	_ = tls.Server(tap, &tls.Config{ //nolint:gosec // nothing is ever negotiated
		GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
			said = &hello{serverName: info.ServerName, protocols: info.SupportedProtos}
			return nil, errSeen
		},
	}).Handshake()
	if said == nil && tap.err != nil {
		return nil, nil, tap.err
	}
	return said, tap.taken, nil
}

// tap keeps what is read and writes nothing.
type tap struct {
	net.Conn
	taken []byte
	err   error // why reading has ended
}

func (t *tap) Read(buffer []byte) (n int, err error) {
	room := maxHello - len(t.taken)
	if room == 0 {
		t.err = errHelloTooLong
		return 0, t.err
	}
	n, t.err = t.Conn.Read(buffer[:min(len(buffer), room)])
	t.taken = append(t.taken, buffer[:n]...)
	return n, t.err
}

func (t *tap) Write(alert []byte) (int, error) { return len(alert), nil }
