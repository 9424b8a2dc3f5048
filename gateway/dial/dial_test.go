package dial_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pods-service/pods/gateway/dial"
)

var errRefused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

// newPatient returns a dialer on top of attempt.
func newPatient(attempt dial.Func, patience time.Duration) dial.Func {
	d := dial.NewPatient(0, patience)
	d.Wrap(func(dial.Func) dial.Func { return attempt })
	return d.Dial
}

// program is a pod's program as a dialer sees it, in synthetic time.
type program struct {
	listensAt time.Time
	attempts  atomic.Int64
}

func (p *program) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.attempts.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if time.Now().Before(p.listensAt) {
		return nil, errRefused
	}
	conn, _ := net.Pipe()
	return conn, nil
}

// TestPatientDialer: many wait for one address, and only one of them knocks.
func TestPatientDialer(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const waiting = 500
		began := time.Now()
		p := &program{listensAt: began.Add(time.Second)}
		knock := newPatient(p.dial, 3*time.Second)
		results := make(chan error, waiting)
		for range waiting {
			go func() {
				_, err := knock(t.Context(), "tcp", "10.0.0.1:80")
				results <- err
			}()
		}
		for range waiting {
			if err := <-results; err != nil {
				t.Fatalf("dial: %v", err)
			}
		}
		if took := time.Since(began); took < time.Second || took > 1050*time.Millisecond {
			t.Errorf("connected after %s, the program listens after 1 s", took)
		}
		// Each at the start and at the end, and forty knocks between.
		if got := p.attempts.Load(); got > 2*waiting+45 {
			t.Errorf("%d attempts", got)
		}
	})
}

func TestPatientDialerGivesUp(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := &program{listensAt: began.Add(time.Hour)}
		knock := newPatient(p.dial, 3*time.Second)
		results := make(chan error)
		for i := range 10 { // one every 0.3 s
			go func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				start := time.Now()
				_, err := knock(t.Context(), "tcp", "10.0.0.1:80")
				if took := time.Since(start); took < 3*time.Second || took > 3100*time.Millisecond {
					t.Errorf("gave up after %s, want 3 s", took)
				}
				results <- err
			}()
		}
		for range 10 {
			if err := <-results; !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial: %v, want the refusal", err)
			}
		}
		if got := p.attempts.Load(); got > 400 {
			t.Errorf("%d attempts in 6 s", got)
		}
	})
}

func TestPatientDialerWaitsForRefusalsOnly(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		failure := errors.New("no route to host")
		knock := newPatient(func(context.Context, string, string) (net.Conn, error) { return nil, failure }, time.Minute)
		if _, err := knock(t.Context(), "tcp", "10.0.0.1:80"); !errors.Is(err, failure) {
			t.Errorf("dial: %v", err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("waited %s", took)
		}
	})
}

// TestPatientDialerLeaderLeaves: when the request that knocks is given up,
// another takes over.
func TestPatientDialerLeaderLeaves(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		p := &program{listensAt: time.Now().Add(2 * time.Second)}
		knock := newPatient(p.dial, time.Minute)
		leader, leave := context.WithCancel(t.Context())
		results := make(chan error, 2)
		go func() {
			_, err := knock(leader, "tcp", "10.0.0.1:80")
			results <- err
		}()
		synctest.Wait()
		go func() {
			_, err := knock(t.Context(), "tcp", "10.0.0.1:80")
			results <- err
		}()
		synctest.Wait()
		leave()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that left: %v", err)
		}
		if err := <-results; err != nil {
			t.Errorf("the other: %v", err)
		}
	})
}
