// Command api is the function that serves the REST API.
package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/functions/api/upkeep"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/ratelimit"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/routes/feed"
)

// version is set by the linker.
var version = "dev"

type settings struct {
	function.Process
	function.Storage
	function.Encryption
	function.Tenancy
	function.Sink
	function.Cluster
	function.Compute
	function.Login
	function.Service
	function.SharedStorage
	server.Choices
	ratelimit.Rates
	SiteID      string   `env:"PODS_SITE,required,notEmpty"`
	Admins      []string `env:"PODS_ADMINS"` // "<tenant>/<user>"
	GatewayPort string   `env:"PODS_GATEWAY_PORT" envDefault:"443"`
	// DevelopmentIssuer is the host:port on the loopback under which the
	// development issuer is reached; empty leaves it out.
	DevelopmentIssuer string `env:"PODS_DEVELOPMENT_ISSUER"`
	IssuerKeys        string `env:"PODS_ISSUER_KEYS"` // folder
	CADir             string `env:"PODS_CA_DIR"`      // holds ca.pem; empty serves none
}

func main() { function.Main("api", version, build) }

func build(ctx context.Context, f *function.Function, set settings) (http.Handler, error) {
	key, err := set.Key()
	if err != nil {
		return nil, err
	}
	loginKey, err := set.LoginKey()
	if err != nil {
		return nil, err
	}
	service, err := set.Credentials()
	if err != nil {
		return nil, err
	}
	clients, err := set.LoginClients()
	if err != nil {
		return nil, err
	}
	admins, err := permissions.ParseAdmins(set.Admins)
	if err != nil {
		return nil, fmt.Errorf("PODS_ADMINS: %w", err)
	}
	tenants, err := set.Source(f.Logger)
	if err != nil {
		return nil, err
	}
	// To verify tokens the keys of providers are needed too.
	domain, err := function.OpenDomain(ctx, auth.NewProviderKeys(tenants, nil, f.Logger), assets.Templates(), f.Logger)
	if err != nil {
		return nil, err
	}
	rules, err := set.Compute.Rules(domain.Rules)
	if err != nil {
		return nil, err
	}
	shared, err := set.SharedSource()
	if err != nil {
		return nil, err
	}
	state, err := f.OpenState(ctx, set.Storage, key, set.Sink)
	if err != nil {
		return nil, err
	}
	cluster, err := kube.Open(set.Kubeconfig, set.Namespace)
	if err != nil {
		return nil, err
	}
	limiter := ratelimit.New(ratelimit.Options{Rates: set.Rates, Shared: state.Cache, Registerer: f.Registry})
	f.Background(limiter.Run)
	tokens, err := openIssuer(f, set, state, limiter)
	if err != nil {
		return nil, err
	}
	deriver := domain.Deriver(state.Store)
	objects, files, err := set.OpenObjects(state.Store, deriver, f.Logger)
	if err != nil {
		return nil, err
	}
	table := feed.NewOnDemand(feed.Options{Source: feed.Merged{Store: state.Store, Deriver: deriver}, Logger: f.Logger}, state.Cache)
	f.Background(table.Run)
	extra := map[string]http.Handler{}
	if set.CADir != "" {
		extra["GET /ca.pem"] = server.CertificateFile(filepath.Join(set.CADir, "ca.pem"))
	}
	if objects != nil {
		extra["POST /events"] = upkeep.WithinCluster(upkeep.New(objects, f.Logger))
	}
	handler, err := server.Assemble(server.Parts{
		Choices: set.Choices, Store: state.Store, Tail: logs.NewReader(cluster), Runner: cluster, SiteID: set.SiteID, Admins: admins, Limiter: limiter,
		Tenants: domain.Tenants, Rules: rules, Catalog: domain.Catalog, Deriver: deriver,
		LoginKey: loginKey, Storage: shared, Objects: objects, Files: files, Service: service, LoginClients: clients,
		RouteTable: table, Address: fmt.Sprintf("http://localhost:%d", set.Port),
		GatewayPort: set.GatewayPort, Issuer: tokens, Extra: extra,
		Checks: map[string]func(context.Context) error{
			"redis": state.Cache.Ping, "kubernetes": cluster.Healthy,
		},
		Registerer: f.Registry, Logger: f.Logger, Version: f.Version,
	})
	if err != nil {
		return nil, err
	}
	return rest.OriginalHost(handler), nil
}

// openIssuer returns the development issuer, nil when there is to be none. It
// refuses any address but one on the loopback.
func openIssuer(f *function.Function, set settings, state *function.State, limiter *ratelimit.Limiter) (*issuer.Issuer, error) {
	if set.DevelopmentIssuer == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	config, err := issuer.Development(set.DevelopmentIssuer, set.IssuerKeys)
	if err != nil {
		return nil, fmt.Errorf("PODS_DEVELOPMENT_ISSUER: %w", err)
	}
	config.Version, config.Logger = f.Version, f.Logger
	config.Records, config.Attempts, config.Proxies = state.Cache, limiter, set.Proxies
	return issuer.New(config)
}
