package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/pods-service/pods/gateway/relay"
)

// trusted are the load balancers in front, whose word is taken for who a
// visitor is. Their connections must begin with a header of the PROXY protocol,
// version 1 or 2: one without would make the balancer itself the visitor, who
// then is in every list it is in. From everybody else such a header is not
// understood, so it is refused as what it looks like, a broken request.
type trusted []netip.Prefix

// identify reads the header of the PROXY protocol where there must be one.
func (t trusted) identify(ctx context.Context, v *visitor) error {
	peer, err := netip.ParseAddrPort(v.RemoteAddr().String())
	if err != nil || !t.contains(peer.Addr()) {
		return nil //nolint:nilerr // who has no address is no balancer
	}
	_ = v.SetReadDeadline(time.Now().Add(headerTimeout)) // a connection that takes none fails below
	stop := context.AfterFunc(ctx, func() { _ = v.Conn.Close() })
	defer stop()
	reader := bufio.NewReaderSize(v.Conn, headerBuffer)
	header, err := proxyproto.Read(reader)
	if err != nil {
		return fmt.Errorf("read PROXY header: %w", err)
	}
	if header.Command.IsProxy() && !header.TransportProtocol.IsUnspec() {
		source, _, ok := header.TCPAddrs()
		if !ok {
			return errNoTCP
		}
		v.from = source
	}
	early, _ := reader.Peek(reader.Buffered())
	v.early = relay.Replay(v.Conn, slices.Clone(early))
	return v.SetReadDeadline(time.Time{})
}

// headerBuffer takes the whole of a header in version 1; one in version 2 is
// read to its end whatever its length.
const headerBuffer = 512

var errNoTCP = errors.New("the PROXY header is not about a TCP connection")

func (t trusted) contains(address netip.Addr) bool {
	address = address.Unmap()
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(address) })
}
