package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/metadata"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/functions/health/reconcile"
	"github.com/pods-service/pods/functions/logs/collect"
	"github.com/pods-service/pods/functions/spawner/spawn"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/feed"
	"github.com/pods-service/pods/gateway/proxy"
	gatewayserver "github.com/pods-service/pods/gateway/server"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/templates"
)

// service is the running process: its parts, wired.
type service struct {
	settings  settings
	logger    *slog.Logger
	addresses addresses
	registry  *prometheus.Registry

	pool    *pgxpool.Pool
	store   *postgres.Store
	cache   *cache.Cache
	cluster *kube.Client
	broker  *events.Broker
	relay   *events.Relay
	source  *kube.Source

	tenants *auth.Registry
	issuer  *issuer.Issuer
	siteID  string
	rules   pods.Rules
	catalog *templates.Catalog
	deriver *templates.Deriver
	logs    *logs.Reader

	api         *http.Server
	apiListener net.Listener
	feed        *feed.Feed
	authority   *certs.Authority
	proxy       *proxy.Handler
	gateway     *gatewayserver.Server
	plain       net.Listener // of the gateway
	secure      net.Listener // of the gateway, for TLS
}

// build wires the parts. Nothing serves yet, but the addresses are taken.
func build(ctx context.Context, set settings, logger *slog.Logger) (_ *service, err error) {
	s := &service{settings: set, logger: logger, registry: newRegistry(), rules: pods.NewRules()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, step := range []func(context.Context) error{
		s.openAPI, s.openTenants, s.openTemplates, s.openCluster, s.openStore, s.openEvents, s.openGateway, s.finishAPI,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// close frees what build has taken.
func (s *service) close() {
	for _, listener := range []net.Listener{s.apiListener, s.plain, s.secure} {
		if listener != nil {
			_ = listener.Close()
		}
	}
	if s.cache != nil {
		_ = s.cache.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
}

// openAPI takes the API's address, which the issuer is part of.
func (s *service) openAPI(context.Context) error {
	listener, address, err := listen(s.settings.Listen)
	if err != nil {
		return err
	}
	s.apiListener = listener
	s.addresses.API = "http://" + address
	config, err := issuer.Development(address, filepath.Join(s.settings.State, "issuer"))
	if err != nil {
		return fmt.Errorf("development issuer: %w", err)
	}
	config.Version, config.Logger = version, s.logger
	s.siteID = config.SiteID
	s.issuer, err = issuer.New(config)
	return err
}

func (s *service) openTenants(ctx context.Context) (err error) {
	s.tenants, err = auth.NewRegistry(ctx, s.issuer.Tenants(), auth.RegistryOptions{Logger: s.logger})
	return err
}

func (s *service) tenant(id string) pods.Tenant {
	tenant, _ := s.tenants.Tenant(id)
	return tenant.Tenant
}

func (s *service) openTemplates(context.Context) (err error) {
	if s.catalog, err = document.LoadTemplates(assets.Templates(), s.rules); err != nil {
		return err
	}
	s.deriver = templates.NewDeriver(s.catalog, func(tenantID string) string { return s.tenant(tenantID).PodsDomain })
	return nil
}

func (s *service) openCluster(context.Context) error {
	config, err := kube.Config(s.settings.Kubeconfig)
	if err != nil {
		return err
	}
	if s.cluster, err = kube.Connect(config, s.settings.Namespace); err != nil {
		return err
	}
	watcher, err := metadata.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to cluster: %w", err)
	}
	s.source = kube.NewSource(watcher, kube.SourceOptions{
		Namespace: s.settings.Namespace, Server: config.Host, Logger: s.logger,
		Send: func(ctx context.Context, event cloudevents.Event) error { return s.broker.Send(ctx, event) },
	})
	return nil
}

func (s *service) openStore(ctx context.Context) (err error) {
	key, err := encryptionKey(s.settings.State)
	if err != nil {
		return err
	}
	if s.cache, err = cache.Open(cache.Options{URL: s.settings.RedisURL, Logger: s.logger}); err != nil {
		return err
	}
	if s.pool, err = postgres.Open(ctx, s.settings.DatabaseURL, maxConnections); err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, s.pool); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	s.store = postgres.New(s.pool, postgres.Options{Key: key, Now: time.Now, Committed: s.committed})
	observeOutbox(s.registry, s.store)
	return nil
}

// maxConnections is how many connections to the database this process opens.
const maxConnections = 16

// openEvents wires the functions to the broker by the Triggers.
func (s *service) openEvents(context.Context) error {
	triggers, err := events.ParseTriggers(assets.Triggers)
	if err != nil {
		return fmt.Errorf("read the Triggers: %w", err)
	}
	metrics := events.NewMetrics(s.registry)
	s.logs = logs.NewReader(s.cluster)
	flusher := flushFunc(func(ctx context.Context) error {
		_, err := s.relay.Flush(ctx, relayGrace)
		return err
	})
	handlers := map[string]http.Handler{
		"spawner": spawn.New(s.store, s.cluster, s.deriver, spawn.Options{Logger: s.logger, Manifests: manifests.Options{
			Overcommit: s.settings.Overcommit, PullPolicy: corev1.PullPolicy(s.settings.PullPolicy),
		}}),
		"logs": collect.New(s.store, s.logs, s.logger),
		"health": reconcile.New(s.store, s.cluster, s.deriver, reconcile.Options{
			Logger: s.logger, Registerer: s.registry, Relay: flusher, Publish: s.publish,
		}),
	}
	s.broker, err = events.NewBroker(triggers, handlers, s.store, events.BrokerOptions{
		Namespace: s.settings.Namespace, Logger: s.logger, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	s.relay = events.NewRelay(s.store, s.broker, events.RelayOptions{Logger: s.logger, Metrics: metrics})
	return nil
}

// relayGrace is how long an event may wait in the outbox before a tick sends
// it: less would race with the delivery right after its commit.
const relayGrace = 5 * time.Second

type flushFunc func(context.Context) error

// Flush implements the interface that health has the outbox sent by.
func (f flushFunc) Flush(ctx context.Context) error { return f(ctx) }

// openGateway takes the gateway's addresses and opens the development CA.
func (s *service) openGateway(ctx context.Context) (err error) {
	if s.plain, s.addresses.GatewayHTTP, err = listen(s.settings.GatewayHTTP); err != nil {
		return err
	}
	if s.secure, s.addresses.GatewayHTTPS, err = listen(s.settings.GatewayHTTPS); err != nil {
		return err
	}
	tenants, err := s.issuer.Tenants().Tenants(ctx)
	if err != nil {
		return err
	}
	domains := make([]string, len(tenants))
	for i, tenant := range tenants {
		domains[i] = tenant.PodsDomain
	}
	if s.authority, err = certs.Open(certs.Options{Dir: caDir(s.settings.State), Domains: domains}); err != nil {
		return fmt.Errorf("development CA: %w", err)
	}
	s.feed = feed.New(feed.Options{Source: routed{s}, Logger: s.logger, Registerer: s.registry})
	s.proxy = proxy.New(proxy.Options{
		Routes: s.feed.Table, Version: version, Logger: s.logger, AccessLevel: slog.LevelDebug, Registerer: s.registry,
	})
	s.gateway = gatewayserver.New(gatewayserver.Options{
		Handler: s.proxy, GetCertificate: s.authority.GetCertificate, Logger: s.logger, Registerer: s.registry,
		MaxConnections: maxVisitors, DrainTimeout: drainTimeout / 2,
	})
	return nil
}

// maxVisitors bounds the connections that each listener of the gateway holds.
const maxVisitors = 10000

func caDir(state string) string { return filepath.Join(state, "ca") }

func (s *service) finishAPI(context.Context) error {
	api := server.New(server.Config{
		Store: s.store, Tail: s.logs, Deriver: s.deriver, Rules: s.rules, Tenant: s.tenant, Now: time.Now, Logger: s.logger,
		Allowlist: images.NewAllowlist(append(s.catalog.Images(), s.settings.Images...)...),
		Link:      s.link,
		Checks: map[string]func(context.Context) error{
			"redis": s.cache.Ping, "kubernetes": s.cluster.Healthy,
		},
	})
	router := rest.Config{
		Authenticator: auth.NewAuthenticator(s.tenants, s.siteID), Logger: s.logger, Version: version,
		Timeout: requestTimeout, Observe: observeRequests(s.registry),
	}
	handler := api.Handler(router, s.settings.CORSOrigins, map[string]http.Handler{
		"/v3/sites": s.issuer, "/v3/sites/": s.issuer, "/v3/tenants": s.issuer, "/v3/tenants/": s.issuer, "/v3/oauth2/": s.issuer,
		"GET /ca.pem": s.authority, "GET /metrics": metricsHandler(s.registry),
	})
	s.api = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	return nil
}

// requestTimeout bounds the work on one API request.
const requestTimeout = 30 * time.Second

// link returns the address of a networking entry at this gateway.
func (s *service) link(entry pods.Networking) string {
	scheme := "https"
	if entry.Protocol != pods.ProtocolHTTP {
		scheme = entry.Protocol
	}
	_, port, _ := net.SplitHostPort(s.addresses.GatewayHTTPS)
	return scheme + "://" + net.JoinHostPort(entry.URL, port)
}
