package postgres

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pods-service/pods/shared/pods"
)

const (
	messageUnreachable = "The database cannot be reached. Try again in a moment."
	messageBusy        = "The database is busy. Try again in a moment."
	messageSlow        = "The database did not answer in time. Try again in a moment."
)

// SQLSTATE codes that callers can act on, PostgreSQL appendix A.
const (
	codeUniqueViolation  = "23505"
	codeIdleTransaction  = "25P03"
	codeSerialization    = "40001"
	codeDeadlock         = "40P01"
	codeLockNotAvailable = "55P03"
	codeQueryCanceled    = "57014" // also: statement_timeout
)

// conflicts says what a violated constraint means.
var conflicts = map[string]string{
	"pods_pkey":          "A pod of that name is already there.",
	"pods_uid_key":       "A pod of that name is already there.",
	"pods_k8s_name_key":  "A pod of that name is already there.",
	"templates_pkey":     "A template of that id is already there.",
	"template_tags_pkey": "A tag of that name was added in the same second.",
	"images_pkey":        "The image is already there.",
	"storage_pkey":       "A volume or snapshot of that id is already there.",
}

// translate turns what the driver reports into the domain's errors. It alone
// knows them; nil stays nil, and what no caller can act on stays as it is.
func translate(err error) error {
	if err == nil || isDomain(err) {
		return err
	}
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return translateAnswer(answer, err)
	}
	if isUnreachable(err) {
		return pods.Unavailable(messageUnreachable, err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return pods.Timeout(messageSlow, err)
	}
	return err
}

func isDomain(err error) bool {
	_, ok := errors.AsType[*pods.Error](err)
	return ok
}

// translateAnswer reads an error that the server itself has sent.
func translateAnswer(answer *pgconn.PgError, err error) error {
	switch answer.Code {
	case codeUniqueViolation:
		if message, known := conflicts[answer.ConstraintName]; known {
			return &pods.Error{Kind: pods.KindConflict, Message: message, Err: err}
		}
		return err
	case codeQueryCanceled:
		return pods.Timeout(messageSlow, err)
	case codeLockNotAvailable, codeSerialization, codeDeadlock:
		return pods.Unavailable(messageBusy, err)
	case codeIdleTransaction:
		return pods.Unavailable(messageUnreachable, err)
	}
	switch answer.Code[:min(2, len(answer.Code))] {
	case "08", "53", "57", "28", "3D": // connection, resources, operator's hand, refused, no such database
		return pods.Unavailable(messageUnreachable, err)
	}
	return err
}

// isUnreachable reports whether err says that there is no working connection.
// A deadline of the caller's is not that, though it too breaks the connection.
func isUnreachable(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err)
}
