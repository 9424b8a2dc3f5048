package rest

import (
	"math"
	"strconv"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Limiter says whether a caller may make a request now.
type Limiter interface {
	// Allow counts a request. It returns 0 when it may go on, and otherwise how
	// long to wait and whose rate it is above: the "user"'s or the "tenant"'s.
	Allow(caller pods.Caller) (wait time.Duration, whose string)
}

// limit refuses a request above the rate of its caller. Requests that nobody has to prove anything for are not counted.
//
// Errors: KindExhausted.
func (r *Router) limit(caller pods.Caller) error {
	if r.config.Limiter == nil {
		return nil
	}
	wait, whose := r.config.Limiter.Allow(caller)
	if wait <= 0 {
		return nil
	}
	name := caller.Username
	if whose == "tenant" {
		name = caller.TenantID
	}
	return pods.ExhaustedFor(wait, "Too many requests by %s %s. Wait %s s and send fewer at a time.", whose, name, RetryAfter(wait))
}

// RetryAfter returns a wait as the header Retry-After has it, in whole seconds.
func RetryAfter(wait time.Duration) string { return strconv.Itoa(int(math.Ceil(wait.Seconds()))) }
