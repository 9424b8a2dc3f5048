package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pods-service/pods/gateway/acme"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/dataplane"
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

// TestGatewayTakesPostgres: on the port for TLS a client of Postgres is answered
// in its own protocol.
func TestGatewayTakesPostgres(t *testing.T) {
	t.Parallel()

	set := newSettings(t)
	gateway := functiontest.Serve(t, build, set)
	for gateway.Status("/healthz") != http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("the gateway does not become ready")
		}
	}
	config, err := pgconn.ParseConfig("host=none.pods.localhost user=me sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, set.HTTPS)
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	_, err = pgconn.ConnectConfig(t.Context(), config)
	if failure, ok := errors.AsType[*pgconn.PgError](err); !ok || failure.Code != "08004" {
		t.Errorf("connect: %v, want the refusal of a pod that is not there", err)
	}
}

func TestVisitorsSettings(t *testing.T) {
	t.Setenv("PODS_PROXY_PROTOCOL_FROM", "10.0.0.0/8,2001:db8::/32")
	got, err := function.ReadSettings[dataplane.Visitors]()
	if err != nil {
		t.Fatal(err)
	}
	want := dataplane.Visitors{
		ProxyProtocolFrom:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
		ConnectionsPerClient: 1000,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("settings %+v, want %+v", got, want)
	}
	t.Setenv("PODS_PROXY_PROTOCOL_FROM", "balancer")
	if _, err := function.ReadSettings[dataplane.Visitors](); err == nil {
		t.Error("a balancer without an address is accepted")
	}
}

func TestGatewayNeedsCertificates(t *testing.T) {
	t.Parallel()

	set := newSettings(t)
	set.CADir = ""
	set.ACME.Storage = t.TempDir() // which alone asks for nothing
	f, err := function.New("gateway", "", set.OfProcess())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(t.Context())
	if _, err := build(t.Context(), f, set); err == nil {
		t.Error("a gateway without certificates starts")
	}
}

// TestOpenCertificates: with ACME alone there is something to answer with, and
// files that are given with it are for the hosts that they cover.
func TestOpenCertificates(t *testing.T) {
	t.Parallel()

	order := acme.Settings{
		Directory: "https://ca.example.org/directory", Storage: t.TempDir(), Challenges: []string{"http-01"}, OrdersPerHour: 1,
	}
	logger := slog.New(slog.DiscardHandler)
	for name, set := range map[string]settings{
		"NoFiles": {ACME: order}, "FilesThatAreNotThere": {ACME: order, TLSCertFile: "none", TLSKeyFile: "none"},
	} {
		got, err := openCertificates(set, []string{"pods.localhost"}, logger)
		if err != nil || got.acme == nil || got.acme.Files != nil {
			t.Fatalf("%s: certificates %+v, %v", name, got, err)
		}
		certificate, err := got.get(&tls.ClientHelloInfo{ServerName: "a.pods.localhost"})
		if err != nil || certificate == nil || certificate.Leaf.VerifyHostname("a.pods.localhost") != nil {
			t.Errorf("%s: with ACME alone there is no certificate to begin with: %v", name, err)
		}
	}
	broken := filepath.Join(t.TempDir(), "tls.crt")
	if err := os.WriteFile(broken, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openCertificates(settings{ACME: order, TLSCertFile: broken, TLSKeyFile: broken}, nil, logger); err == nil {
		t.Error("files that hold no certificate are left out")
	}
	order.Directory = "ca.example.org"
	if _, err := openCertificates(settings{ACME: order}, nil, logger); err == nil || !strings.Contains(err.Error(), "PODS_ACME_DIRECTORY") {
		t.Errorf("a directory that is no URL: %v", err)
	}
	if _, err := openCertificates(settings{TLSCertFile: "none", TLSKeyFile: "none"}, nil, logger); err == nil {
		t.Error("files that are not there are accepted")
	}
}
