package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pods-service/pods/shared/auth"
)

const (
	// visitRoutes is how many routes the gateway has besides those visited.
	visitRoutes = 10_000
	// visitSenders is how many requests are under way when throughput is
	// measured.
	visitSenders = 16
	// visitRate is at how many requests per second latency is measured.
	visitRate = 500
	// visitRounds is how often the sides take turns.
	visitRounds = 6
	// visitWarmUp is for how long each side works before it is measured.
	visitWarmUp = 2 * time.Second
)

// The hosts of the two pods that are visited: one that is open, and one that
// asks for a login.
const (
	openHost   = "open.pods.localhost"
	closedHost = "closed.pods.localhost"
)

// visits measures B3: requests to a pod through the gateway, with a login and
// without, against a bare httputil.ReverseProxy and, where there is one, against
// Traefik. All of them end TLS with one certificate, keep connections, and lead
// to one small program in the place of the pod. The visitor proves who they are
// with each request, by the platform's token in a cookie.
func visits(ctx context.Context, o options) (_ []figure, err error) {
	b := &visitBench{load: o.load}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx, o.traefik); err != nil {
		return nil, err
	}
	throughput, err := b.throughput(ctx)
	if err != nil {
		return nil, err
	}
	latencies, err := b.latencies(ctx)
	return append(throughput, latencies...), err
}

// visitBench is what B3 needs around the load, and B9 a part of it.
type visitBench struct {
	load     time.Duration // for how long each side is measured
	dir      string
	identity *identity
	children []*child
	traefik  *traefikProgram
	// The sides, in the order of the figures.
	closed, opened, bare, other *visitSide
}

// visitSide is one way to a pod.
type visitSide struct {
	*target
	name string
	next makeRequest
}

// prepare makes what the sides are told, and what trusts their certificate.
func (b *visitBench) prepare() (settings sideSettings, roots *x509.CertPool, err error) {
	if b.dir, err = os.MkdirTemp("", "pods-bench-"); err != nil {
		return sideSettings{}, nil, err
	}
	if b.identity, err = newIdentity(); err != nil {
		return sideSettings{}, nil, err
	}
	settings = sideSettings{
		TenantsFile: b.identity.tenantsFile,
		CertFile:    filepath.Join(b.dir, "cert.pem"), KeyFile: filepath.Join(b.dir, "key.pem"),
	}
	roots, err = writeCertificate(settings.CertFile, settings.KeyFile)
	return settings, roots, err
}

func (b *visitBench) open(ctx context.Context, traefik string) error {
	settings, roots, err := b.prepare()
	if err != nil {
		return err
	}
	backend, err := b.start(ctx, "backend", settings)
	if err != nil {
		return err
	}
	settings.Backend, settings.Routes = backend.address, visitRoutes
	gateway, err := b.start(ctx, "gateway", settings)
	if err != nil {
		return err
	}
	bare, err := b.start(ctx, "reverseproxy", settings)
	if err != nil {
		return err
	}
	if b.traefik, err = startTraefik(ctx, traefik, b.dir, settings); err != nil {
		return err
	}
	for _, side := range []struct {
		into          **visitSide
		name, address string
		next          makeRequest
	}{
		{&b.closed, "the gateway with login", gateway.address, b.visit(closedHost)},
		{&b.opened, "the gateway", gateway.address, b.visit(openHost)},
		{&b.bare, "the ReverseProxy", bare.address, b.visit(openHost)},
		{&b.other, "Traefik", b.traefik.address, b.visit(openHost)},
	} {
		target, err := newSecureTarget(side.address, roots)
		if err != nil {
			return err
		}
		*side.into = &visitSide{target, side.name, side.next}
		if err := every(ctx, 50*time.Millisecond, func() (bool, error) { return target.send(ctx, side.next) == nil, nil }); err != nil {
			return fmt.Errorf("%s does not answer: %w", side.name, target.send(ctx, side.next))
		}
	}
	return nil
}

func (b *visitBench) start(ctx context.Context, name string, settings sideSettings) (*child, error) {
	started, err := startChild(ctx, name, settings)
	if err == nil {
		b.children = append(b.children, started)
	}
	return started, err
}

// visit returns requests of one visitor, who sends the token to every host.
func (b *visitBench) visit(host string) makeRequest {
	return func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/path?query=1", http.NoBody)
		if err == nil {
			req.Header.Set("Cookie", "theme=dark; "+auth.HeaderToken+"="+b.identity.token)
		}
		return req, err
	}
}

func (b *visitBench) throughput(ctx context.Context) ([]figure, error) {
	sides := []*visitSide{b.closed, b.opened, b.bare, b.other}
	for _, side := range sides {
		if _, _, err := side.saturate(ctx, visitSenders, visitWarmUp, side.next); err != nil {
			return nil, fmt.Errorf("%s: %w", side.name, err)
		}
	}
	answered, elapsed := make([]int64, len(sides)), make([]time.Duration, len(sides))
	err := takeTurns(visitRounds, len(sides), func(i, round int) error {
		count, took, err := sides[i].saturate(ctx, visitSenders, b.load/visitRounds, sides[i].next)
		answered[i] += count
		elapsed[i] += took
		fmt.Printf("requests, round %d of %d: %s %.0f per second\n", round+1, visitRounds, sides[i].name, float64(count)/took.Seconds())
		if err != nil {
			return fmt.Errorf("%s: %w", sides[i].name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	perSecond := func(i int) float64 { return float64(answered[i]) / elapsed[i].Seconds() }
	of := func(what string, ours, baseline int) figure {
		return plain("B3", what, "per second", perSecond(ours)).against(perSecond(baseline))
	}
	return []figure{
		of("requests with login, against the same gateway without", 0, 1).minRatio(0.7),
		of("requests without login, against httputil.ReverseProxy", 1, 2).minRatio(0.9),
		of("requests without login, against Traefik", 1, 3),
	}, nil
}

// latencies measures requests at a steady rate, with login and without.
func (b *visitBench) latencies(ctx context.Context) ([]figure, error) {
	sides := []*visitSide{b.closed, b.opened}
	found := make([]series, len(sides))
	fmt.Printf("Sending %d requests per second, %s to each side\n", visitRate, b.load)
	err := takeTurns(visitRounds, len(sides), func(i, _ int) error {
		times, err := sides[i].pace(ctx, visitRate, b.load/visitRounds, sides[i].next)
		found[i] = append(found[i], times...)
		if err != nil {
			return fmt.Errorf("%s: %w", sides[i].name, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	of := func(what string, q float64) figure {
		return plain("B3", fmt.Sprintf("with login at %d per second, %s", visitRate, what), "ms", found[0].millis(q)).against(found[1].millis(q))
	}
	return []figure{of("p50", 0.5).maxMore(1), of("p99", 0.99).maxMore(5)}, nil
}

func (b *visitBench) close() error {
	var errs []error
	if b.traefik != nil {
		errs = append(errs, b.traefik.stop())
	}
	for _, child := range b.children {
		errs = append(errs, child.stop())
	}
	if b.identity != nil {
		errs = append(errs, os.Remove(b.identity.tenantsFile))
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// writeCertificate makes a certificate for the two hosts, writes it with its key
// and returns what trusts it.
func writeCertificate(certFile, keyFile string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pods bench"}, DNSNames: []string{openHost, closedHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return roots, errors.Join(
		os.WriteFile(certFile, certificate, 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
}
