// Package dial connects to pods.
package dial

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// step is the time between two attempts to connect to a pod that refuses.
const step = 25 * time.Millisecond

// Func connects to an address.
type Func = func(ctx context.Context, network, address string) (net.Conn, error)

// Patient waits a little for a pod that refuses connections: its container
// runs, and the program in it is about to listen. Nothing has been sent by
// then, so this is safe for every request.
//
// However many wait for one address, only one of them tries it at a time,
// every 25 ms. It is safe for concurrent use.
type Patient struct {
	attempt  Func
	patience time.Duration

	mu       sync.Mutex
	starting map[string]chan struct{} // closed when the one that tries is done
}

// NewPatient returns a Patient that gives each attempt at most timeout, and
// goes on for patience while it is refused.
func NewPatient(timeout, patience time.Duration) *Patient {
	dialer := &net.Dialer{Timeout: timeout}
	return &Patient{attempt: dialer.DialContext, patience: patience, starting: map[string]chan struct{}{}}
}

// Wrap puts wrap around each single attempt. It must be called before Dial.
func (d *Patient) Wrap(wrap func(Func) Func) { d.attempt = wrap(d.attempt) }

// Dial connects to address and returns the refusal when patience is at its
// end. ctx bounds each attempt, patience only the time between.
func (d *Patient) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.attempt(ctx, network, address)
	if !IsRefused(err) {
		return conn, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, d.patience, err)
	defer cancel()
	for {
		done, leads := d.join(address)
		if leads {
			conn, err = d.try(ctx, waiting, network, address)
			d.leave(address, done)
			return conn, err
		}
		select {
		case <-done:
		case <-waiting.Done():
			return nil, context.Cause(waiting)
		}
		if conn, err = d.attempt(ctx, network, address); !IsRefused(err) {
			return conn, err
		}
	}
}

// try dials again and again until waiting ends.
func (d *Patient) try(ctx, waiting context.Context, network, address string) (net.Conn, error) {
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for {
		select {
		case <-waiting.Done():
			return nil, context.Cause(waiting)
		case <-ticker.C:
		}
		if conn, err := d.attempt(ctx, network, address); !IsRefused(err) {
			return conn, err
		}
	}
}

// join returns whether the caller is the one to try address, and otherwise
// what tells that the one who does is done.
func (d *Patient) join(address string) (done chan struct{}, leads bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done, found := d.starting[address]
	if !found {
		done = make(chan struct{})
		d.starting[address] = done
	}
	return done, !found
}

func (d *Patient) leave(address string, done chan struct{}) {
	d.mu.Lock()
	delete(d.starting, address)
	d.mu.Unlock()
	close(done)
}

// IsRefused reports whether err says that nobody listens at the address.
func IsRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
