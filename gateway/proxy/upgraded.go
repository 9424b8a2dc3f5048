package proxy

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/pods-service/pods/gateway/relay"
	"github.com/pods-service/pods/gateway/usage"
)

// lingerTimeout is how long a client may keep an upgraded connection that the
// pod has ended.
const lingerTimeout = 2 * time.Second

// upgraded is a client's connection after an upgrade. It costs little while
// nothing is said.
type upgraded struct {
	net.Conn
	// early is what the client sent before the upgrade was agreed on.
	early []byte
	usage *usage.Pod
}

// ReadFrom copies what the pod sends to the client.
func (u *upgraded) ReadFrom(pod io.Reader) (int64, error) {
	return relay.Copy(u.Conn, pod, &u.usage.Sent)
}

// errVisitorLeft ends an upgraded connection.
var errVisitorLeft = errors.New("the visitor has left")

// WriteTo copies what the client sends to the pod. It always ends with an
// error, which ends the other direction too: a WebSocket is not used by halves,
// and a pod that goes on regardless must not keep the connection.
func (u *upgraded) WriteTo(pod io.Writer) (int64, error) {
	n, err := relay.Copy(pod, relay.Replay(u.Conn, u.early), &u.usage.Received)
	if err == nil {
		err = errVisitorLeft
	}
	return n, err
}

// CloseWrite tells the client that the pod has said everything, and gives it a
// moment to hang up: closing at once could cost it the last words.
func (u *upgraded) CloseWrite() error {
	return errors.Join(relay.CloseWrite(u.Conn), u.SetReadDeadline(time.Now().Add(lingerTimeout)))
}
