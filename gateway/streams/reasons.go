package streams

import (
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pods-service/pods/shared/routes"
)

// The SQLSTATEs of refusals.
const (
	stateCannotConnectNow = "57P03"
	stateInvalidAccess    = "28000"
	stateRejected         = "08004"
	stateConnectionFailed = "08006"
	stateProtocol         = "08P01"
)

func reason(state, message, hint string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{
		Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: state, Message: message, Hint: hint,
	}
}

// What clients of Postgres are told.
var (
	reasonNoTLS = reason(stateInvalidAccess, "pods are reached over TLS only: connect with sslmode=require", "")

	reasonNoName = reason(stateRejected, "the connection names no host, by which the pod is found",
		"Connect by host name, with a client that sends it in the TLS handshake (SNI), as libpq 14 and later do.")
	reasonNoPod         = reason(stateRejected, "there is no pod with this address", "It may have been deleted, or the address may be misspelt.")
	reasonOtherProtocol = reason(stateRejected, "this address is not that of a Postgres server",
		`Give the pod's networking entry the protocol "postgres".`)
	reasonAddress = reason(stateInvalidAccess, "this pod may be used from certain addresses only, and yours is not among them", "")

	reasonLoading      = reason(stateCannotConnectNow, "the gateway is starting and does not know the pods yet", "")
	reasonNotListening = reason(stateCannotConnectNow, "the pod runs, but its database does not take connections yet", "")
	reasonUnreachable  = reason(stateConnectionFailed, "the gateway could not connect to the pod", "")
	reasonBadAnswer    = reason(stateProtocol, "the pod's program does not answer as Postgres does", "")
)

var stateReasons = map[routes.State]*pgproto3.ErrorResponse{
	routes.StateStarting: reason(stateCannotConnectNow, "the pod is starting", ""),
	routes.StateStopping: reason(stateCannotConnectNow, "the pod is being stopped", ""),
	routes.StateStopped:  reason(stateCannotConnectNow, "the pod is stopped; its owner can start it again", ""),
	routes.StateError:    reason(stateCannotConnectNow, "the pod has failed; its owner can see why and start it again", ""),
	routes.StateComplete: reason(stateCannotConnectNow, "the pod's program has ended; its owner can start it again", ""),
}
