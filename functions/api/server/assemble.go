package server

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/oauth"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
)

// requestTimeout bounds the work on one API request.
const requestTimeout = 30 * time.Second

// Choices are what an operator can choose about the API, from the environment.
type Choices struct {
	Images      []string `env:"PODS_IMAGES" help:"images users may name beside those of the templates, separated by commas"`
	MainTenants []string `env:"PODS_MAIN_TENANTS" help:"tenants that an image with the tenant '*' is for, separated by commas; empty means all"`
	CORSOrigins []string `env:"PODS_CORS_ORIGINS" envDefault:"*" help:"origins whose pages may call the API"`
	// Proxies are the ranges of those in front of the API.
	Proxies []netip.Prefix `env:"PODS_PROXIES" envDefault:"127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7" help:"CIDR ranges of the proxies in front of the API, which say in X-Forwarded-For who a visitor is"`
	// SnapshotInterval is for installations with shared storage.
	SnapshotInterval time.Duration `env:"PODS_SNAPSHOT_INTERVAL" envDefault:"10m" help:"least time between two copies of a snapshot's schedule"`
	TraefikChoices
}

// Parts are what the API of a running service is put together from. All are
// required but LoginClients, Issuer, Checks, Objects, Files and Extra.
type Parts struct {
	Choices
	Store   Store
	Tail    Tail
	Runner  commands.Runner
	Tenants *auth.Registry
	SiteID  string
	Rules   pods.Rules
	Catalog *templates.Catalog
	Deriver *templates.Deriver
	Admins  permissions.Admins
	// Storage is where pods find volumes and snapshots.
	Storage storage.Source
	// Objects and Files are as in Config.
	Objects *objects.Objects
	Files   *files.Store
	// Limiter bounds how often callers and visitors are answered.
	Limiter interface {
		rest.Limiter
		VisitorLimiter
	}
	// LoginKey seals what visitors' logins carry; the gateway has the same.
	LoginKey [login.KeySize]byte
	// Service proves this service to tenants.
	Service oauth.Credentials
	// LoginClients are the clients of tenants with an OpenID Connect provider.
	LoginClients map[string]oauth.Credentials
	// GatewayPort is the port at which visitors reach pods over TLS.
	GatewayPort string
	// Issuer is the development issuer, served beside the API.
	Issuer *issuer.Issuer
	// RouteTable is as in Config.
	RouteTable RouteTable
	// Address is that of this process's own API, where Traefik finds it unless
	// TraefikChoices say otherwise.
	Address string
	// Checks are as in Config.
	Checks map[string]func(context.Context) error
	// Extra are handlers by their patterns, for what is no part of the API.
	Extra      map[string]http.Handler
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Version    string
}

// Assemble returns the handler of the whole API.
//
// Errors: for a configured image that is none, and for settings for Traefik that
// make no sense.
func Assemble(parts Parts) (http.Handler, error) {
	allowlist, err := images.NewAllowlist(parts.Store, parts.MainTenants, append(parts.Catalog.Images(), parts.Images...)...)
	if err != nil {
		return nil, fmt.Errorf("PODS_IMAGES: %w", err)
	}
	authenticator := auth.NewAuthenticator(parts.Tenants, parts.SiteID)
	visits, err := parts.login(authenticator)
	if err != nil {
		return nil, err
	}
	renderer, err := parts.traefik()
	if err != nil {
		return nil, fmt.Errorf("settings for Traefik: %w", err)
	}
	api := New(Config{
		Store: parts.Store, Tail: parts.Tail, Runner: parts.Runner, Deriver: parts.Deriver, Rules: parts.Rules, Now: time.Now, Logger: parts.Logger,
		Allowlist: allowlist, Mounts: storage.Mounts{Source: parts.Storage, Objects: parts.Store, Files: parts.Files},
		Objects: parts.Objects, Files: parts.Files,
		Tenant: func(id string) pods.Tenant {
			tenant, _ := parts.Tenants.Tenant(id)
			return tenant.Tenant
		},
		TenantAt: parts.Tenants.TenantByHost, Login: visits, Visitors: parts.Limiter, Proxies: parts.Proxies, SnapshotInterval: parts.SnapshotInterval,
		Link:       linkAt(parts.GatewayPort),
		Checks:     parts.Checks,
		RouteTable: parts.RouteTable, Traefik: renderer, TraefikFrom: parts.TraefikFrom,
	})
	router := rest.Config{
		Authenticator: authenticator, Admins: parts.Admins, Limiter: parts.Limiter,
		Logger: parts.Logger, Version: parts.Version, Timeout: requestTimeout, Observe: observeRequests(parts.Registerer),
	}
	extra := map[string]http.Handler{}
	maps.Copy(extra, parts.Extra)
	if parts.Issuer != nil {
		for _, path := range issuer.Paths {
			extra[path] = parts.Issuer
		}
	}
	return api.Handler(router, parts.CORSOrigins, extra), nil
}

// login returns what decides about visits, with the tenants to log in at.
func (parts Parts) login(tokens login.Tokens) (*login.Login, error) {
	return login.New(login.Options{
		Key: parts.LoginKey, Tenants: parts.Tenants, Tokens: tokens, Permissions: parts.Store, Logger: parts.Logger,
		Provider: oauth.New(oauth.Options{
			LoginKey: parts.LoginKey, ServiceName: parts.Service.ID, ServiceKey: parts.Service.Secret,
			ServiceTenant: parts.Tenants.ServiceTenant, Clients: parts.LoginClients,
		}),
	})
}

// linkAt returns how a networking entry is reached at a gateway's port for TLS.
func linkAt(port string) func(pods.Networking) string {
	return func(entry pods.Networking) string {
		scheme, host := entry.Protocol, net.JoinHostPort(entry.URL, port)
		if entry.Protocol == pods.ProtocolHTTP {
			scheme = "https"
		}
		if port == "443" {
			host = entry.URL
		}
		return scheme + "://" + host
	}
}

// observeRequests counts and times the API's requests by route.
func observeRequests(registry prometheus.Registerer) func(route string, status int, elapsed time.Duration) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pods_api_request_duration_seconds",
		Help:    "Time to answer a request, by route and HTTP status.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14), // 1 ms to 8 s
	}, []string{"route", "status"})
	registry.MustRegister(duration)
	type outcome struct {
		route  string
		status int
	}
	var observers sync.Map // of prometheus.Observer by outcome: looked up once, not per request
	return func(route string, status int, elapsed time.Duration) {
		observer, known := observers.Load(outcome{route, status})
		if !known {
			observer, _ = observers.LoadOrStore(outcome{route, status}, duration.WithLabelValues(route, strconv.Itoa(status)))
		}
		observer.(prometheus.Observer).Observe(elapsed.Seconds())
	}
}
