// Package auth decides who makes a request. It holds the tenants and their
// public keys, verifies tokens, and carries the caller in a context. What the
// caller may do with an object is not decided here.
package auth

import (
	"context"

	"github.com/pods-service/pods/shared/pods"
)

type callerKey struct{}

// WithCaller returns a copy of ctx that carries caller.
func WithCaller(ctx context.Context, caller pods.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// CallerFrom returns the caller that ctx carries, and false when the request
// was not authenticated.
func CallerFrom(ctx context.Context) (pods.Caller, bool) {
	caller, ok := ctx.Value(callerKey{}).(pods.Caller)
	return caller, ok
}
