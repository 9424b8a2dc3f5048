// Package suite holds what tests ask of a running service: to log in, to make
// pods and wait for what becomes of them, to look at their pages and at what
// the cluster holds of them.
package suite

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/test/service"
)

// Patience is how long a test waits for what takes a second or two on a quiet
// machine.
const Patience = 2 * time.Minute

// Service is a running service, whatever runs it.
type Service interface {
	At() service.Addresses
	API() *http.Client
	As(ctx context.Context, user string) (*client.Client, error)
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	Web(ctx context.Context) (*http.Client, error)
	Roots(ctx context.Context) (*x509.CertPool, error)
	Unsent(ctx context.Context) (int, error)
	Log() string
}

// Suite is a service under test and the cluster that runs its pods.
type Suite struct {
	Service
	Cluster   kubernetes.Interface
	Namespace string // of the users' pods
	// Alone says that one test has the namespace to itself: whatever is in it
	// is the test's.
	Alone bool
}

// Config returns how to reach the cluster of TEST_KUBECONFIG.
func Config() (*rest.Config, error) {
	path := os.Getenv("TEST_KUBECONFIG")
	if path == "" {
		return nil, errors.New("TEST_KUBECONFIG names no cluster; run: make test")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read TEST_KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// User returns a client logged in as user of the tenant dev.
func (s *Suite) User(t *testing.T, user string) *client.Client {
	t.Helper()
	c, err := s.As(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// NewID returns an id for a pod that no other test uses.
func NewID(name string) string { return name + strings.ToLower(rand.Text()[:6]) }

// errFatal ends Eventually at once.
type errFatal struct{ error }

// Fatal returns an error that ends Eventually at once.
func Fatal(err error) error { return errFatal{err} }

// Eventually calls check until it returns nil, ctx is done or Patience is over.
func Eventually(ctx context.Context, check func() error) error {
	return Poll(ctx, 25*time.Millisecond, check)
}

// Poll is Eventually with a time between two calls.
func Poll(ctx context.Context, every time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		err := check()
		if fatal, ok := errors.AsType[errFatal](err); err == nil || ok {
			if ok {
				return fatal.error
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// WaitSettled waits until the outbox is empty: every event has been delivered.
func (s *Suite) WaitSettled(t *testing.T) {
	t.Helper()
	err := Eventually(t.Context(), func() error {
		count, err := s.Unsent(t.Context())
		if err == nil && count > 0 {
			err = fmt.Errorf("%d events wait in the outbox", count)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Contains checks that text holds every part.
func Contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}
