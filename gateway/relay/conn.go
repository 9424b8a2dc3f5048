package relay

import "net"

// Replayed is a connection of which some bytes have been read: they come first.
type Replayed struct {
	net.Conn
	early []byte
}

// Replay returns conn with early put back in front of what is still to come.
// The caller must not use early any more.
func Replay(conn net.Conn, early []byte) *Replayed { return &Replayed{Conn: conn, early: early} }

// Read implements net.Conn.
func (r *Replayed) Read(buffer []byte) (int, error) {
	if len(r.early) == 0 {
		return r.Conn.Read(buffer)
	}
	n := copy(buffer, r.early)
	if r.early = r.early[n:]; len(r.early) == 0 {
		r.early = nil // gives the memory back
	}
	return n, nil
}

// CloseWrite tells the peer that nothing more comes.
func (r *Replayed) CloseWrite() error { return CloseWrite(r.Conn) }

// CloseWrite tells the peer that nothing more comes, while it may go on
// sending. A connection that cannot be closed by halves is closed.
func CloseWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}
