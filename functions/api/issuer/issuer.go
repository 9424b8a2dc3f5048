// Package issuer serves the sites, tenants and tokens that clients of the API
// expect of the platform around it, so that the service can be tried and tested
// on one machine without that platform. Its users have no secrets; it refuses to
// serve any address but loopback.
package issuer

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// Paths are the patterns below which an Issuer serves.
var Paths = []string{"/v3/sites", "/v3/sites/", "/v3/tenants", "/v3/tenants/", "/v3/oauth2/", "/v3/tokens"}

// requestTimeout bounds one request, the delay after a wrong password included.
const requestTimeout = 10 * time.Second

// Issuer is a development issuer: an http.Handler for paths below /v3/sites,
// /v3/tenants and /v3/oauth2, and for /v3/tokens. It is safe for concurrent use.
type Issuer struct {
	config        Config
	tenants       []*tenant
	source        auth.StaticSource
	registry      *auth.Registry
	authenticator *auth.Authenticator
	router        *rest.Router
	crossOrigin   *http.CrossOriginProtection
	records       Records
	failures      chan struct{} // capacity: failed log-ins that may wait at once
}

// tenant is a configured tenant with its key.
type tenant struct {
	Tenant
	clients   *clients
	public    auth.Tenant
	publicPEM string
	keyID     string
	key       *rsa.PrivateKey
}

// New returns an issuer for config and makes the keys that are not there yet. It
// fails when config.ListenAddr is not a loopback address, when a key cannot be
// read or stored, and when a tenant is incomplete.
func New(config Config) (*Issuer, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Records == nil {
		config.Records = newMemory(config.Now)
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if err := os.MkdirAll(config.KeyDir, 0o700); err != nil {
		return nil, fmt.Errorf("development issuer: %w", err)
	}
	i := &Issuer{
		config: config, failures: make(chan struct{}, maxFailures),
		crossOrigin: http.NewCrossOriginProtection(), records: config.Records,
	}
	for n, configured := range config.Tenants {
		t, err := newTenant(configured, config, n == 0)
		if err != nil {
			return nil, fmt.Errorf("development issuer: tenant %q: %w", configured.ID, err)
		}
		i.tenants = append(i.tenants, t)
		i.source = append(i.source, t.public)
	}
	registry, err := auth.NewRegistry(context.Background(), i.source,
		auth.RegistryOptions{Now: config.Now, Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("development issuer: %w", err)
	}
	i.registry = registry
	i.authenticator = auth.NewAuthenticator(registry, config.SiteID)
	i.router = rest.NewRouter(rest.Config{
		Authenticator: i.authenticator, Logger: config.Logger, Version: config.Version, Timeout: requestTimeout,
	}, i.routes())
	return i, nil
}

func newTenant(configured Tenant, config Config, first bool) (*tenant, error) {
	if configured.ID == "" || filepath.Base(configured.ID) != configured.ID {
		return nil, fmt.Errorf("the ID cannot name a file")
	}
	for _, client := range configured.Clients {
		if err := client.check(); err != nil {
			return nil, fmt.Errorf("client %q: %w", client.ID, err)
		}
	}
	key, err := loadKey(filepath.Join(config.KeyDir, configured.ID+".pem"))
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	digest := sha256.Sum256(der)
	keyID := hex.EncodeToString(digest[:8])
	return &tenant{
		Tenant:    configured,
		clients:   newClients(configured.ID, configured.Clients, config.Records),
		key:       key,
		keyID:     keyID,
		publicPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		public: auth.Tenant{
			Tenant:              pods.Tenant{ID: configured.ID, SiteID: config.SiteID, PodsDomain: configured.PodsDomain},
			BaseURL:             configured.BaseURL,
			AlternateURLs:       configured.AlternateURLs,
			Issuer:              strings.TrimSuffix(configured.BaseURL, "/") + auth.DefaultIssuerPath,
			Keys:                []auth.Key{{ID: keyID, PublicKey: &key.PublicKey}},
			IssuesServiceTokens: first,
		},
	}, nil
}

// Tenants returns the source of the issuer's tenants for a registry that is to
// accept its tokens.
func (i *Issuer) Tenants() auth.Source { return i.source }

func (i *Issuer) routes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /v3/sites", Open: true, Handle: i.listSites},
		{Pattern: "GET /v3/sites/{site_id}", Open: true, Handle: i.getSite},
		{Pattern: "GET /v3/tenants", Open: true, Handle: i.listTenants},
		{Pattern: "GET /v3/tenants/{tenant_id}", Open: true, Handle: i.getTenant},
		{Pattern: "POST /v3/oauth2/tokens", Open: true, Handle: aboutLogin(i.createToken)},
		{Pattern: "POST /v3/tokens", Open: true, Handle: aboutLogin(i.createServiceToken)},
		{Pattern: "GET /v3/oauth2/userinfo", Level: permissions.None, Handle: i.getUserInfo},
		{Pattern: "GET /v3/oauth2/profiles/{username}", Level: permissions.None, Handle: i.getProfile},
		{Pattern: "POST /v3/oauth2/clients", Level: permissions.None, Handle: i.createClient},
		{Pattern: "GET /v3/oauth2/clients", Level: permissions.None, Handle: i.listClients},
		{Pattern: "GET /v3/oauth2/clients/{client_id}", Level: permissions.None, Handle: i.getClient},
		{Pattern: "PUT /v3/oauth2/clients/{client_id}", Level: permissions.None, Handle: i.updateClient},
		{Pattern: "DELETE /v3/oauth2/clients/{client_id}", Level: permissions.None, Handle: i.deleteClient},
	}
}

// handler is what answers a route.
type handler func(context.Context, *rest.Request) (rest.Result, error)

// aboutLogin marks the errors of handle as being about a login.
func aboutLogin(handle handler) handler {
	return func(ctx context.Context, req *rest.Request) (rest.Result, error) {
		result, err := handle(ctx, req)
		return result, rest.AboutLogin(err)
	}
}

// ServeHTTP implements http.Handler. A path that is none of the issuer's is
// answered with 404 in the envelope.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // RFC 6749 section 5.1
	if !i.addressed(r.Host) {
		rest.WriteError(w, pods.Forbidden(
			"The development issuer does not answer as %q, only under names and addresses of this machine.", r.Host),
			i.config.Version)
		return
	}
	if r.URL.Path == authorizePath {
		i.authorize(w, r)
		return
	}
	i.router.ServeHTTP(w, r)
}

// addressed says whether a request for host is meant for the issuer. A web page
// elsewhere that makes its own name point here (DNS rebinding) would otherwise
// be same-origin with it and could log in as anybody.
func (i *Issuer) addressed(host string) bool {
	if _, known := i.registry.TenantByHost(host); known {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return loopback(host)
}

// tenantAt returns the tenant with an address on host, or the first one.
func (i *Issuer) tenantAt(host string) *tenant {
	known, _ := i.registry.TenantByHost(host)
	if t := i.tenant(known.ID); t != nil {
		return t
	}
	return i.tenants[0]
}

// tenant returns the tenant with the given ID, or nil.
func (i *Issuer) tenant(id string) *tenant {
	for _, t := range i.tenants {
		if t.ID == id {
			return t
		}
	}
	return nil
}
