package streams

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pods-service/pods/gateway/dial"
	"github.com/pods-service/pods/gateway/relay"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

const (
	// alpnPostgres is by what clients that begin with TLS name the protocol.
	alpnPostgres = "postgresql"

	// What a client of Postgres may begin with: a length, that of the whole
	// message, and one of these codes or a version of the protocol.
	requestBytes   = 8
	sslRequest     = 80877103
	gssRequest     = 80877104
	protocolMajor3 = 3

	yes, no = 'S', 'N' // the answers to a request for encryption
)

var (
	errNoPostgres   = errors.New("the first bytes are no request of Postgres")
	errNoHandshake  = errors.New("no TLS handshake follows the request for it")
	errPodsAnswer   = errors.New("the pod does not answer as Postgres does")
	errTooManyAsked = errors.New("encryption is asked for again and again")
)

// identifyPostgres reads what a client of Postgres begins with and agrees to
// TLS when it asks for it.
func (h *Handler) identifyPostgres(conn net.Conn) (*Stream, error) {
	for range 2 { // a client may ask for encryption by GSSAPI first
		request := make([]byte, requestBytes)
		if _, err := io.ReadFull(conn, request); err != nil {
			return nil, err
		}
		length, code := binary.BigEndian.Uint32(request), binary.BigEndian.Uint32(request[4:])
		switch {
		case length == requestBytes && code == sslRequest:
			return h.identifyNegotiated(conn)
		case length == requestBytes && code == gssRequest:
			if _, err := conn.Write([]byte{no}); err != nil {
				return nil, err
			}
		case code>>16 == protocolMajor3:
			return &Stream{conn: relay.Replay(conn, request), protocol: pods.ProtocolPostgres}, nil
		default:
			return nil, errNoPostgres
		}
	}
	return nil, errTooManyAsked
}

// identifyNegotiated reads the handshake of a client that has asked for TLS.
func (h *Handler) identifyNegotiated(conn net.Conn) (*Stream, error) {
	if _, err := conn.Write([]byte{yes}); err != nil {
		return nil, err
	}
	said, taken, err := readHello(conn)
	if err != nil {
		return nil, err
	}
	if said == nil {
		return nil, errNoHandshake
	}
	host, route := h.find(said)
	return &Stream{
		conn: relay.Replay(conn, taken), hello: said, protocol: pods.ProtocolPostgres, host: host, route: route,
	}, nil
}

// servePostgres asks the pod whether it speaks TLS. If so the client's handshake
// is passed on, else it ends here and the pod gets what is within.
func (s *Stream) servePostgres(ctx context.Context) (result, error) {
	if refused, reason := s.refusal(); reason != nil {
		return refused, s.refuse(ctx, reason)
	}
	pod, err := s.handler.dialer.Dial(ctx, "tcp", s.route.Target)
	if err != nil {
		return unreachable, errors.Join(err, s.refuse(ctx, dialReason(err)))
	}
	defer pod.Close()
	speaksTLS, err := s.handler.asksForTLS(pod)
	if err != nil {
		return badAnswer, errors.Join(err, s.refuse(ctx, reasonBadAnswer))
	}
	if speaksTLS {
		return s.pipe(ctx, s.conn, pod)
	}
	visitor, err := s.handshake(ctx)
	if err != nil {
		return noTLS, err
	}
	return s.pipe(ctx, visitor, pod)
}

// asksForTLS asks the pod for TLS and returns whether it agrees.
func (h *Handler) asksForTLS(pod net.Conn) (bool, error) {
	_ = pod.SetDeadline(time.Now().Add(h.options.AnswerTimeout)) // a connection that takes none fails below
	request, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		return false, err
	}
	if _, err := pod.Write(request); err != nil {
		return false, fmt.Errorf("ask the pod for TLS: %w", err)
	}
	var answer byte
	// Not a byte more: what follows is for the client.
	if err := binary.Read(pod, binary.BigEndian, &answer); err != nil {
		return false, fmt.Errorf("ask the pod for TLS: %w", err)
	}
	if answer != yes && answer != no {
		return false, errPodsAnswer
	}
	return answer == yes, pod.SetDeadline(time.Time{})
}

// refusal returns why the client is not let through to a pod, nil when it is.
func (s *Stream) refusal() (result, *pgproto3.ErrorResponse) {
	switch {
	case s.hello == nil:
		return noTLS, reasonNoTLS
	case s.hello.serverName == "":
		return noRoute, reasonNoName
	case s.route == nil && s.handler.options.Routes() == nil:
		return noRoute, reasonLoading
	case s.route == nil:
		return noRoute, reasonNoPod
	case s.route.Protocol != pods.ProtocolPostgres:
		return noRoute, reasonOtherProtocol
	case !s.isAllowed():
		return refused, reasonAddress
	case s.route.State != routes.StateServing:
		return notServing, stateReasons[s.route.State]
	}
	return "", nil
}

// refuse tells the client why it is not let through, in its own protocol: over
// TLS if it has asked for that.
func (s *Stream) refuse(ctx context.Context, reason *pgproto3.ErrorResponse) error {
	visitor := s.conn
	if s.hello != nil {
		secure, err := s.handshake(ctx)
		if err != nil {
			return err
		}
		defer secure.Close()
		visitor = secure
	}
	_ = visitor.SetDeadline(time.Now().Add(s.handler.options.FirstTimeout)) // as above
	message, err := pgproto3.NewBackend(visitor, visitor).ReceiveStartupMessage()
	if err != nil {
		return fmt.Errorf("read startup message: %w", err)
	}
	if _, cancels := message.(*pgproto3.CancelRequest); cancels {
		return nil // is never answered
	}
	answer, err := reason.Encode(nil)
	if err != nil {
		return err
	}
	if _, err := visitor.Write(answer); err != nil {
		return err
	}
	return relay.CloseWrite(visitor)
}

func dialReason(err error) *pgproto3.ErrorResponse {
	if dial.IsRefused(err) {
		return reasonNotListening
	}
	return reasonUnreachable
}
