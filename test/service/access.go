package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/pods-service/pods/shared/client"
)

// callTimeout bounds one call to the service or to a pod.
const callTimeout = 30 * time.Second

// Addresses is where the parts of a running service listen.
type Addresses struct {
	API          string `json:"api"`           // URL
	GatewayHTTP  string `json:"gateway_http"`  // host:port
	GatewayHTTPS string `json:"gateway_https"` // host:port
}

// Access is how a running service is reached from this machine.
type Access struct {
	at  Addresses
	api http.RoundTripper // nil means http.DefaultTransport
}

// At returns where the running service listens.
func (a *Access) At() Addresses { return a.at }

// API returns a client for addresses that begin with At().API.
func (a *Access) API() *http.Client {
	return &http.Client{Timeout: callTimeout, Transport: a.api}
}

// As returns a client logged in as a user of the tenant dev.
func (a *Access) As(ctx context.Context, user string) (*client.Client, error) {
	c := client.New(a.at.API, a.API())
	return c, c.Login(ctx, user, user)
}

// Dial connects to the gateway, with or without TLS as the port of address
// says: it answers for the names of all pods.
func (a *Access) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	to := a.at.GatewayHTTP
	if _, port, _ := net.SplitHostPort(address); port == "443" {
		to = a.at.GatewayHTTPS
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

// Web returns a client that reaches every pod by name and trusts the
// service's CA.
func (a *Access) Web(ctx context.Context) (*http.Client, error) {
	roots, err := a.Roots(ctx)
	if err != nil {
		return nil, err
	}
	return &http.Client{Timeout: callTimeout, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext:       a.Dial,
	}}, nil
}

// Roots returns the service's CA.
func (a *Access) Roots(ctx context.Context) (*x509.CertPool, error) {
	pem, err := a.read(ctx, "/ca.pem")
	if err != nil {
		return nil, fmt.Errorf("fetch the CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("/ca.pem holds no certificate")
	}
	return roots, nil
}

// read fetches what the API serves at path, at most 16 MiB.
func (a *Access) read(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.at.API+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.API().Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", path, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 16<<20))
}
