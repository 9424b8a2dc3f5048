package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/podstest/functiontest"
	"github.com/pods-service/pods/shared/postgres"
)

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func newSettings(t *testing.T) settings {
	t.Helper()
	return settings{
		Process: functiontest.Process(), Storage: functiontest.Storage(t),
		Tenancy: function.Tenancy{TenantsFile: functiontest.TenantsFile(t)},
		Login:   function.Login{LoginKeyFile: functiontest.SecretFile(t, bytes.Repeat([]byte{1}, 32))}, SiteID: podstest.Tenant().SiteID,
		HTTP: freeAddress(t), HTTPS: freeAddress(t), CADir: t.TempDir(),
	}
}

// TestGateway: a pod that is created after the start has its page at once, by
// the news of it, and the certificate is one of the development CA.
func TestGateway(t *testing.T) {
	t.Parallel()

	set := newSettings(t)
	gateway := functiontest.Serve(t, build, set)
	for gateway.Status("/healthz") != http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("the gateway does not become ready")
		}
	}
	changes, err := cache.Open(cache.Options{URL: set.RedisURL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Close()
	store := postgres.New(podstest.Open(t, set.DatabaseURL), postgres.Options{Key: podstest.Key, Now: time.Now})
	pod := podstest.Create(t, store)

	authority, err := os.ReadFile(certs.CertificatePath(set.CADir))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	visitor := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, set.HTTPS)
		},
	}}
	defer visitor.CloseIdleConnections()
	for {
		changes.Publish(t.Context(), cache.Change{TenantID: pod.TenantID, PodID: pod.ID})
		answer, err := visitor.Get("https://" + pod.ID + ".pods.localhost/")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusServiceUnavailable {
			break // it is being started
		}
		if answer.StatusCode != http.StatusNotFound {
			t.Fatalf("the pod's page has status %d", answer.StatusCode)
		}
	}
}

func TestGatewayNeedsCertificates(t *testing.T) {
	t.Parallel()

	set := newSettings(t)
	set.CADir = ""
	f, err := function.New("gateway", "", set.OfProcess())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(t.Context())
	if _, err := build(t.Context(), f, set); err == nil {
		t.Error("a gateway without certificates starts")
	}
}
