package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	bufferSize = 32 << 10 // of a body on its way
	// idleBufferSize is what each direction of an upgraded connection holds
	// while it waits: thousands of them are open at once and say little.
	idleBufferSize = 1 << 10

	// lingerTimeout is how long a client may keep an upgraded connection that
	// the pod has ended.
	lingerTimeout = 2 * time.Second
)

// bufferPool implements httputil.BufferPool without an allocation per use.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte {
	if buffer, ok := p.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return new([bufferSize]byte)[:]
}

func (p *bufferPool) Put(buffer []byte) { p.pool.Put((*[bufferSize]byte)(buffer)) }

var upgradeBuffers bufferPool

// upgraded is a client's connection after an upgrade. Copying from or to it
// waits with a small buffer and takes a large one only while much arrives.
type upgraded struct {
	net.Conn
	// early is what the client sent before the upgrade was agreed on.
	early []byte
}

// ReadFrom copies what the pod sends to the client.
func (u *upgraded) ReadFrom(pod io.Reader) (int64, error) { return copySparingly(u.Conn, pod) }

// errVisitorLeft ends an upgraded connection.
var errVisitorLeft = errors.New("the visitor has left")

// WriteTo copies what the client sends to the pod. It always ends with an
// error, which ends the other direction too: a WebSocket is not used by halves,
// and a pod that goes on regardless must not keep the connection.
func (u *upgraded) WriteTo(pod io.Writer) (int64, error) {
	early, err := pod.Write(u.early)
	if err != nil {
		return int64(early), err
	}
	n, err := copySparingly(pod, u.Conn)
	if err == nil {
		err = errVisitorLeft
	}
	return n + int64(early), err
}

// CloseWrite tells the client that the pod has said everything, and gives it a
// moment to hang up: closing at once could cost it the last words.
func (u *upgraded) CloseWrite() error {
	half, ok := u.Conn.(interface{ CloseWrite() error })
	if !ok {
		return u.Conn.Close()
	}
	return errors.Join(half.CloseWrite(), u.Conn.SetReadDeadline(time.Now().Add(lingerTimeout)))
}

// copySparingly copies until from ends, as io.Copy does.
func copySparingly(to io.Writer, from io.Reader) (total int64, err error) {
	small := make([]byte, idleBufferSize)
	for {
		n, full, err := copyOnce(to, from, small)
		total += n
		for full && err == nil { // more is likely to be there
			buffer := upgradeBuffers.Get()
			n, full, err = copyOnce(to, from, buffer)
			upgradeBuffers.Put(buffer)
			total += n
		}
		if err == io.EOF { //nolint:errorlint // readers return it as it is
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyOnce copies what one read brings. full reports whether it filled the
// small buffer at least.
func copyOnce(to io.Writer, from io.Reader, buffer []byte) (copied int64, full bool, err error) {
	n, readErr := from.Read(buffer)
	if n > 0 {
		written, err := to.Write(buffer[:n])
		if err != nil {
			return int64(written), false, err
		}
	}
	return int64(n), n >= idleBufferSize, readErr
}
