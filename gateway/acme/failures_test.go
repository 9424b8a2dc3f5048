package acme

import (
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// TestHangs: while the CA says nothing, no handshake waits longer than it may,
// all have the other certificate, and the CA is asked once. When it answers
// after all, the order comes to its end.
func TestHangs(t *testing.T) {
	t.Parallel()

	const host, bound = "hangs.pods.localhost", 500 * time.Millisecond
	s := newSite(t, map[string]string{"hangs": pods.ProtocolHTTP})
	answers := make(chan struct{})
	s.hangs.Store(&answers)
	s.serve(t, func(o *Options) { o.patience = bound })
	for range 3 {
		began := time.Now()
		s.wantFallback(t, host)
		if took := time.Since(began); took < bound || took > bound+longest/4 {
			t.Errorf("the handshake took %s, want %s", took, bound)
		}
	}
	if got := s.requests.Load(); got != 1 {
		t.Errorf("%d requests at the CA, want 1", got)
	}
	s.hangs.Store(nil)
	close(answers)
	s.wantIssued(t, host)
	s.wantOrders(t, 1)
}

// TestHangsAtTheEnd: a CA that says nothing does not keep the gateway from
// ending.
func TestHangsAtTheEnd(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"hangs-end": pods.ProtocolHTTP})
	answers := make(chan struct{})
	t.Cleanup(func() { close(answers) })
	s.hangs.Store(&answers)
	s.serve(t, func(o *Options) { o.patience = time.Millisecond })
	s.wantFallback(t, "hangs-end.pods.localhost")
	closed := make(chan struct{})
	go func() {
		s.certificates.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(longest):
		t.Error("the order is waited for")
	}
	s.wantFallback(t, "hangs-end.pods.localhost")
}

// TestUnreachable: without a CA that takes connections the host is served with
// the other certificate, and it is said once.
func TestUnreachable(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"unreachable": pods.ProtocolHTTP})
	gone := listen(t)
	_ = gone.Close()
	s.settings.Directory = "https://" + gone.Addr().String() + "/dir"
	s.serve(t)
	for range 3 {
		s.wantFallback(t, "unreachable.pods.localhost")
		s.pass(time.Second)
	}
	for deadline := time.Now().Add(longest); !strings.Contains(s.log.String(), "connection refused"); {
		if time.Now().After(deadline) {
			t.Fatalf("the failure is not logged:\n%s", s.log)
		}
		s.wantFallback(t, "unreachable.pods.localhost")
	}
	if got := strings.Count(s.log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, s.log)
	}
}
