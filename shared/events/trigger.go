package events

import (
	"fmt"
	"math"
	"time"
)

// Trigger says which events go to which subscriber and what happens when it
// does not take one. It means what a Knative Trigger of the same manifest
// means.
type Trigger struct {
	Name       string
	Filter     Filter
	Subscriber string // name of the function
	Path       string // of the request to it, "/" at the least
	Delivery   Delivery
}

// Delivery says how often, after which waits and how long at a time the
// delivery of one event is tried.
type Delivery struct {
	Retry   int // attempts after the first; 0 means one attempt in all
	Backoff Backoff
	Delay   time.Duration // unit of the waits between attempts
	Timeout time.Duration // of one attempt
	// DeadLetters says that what is not taken in the end is kept. Without it
	// such an event is lost, unless its sender tries again.
	DeadLetters bool
}

// Backoff is how waits grow from one retry to the next.
type Backoff string

// The ways waits grow; any other value means not waiting at all.
const (
	BackoffLinear      Backoff = "linear"
	BackoffExponential Backoff = "exponential"
)

// defaultTimeout bounds an attempt whose trigger names no timeout.
const defaultTimeout = 60 * time.Second

// Wait returns the time to wait before a retry; retries count from 0. The
// first linear wait is none and the first exponential one is Delay, as with
// Knative's own delivery.
func (d Delivery) Wait(retry int) time.Duration {
	var factor float64
	switch d.Backoff {
	case BackoffLinear:
		factor = float64(retry)
	case BackoffExponential:
		factor = math.Exp2(float64(retry))
	}
	wait := factor * float64(d.Delay)
	if wait > math.MaxInt64/2 {
		return math.MaxInt64 / 2
	}
	return time.Duration(wait)
}

func (d Delivery) check() error {
	switch {
	case d.Retry < 0:
		return fmt.Errorf("retry is %d, must not be negative", d.Retry)
	case d.Delay < 0, d.Timeout <= 0:
		return fmt.Errorf("backoffDelay is %s and timeout %s, must not be negative or 0", d.Delay, d.Timeout)
	case d.Backoff != "" && d.Backoff != BackoffLinear && d.Backoff != BackoffExponential:
		return fmt.Errorf("backoffPolicy is %q, must be linear or exponential", d.Backoff)
	}
	return nil
}
