package proxy

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// dialStep is the time between two attempts to connect to a pod that refuses.
const dialStep = 25 * time.Millisecond

// patientDialer waits a little for a pod that refuses connections: its
// container runs, and the program in it is about to listen. Nothing has been
// sent by then, so this is safe for every request.
//
// However many requests wait for one address, only one of them tries it at a
// time, every 25 ms.
type patientDialer struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	patience time.Duration

	mu       sync.Mutex
	starting map[string]chan struct{} // closed when the one that tries is done
}

func newPatientDialer(timeout, patience time.Duration) *patientDialer {
	dialer := &net.Dialer{Timeout: timeout}
	return &patientDialer{dial: dialer.DialContext, patience: patience, starting: map[string]chan struct{}{}}
}

// Dial connects to address and returns the refusal when patience is at its
// end. ctx bounds each attempt, patience only the time between.
func (d *patientDialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if !isRefused(err) {
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
		if conn, err = d.dial(ctx, network, address); !isRefused(err) {
			return conn, err
		}
	}
}

// try dials again and again until waiting ends.
func (d *patientDialer) try(ctx, waiting context.Context, network, address string) (net.Conn, error) {
	ticker := time.NewTicker(dialStep)
	defer ticker.Stop()
	for {
		select {
		case <-waiting.Done():
			return nil, context.Cause(waiting)
		case <-ticker.C:
		}
		if conn, err := d.dial(ctx, network, address); !isRefused(err) {
			return conn, err
		}
	}
}

// join returns whether the caller is the one to try address, and otherwise
// what tells that the one who does is done.
func (d *patientDialer) join(address string) (done chan struct{}, leads bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done, found := d.starting[address]
	if !found {
		done = make(chan struct{})
		d.starting[address] = done
	}
	return done, !found
}

func (d *patientDialer) leave(address string, done chan struct{}) {
	d.mu.Lock()
	delete(d.starting, address)
	d.mu.Unlock()
	close(done)
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
