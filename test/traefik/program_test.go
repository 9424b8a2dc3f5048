// Package traefik runs a real Traefik with config/traefik in front of small
// programs in the place of pods, and visits them through it.
package traefik

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	runner "github.com/pods-service/pods/test/service"
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

// startTraefik starts the program that TEST_TRAEFIK names, with the settings of
// config/traefik but for addresses, and has it poll endpoint.
func startTraefik(t *testing.T, endpoint string, certificate *certificate) *program {
	t.Helper()
	path := os.Getenv("TEST_TRAEFIK")
	if path == "" {
		t.Fatal("TEST_TRAEFIK must be the path of the program traefik: make bin/traefik builds it")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	running, err := runner.StartTraefik(t.Context(), runner.TraefikOptions{
		Program: path, Repository: root, Endpoint: endpoint, CertFile: certificate.certFile, KeyFile: certificate.keyFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("Traefik says:\n%s", running.Output)
		}
	})
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
