// Package functiontest runs the functions as their programs do, for tests of
// how each is wired: with a real database and Redis, and an API server and a
// Broker that tests look into.
package functiontest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"net/http"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/podstest"
)

// Process is settings of a function with ports of its own, that ends at once.
func Process() function.Process {
	return function.Process{LogLevel: "error", DrainTimeout: 10 * time.Second, DrainQuiet: time.Millisecond}
}

// Storage is a database of the test's own and the Redis that all tests share.
func Storage(t testing.TB) function.Storage {
	t.Helper()
	return function.Storage{DatabaseURL: podstest.DatabaseURL(t), RedisURL: podstest.RedisURL(t), Connections: 4}
}

// TenantsFile writes a file with the tenant of podstest.Tenant and returns its path.
func TenantsFile(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	content, err := auth.EncodeTenants([]auth.Tenant{{
		Tenant: podstest.Tenant(), BaseURL: "http://localhost", Keys: []auth.Key{{ID: "1", PublicKey: &key.PublicKey}},
	}})
	if err != nil {
		t.Fatalf("encode the tenants: %v", err)
	}
	return SecretFile(t, content)
}

// Running is a function that serves.
type Running struct {
	t         testing.TB
	function  *function.Function
	terminate context.CancelFunc
	done      chan error
}

// Serve runs a function as its program does, from what build makes of the
// settings, until the test or Terminate ends it.
func Serve[T function.Settings](t testing.TB, build function.Build[T], settings T) *Running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	f, err := function.New("test", "1.2.3", settings.OfProcess())
	if err != nil {
		t.Fatalf("new function: %v", err)
	}
	r := &Running{t: t, function: f, terminate: cancel, done: make(chan error, 1)}
	handler, err := build(ctx, f, settings)
	if err != nil {
		cancel()
		f.Close(ctx)
		t.Fatalf("build: %v", err)
	}
	go func() { r.done <- f.Serve(ctx, handler) }()
	t.Cleanup(r.Terminate)
	return r
}

// Terminate does what SIGTERM does and waits for the end. It may be called
// again.
func (r *Running) Terminate() {
	r.terminate()
	if r.done == nil {
		return
	}
	if err := <-r.done; err != nil {
		r.t.Errorf("the function ended with %v", err)
	}
	r.done = nil
}

// URL returns the address of a path.
func (r *Running) URL(path string) string {
	_, port, _ := net.SplitHostPort(r.function.Addr().String())
	return "http://" + net.JoinHostPort("127.0.0.1", port) + path
}

// Status returns the status of GET path.
func (r *Running) Status(path string) int {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.URL(path), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(request)
}

// Send delivers an event to path as a Broker does and returns the status.
func (r *Running) Send(path string, event cloudevents.Event) int {
	r.t.Helper()
	request, err := cloudevents.NewHTTPRequestFromEvent(r.t.Context(), r.URL(path), event)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(request)
}

func (r *Running) do(request *http.Request) int {
	r.t.Helper()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
