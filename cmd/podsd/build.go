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
	"github.com/prometheus/client_golang/prometheus/promhttp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/metadata"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/functions/api/upkeep"
	"github.com/pods-service/pods/functions/health/reconcile"
	"github.com/pods-service/pods/functions/logs/collect"
	"github.com/pods-service/pods/functions/spawner/spawn"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/dataplane"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/ratelimit"
	"github.com/pods-service/pods/shared/routes/feed"
	"github.com/pods-service/pods/shared/templates"
)

// service is the running process: its parts, wired.
type service struct {
	settings  settings
	logger    *slog.Logger
	addresses addresses
	registry  *prometheus.Registry

	pool      *pgxpool.Pool
	store     *postgres.Store
	cache     *cache.Cache
	publisher *function.Publisher
	cluster   *kube.Client
	broker    *events.Broker
	source    *kube.Source

	domain  *function.Domain
	deriver *templates.Deriver
	objects *objects.Objects
	files   *files.Store
	issuer  *issuer.Issuer
	siteID  string
	admins  permissions.Admins
	logs    *logs.Reader

	limiter  *ratelimit.Limiter
	loginKey [login.KeySize]byte

	api         *http.Server
	apiListener net.Listener
	authority   *certs.Authority
	gateway     *dataplane.Gateway
	plain       net.Listener // of the gateway
	secure      net.Listener // of the gateway, for TLS
}

// build wires the parts. Nothing serves yet, but the addresses are taken.
func build(ctx context.Context, set settings, logger *slog.Logger) (_ *service, err error) {
	s := &service{settings: set, logger: logger, registry: function.NewRegistry()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, step := range []func(context.Context) error{
		s.openAPI, s.openDomain, s.openCluster, s.openStore, s.openEvents, s.openGateway, s.finishAPI,
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
	if s.files != nil {
		_ = s.files.Close()
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
	// There is no other instance to settle with.
	s.limiter = ratelimit.New(ratelimit.Options{Rates: s.settings.Rates, Registerer: s.registry})
	config.Version, config.Logger = version, s.logger
	config.Attempts, config.Proxies = s.limiter, s.settings.Proxies
	s.siteID = config.SiteID
	if s.admins, err = config.Admins(); err != nil {
		return err
	}
	s.issuer, err = issuer.New(config)
	return err
}

func (s *service) openDomain(ctx context.Context) (err error) {
	if s.domain, err = function.OpenDomain(ctx, s.issuer.Tenants(), assets.Templates(), s.logger); err != nil {
		return err
	}
	s.domain.Rules, err = s.settings.Compute.Rules(s.domain.Rules)
	return err
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
	if s.loginKey, err = loginKey(key); err != nil {
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
	s.publisher = function.NewPublisher(s.cache, s.logger)
	s.store = postgres.New(s.pool, postgres.Options{Key: key, Now: time.Now, Committed: s.publisher.Committed})
	function.ObserveOutbox(s.registry, s.store)
	s.deriver = s.domain.Deriver(s.store)
	if s.objects, s.files, err = s.settings.OpenObjects(s.store, s.deriver, s.logger); err != nil {
		return err
	}
	return s.store.Ship(ctx, s.domain.Catalog.Tags())
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
	handlers := map[string]http.Handler{
		"spawner": spawn.New(s.store, s.cluster, s.deriver, spawn.Options{Logger: s.logger, Manifests: manifests.Options{
			Overcommit: s.settings.Overcommit, PullPolicy: corev1.PullPolicy(s.settings.PullPolicy),
			Queues: manifests.Queues(s.domain.Rules.Queues), Storage: s.settings.storage,
		}}),
		"logs": collect.New(s.store, s.logs, s.logger),
		"api":  upkeep.New(s.objects, s.logger),
		"health": reconcile.New(s.store, s.cluster, s.deriver, reconcile.Options{
			Logger: s.logger, Registerer: s.registry, Relay: s.publisher, Publish: s.publisher.Publish,
		}),
	}
	s.broker, err = events.NewBroker(triggers, handlers, s.store, events.BrokerOptions{
		Namespace: s.settings.Namespace, Logger: s.logger, Metrics: metrics,
	})
	if err != nil {
		return err
	}
	s.publisher.Start(s.store, s.broker, events.RelayOptions{Logger: s.logger, Metrics: metrics})
	return nil
}

// openGateway takes the gateway's addresses and opens the development CA.
func (s *service) openGateway(context.Context) (err error) {
	if s.plain, s.addresses.GatewayHTTP, err = listen(s.settings.GatewayHTTP); err != nil {
		return err
	}
	if s.secure, s.addresses.GatewayHTTPS, err = listen(s.settings.GatewayHTTPS); err != nil {
		return err
	}
	if s.authority, err = certs.Open(certs.Options{Dir: caDir(s.settings.State), Domains: s.domain.Tenants.Domains()}); err != nil {
		return fmt.Errorf("development CA: %w", err)
	}
	if s.settings.Storage == "" {
		s.settings.Storage = filepath.Join(s.settings.State, "acme")
	}
	orders, err := s.settings.Settings.Options()
	if err != nil {
		return err
	}
	visits, err := login.New(login.Options{
		Key: s.loginKey, Tenants: s.domain.Tenants, Tokens: auth.NewAuthenticator(s.domain.Tenants, s.siteID),
		Permissions: s.store, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(s.addresses.GatewayHTTPS)
	s.gateway = dataplane.New(dataplane.Options{
		Source: feed.Merged{Store: s.store, Deriver: s.deriver}, Changes: s.cache,
		Plain: s.plain, Secure: s.secure, GetCertificate: s.authority.GetCertificate, ACME: orders, DrainTimeout: drainTimeout / 2,
		Login: visits, SecurePort: port, Visitors: s.settings.Visitors,
		Version: version, Logger: s.logger, Registerer: s.registry,
	})
	return nil
}

func caDir(state string) string { return filepath.Join(state, "ca") }

func (s *service) finishAPI(context.Context) error {
	_, port, _ := net.SplitHostPort(s.addresses.GatewayHTTPS)
	handler, err := server.Assemble(server.Parts{
		Choices: s.settings.Choices, Store: s.store, Tail: s.logs, Runner: s.cluster, SiteID: s.siteID, Admins: s.admins, Limiter: s.limiter,
		Tenants: s.domain.Tenants, Rules: s.domain.Rules, Catalog: s.domain.Catalog, Deriver: s.deriver,
		LoginKey: s.loginKey, Service: developmentService, GatewayPort: port, Issuer: s.issuer,
		RouteTable: s.gateway, Address: s.addresses.API,
		Storage: s.settings.storage, Objects: s.objects, Files: s.files,
		Checks: map[string]func(context.Context) error{
			"redis": s.cache.Ping, "kubernetes": s.cluster.Healthy,
		},
		Extra: map[string]http.Handler{
			"GET /ca.pem": s.authority, "GET /metrics": promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}),
		},
		Registerer: s.registry, Logger: s.logger, Version: version,
	})
	if err != nil {
		return err
	}
	s.api = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	return nil
}
