package pods

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what a caller can do about an Error. The zero value means "no
// error".
type Kind string

// The kinds of failure. Each adapter owns one table from these to its own
// terms: rest to HTTP statuses, events to acknowledgements.
const (
	KindInvalid         Kind = "invalid"
	KindUnauthenticated Kind = "unauthenticated"
	KindForbidden       Kind = "forbidden"
	KindNotFound        Kind = "not_found"
	KindConflict        Kind = "conflict"
	KindTooLarge        Kind = "too_large"
	KindExhausted       Kind = "exhausted"
	KindUnavailable     Kind = "unavailable"
	KindTimeout         Kind = "timeout"
	KindInternal        Kind = "internal"
)

// FieldError is one thing wrong with one field of a request.
type FieldError struct {
	// Location leads to the field from the outside in: "body", "pod_id".
	Location []string
	Message  string
}

// String joins the location with commas and appends the message, the form in
// which users see it.
func (e FieldError) String() string {
	return strings.Join(e.Location, ", ") + ": " + e.Message
}

// Error is a failure a caller can act on. Anything else is internal.
type Error struct {
	Kind    Kind
	Message string       // shown to the user
	Fields  []FieldError // set for KindInvalid when fields are to blame
	// RetryAfter is how long to wait, for KindExhausted; 0 where that is not known.
	RetryAfter time.Duration
	Err        error // cause: logged, never shown
}

// Error describes the failure for a log, with its cause.
func (e *Error) Error() string {
	text := e.Message
	if len(e.Fields) > 0 {
		parts := make([]string, len(e.Fields))
		for i, field := range e.Fields {
			parts[i] = field.String()
		}
		text = strings.Join(parts, "; ")
	}
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of the first *Error in err's chain, KindInternal for
// any other error, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

func newError(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Invalid says that the request can never succeed as it is.
func Invalid(format string, args ...any) *Error { return newError(KindInvalid, format, args...) }

// InvalidFields reports every field in fields at once, or nil when there is
// none.
func InvalidFields(fields []FieldError) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalid, Message: "The request has invalid fields.", Fields: fields}
}

// Unauthenticated says that the caller has not proved who they are.
func Unauthenticated(format string, args ...any) *Error {
	return newError(KindUnauthenticated, format, args...)
}

// Forbidden says that the caller is known and may not do this.
func Forbidden(format string, args ...any) *Error { return newError(KindForbidden, format, args...) }

// NotFound says that the object is not there, or that the caller may not know
// whether it is.
func NotFound(format string, args ...any) *Error { return newError(KindNotFound, format, args...) }

// Conflict says that the object is in a state in which this cannot be done, or
// that a newer state has won.
func Conflict(format string, args ...any) *Error { return newError(KindConflict, format, args...) }

// TooLarge says that the request is bigger than allowed.
func TooLarge(format string, args ...any) *Error { return newError(KindTooLarge, format, args...) }

// Exhausted says that a rate or quota is used up for now.
func Exhausted(format string, args ...any) *Error { return newError(KindExhausted, format, args...) }

// ExhaustedFor says that a rate is used up, and for how long.
func ExhaustedFor(wait time.Duration, format string, args ...any) *Error {
	e := Exhausted(format, args...)
	e.RetryAfter = wait
	return e
}

// Unavailable says that something this service depends on cannot be reached;
// cause is logged and never shown.
func Unavailable(message string, cause error) *Error {
	return &Error{Kind: KindUnavailable, Message: message, Err: cause}
}

// Timeout says that the work took longer than it may; cause is logged and
// never shown.
func Timeout(message string, cause error) *Error {
	return &Error{Kind: KindTimeout, Message: message, Err: cause}
}
