package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// patience bounds what every waits for.
const patience = 2 * time.Minute

// every calls check, at once and then again and again, until it is done or
// fails.
func every(ctx context.Context, interval time.Duration, check func() (done bool, err error)) error {
	return within(ctx, patience, interval, check)
}

// within is every with a patience of its own.
func within(ctx context.Context, patience, interval time.Duration, check func() (done bool, err error)) error {
	return wait.PollUntilContextTimeout(ctx, interval, patience, true, func(context.Context) (bool, error) { return check() })
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
