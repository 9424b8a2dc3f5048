package server

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/routes/traefik"
)

// tableTimeout bounds the wait for the first table of routes: Traefik asks
// again by itself.
const tableTimeout = 4 * time.Second

// TraefikChoices are what an operator who runs Traefik can choose about its
// configuration, from the environment.
type TraefikChoices struct {
	TraefikFrom         []netip.Prefix   `env:"PODS_TRAEFIK_CONFIG_FROM" envDefault:"127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7" help:"addresses that get Traefik's configuration without a token"`
	TraefikAPI          string           `env:"PODS_TRAEFIK_API_URL" help:"where Traefik reaches the API, without a path; empty: this process, on its own machine"`
	TraefikAuth         string           `env:"PODS_TRAEFIK_AUTH_URL" help:"where Traefik asks who may visit a pod, without /v3; empty: the tenant's own address"`
	TraefikEntryPoints  []string         `env:"PODS_TRAEFIK_ENTRYPOINTS" envDefault:"web" help:"Traefik's entry points that take visitors by TLS, separated by commas"`
	TraefikBackends     traefik.Backends `env:"PODS_TRAEFIK_BACKENDS" envDefault:"name" help:"how Traefik reaches pods: name, found by the cluster's DNS, or address"`
	TraefikCertResolver string           `env:"PODS_TRAEFIK_CERT_RESOLVER" help:"Traefik's resolver of certificates for pods; empty: its own choice"`
	TraefikDashboard    string           `env:"PODS_TRAEFIK_DASHBOARD_HOST" help:"host name of Traefik's dashboard, for the addresses in PODS_TRAEFIK_CONFIG_FROM; empty: none"`
}

// traefik returns what renders the configuration.
func (p Parts) traefik() (*traefik.Renderer, error) {
	return traefik.NewRenderer(traefik.Options{
		API: cmp.Or(p.TraefikAPI, p.Address),
		AuthBase: func(tenantID string) string {
			if p.TraefikAuth != "" {
				return p.TraefikAuth
			}
			tenant, _ := p.Tenants.Tenant(tenantID)
			return tenant.BaseURL
		},
		EntryPoints: p.TraefikEntryPoints, Backends: p.TraefikBackends, CertResolver: p.TraefikCertResolver,
		Dashboard: p.TraefikDashboard, DashboardFrom: p.TraefikFrom,
	}, time.Now, p.Logger)
}

func (s *Server) traefikRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /traefik-config", Open: true, Handle: s.getTraefikConfig},
		{Pattern: "GET /pods/traefik-config", SiteAdmin: true, Handle: s.showTraefikConfig},
	}
}

// getTraefikConfig serves GET /traefik-config, which Traefik polls and which
// names every pod of every tenant: only to those who are inside.
//
// Errors: KindForbidden for others; those of showTraefikConfig.
func (s *Server) getTraefikConfig(ctx context.Context, req *rest.Request) (rest.Result, error) {
	if !comesFrom(req.Request, s.TraefikFrom) {
		return rest.Result{}, pods.Forbidden("This is for the proxy of the service. Its operator says in PODS_TRAEFIK_CONFIG_FROM where that is.")
	}
	return s.showTraefikConfig(ctx, req)
}

// showTraefikConfig serves GET /pods/traefik-config, the same for site admins.
//
// Errors: KindUnavailable until pods have been read.
func (s *Server) showTraefikConfig(ctx context.Context, _ *rest.Request) (rest.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	table, err := s.RouteTable.Wait(ctx)
	if err != nil {
		return rest.Result{}, err
	}
	configuration, err := s.Traefik.Render(table)
	if err != nil {
		return rest.Result{}, err
	}
	document := rest.Document{ContentType: rest.ContentType, ETag: configuration.ETag, Body: configuration.JSON}
	return rest.Result{Respond: document.Respond}, nil
}

// comesFrom reports whether a request was sent from one of ranges. Where proxies
// have passed it on, all addresses that they name must be in them: the one who
// asked can add addresses, and take none away.
func comesFrom(r *http.Request, ranges []netip.Prefix) bool {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	chain := []string{peer}
	passedOn := r.Header.Values("X-Forwarded-For")
	if len(passedOn) > 0 {
		chain = append(chain, strings.Split(strings.Join(passedOn, ","), ",")...)
	} else if r.Header.Get("Forwarded") != "" {
		return false // by a proxy that says it in another way
	}
	for _, text := range chain {
		if address, err := netip.ParseAddr(strings.TrimSpace(text)); err != nil || !isIn(address.Unmap(), ranges) {
			return false
		}
	}
	return true
}

func isIn(address netip.Addr, ranges []netip.Prefix) bool {
	for _, prefix := range ranges {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}
