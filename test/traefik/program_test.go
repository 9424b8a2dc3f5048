// Package traefik runs a real Traefik with config/traefik in front of small
// programs in the place of pods, and visits them through it.
package traefik

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	runner "github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

// limit bounds the wait for anything that Traefik does by itself.
const limit = 20 * time.Second

// domain is that of all pods of the tests.
const domain = "pods.localhost"

// program is a running Traefik.
type program struct {
	plain, secure string // addresses of its entry points
	log           fmt.Stringer
}

// startTraefik starts Traefik and has it poll endpoint.
func startTraefik(t *testing.T, endpoint string, certificate *certificate) *program {
	t.Helper()
	running := suite.StartTraefik(t, endpoint, certificate.certFile, certificate.keyFile)
	return &program{running.Plain, running.Secure, running.Output}
}

// eventually tries until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); !condition(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// certificate is for all pods of the tests.
type certificate struct {
	certFile, keyFile string
	pair              tls.Certificate
	pool              *x509.CertPool
}

func newCertificate(t *testing.T) *certificate {
	t.Helper()
	made, err := runner.NewCertificate(t.TempDir(), "*."+domain)
	if err != nil {
		t.Fatal(err)
	}
	return &certificate{made.CertFile, made.KeyFile, made.Pair, made.Pool}
}
