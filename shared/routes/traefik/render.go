// Package traefik renders a table of routes as the dynamic configuration that
// Traefik reads through its HTTP provider. It is built as data and then
// written as JSON: what users choose can spoil their own entry and no other.
package traefik

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// Backends says where Traefik sends requests for pods.
type Backends string

// The two ways to reach a pod.
const (
	// ByName is the pod's Service in the cluster, found by the cluster's DNS.
	ByName Backends = "name"
	// ByAddress is the pod's own address, for a Traefik that does not ask the
	// cluster's DNS. It must have a route to the addresses of pods.
	ByAddress Backends = "address"
)

// UnmarshalText reads "name" or "address".
func (b *Backends) UnmarshalText(text []byte) error {
	switch got := Backends(text); got {
	case ByName, ByAddress:
		*b = got
		return nil
	}
	return fmt.Errorf("%q is neither %q nor %q", text, ByName, ByAddress)
}

// Options say what surrounds the pods. API is required.
type Options struct {
	// API is the address at which Traefik reaches the API, without a path.
	API string
	// AuthBase returns the address at which Traefik asks the API who may visit a
	// pod of a tenant, without /v3. Entries with a login of a tenant that has
	// none are not routed.
	AuthBase func(tenantID string) string
	// EntryPoints are the names of Traefik's entry points that take visitors by
	// TLS; none means "web".
	EntryPoints []string
	// Backends is ByName unless it is set.
	Backends Backends
	// CertResolver is the one of Traefik's resolvers that gets certificates;
	// empty leaves the choice to Traefik's stores.
	CertResolver string
	// Dashboard is the host name of Traefik's dashboard; empty shows none.
	Dashboard string
	// DashboardFrom are the addresses that may see the dashboard.
	DashboardFrom []netip.Prefix
}

// Names in the document that are no pod's: a pod's begin with "pods-<site>".
const (
	apiName         = "pods-service"
	pathStripName   = "path-strip-v3"
	errorsName      = "error-handler"
	catchAllName    = "catch-all-error-handler"
	notFoundName    = "not-found-rewrite"
	dashboardName   = "dashboard"
	dashboardIPName = "dashboard-ipallowlist"
	stripName       = "strip-reserved-headers"
)

// Traefik takes the longest rule first. Those that hold for every host must not
// come before a pod with a short name, nor before what others have configured.
const (
	catchAllPriority = 1
	apiPriority      = 2
)

// Render returns the configuration of table as JSON: the same bytes for the
// same input. Entries that cannot be rendered are left out and told as problems.
//
// Errors: for options that make no sense.
func Render(table *routes.Table, options Options) ([]byte, []routes.Problem, error) {
	if len(options.EntryPoints) == 0 {
		options.EntryPoints = []string{"web"}
	}
	d, err := newDocument(options)
	if err != nil {
		return nil, nil, err
	}
	var problems []routes.Problem
	taken := map[string]bool{apiName: true, catchAllName: true, dashboardName: true}
	for route := range table.All() {
		name, err := nameOf(route)
		if err == nil && taken[name] {
			err = fmt.Errorf("the name %s is taken by another entry", name)
		}
		if err == nil {
			taken[name] = true
			err = d.add(name, route, options)
		}
		if err != nil {
			problems = append(problems, routes.Problem{
				TenantID: route.TenantID, PodID: route.PodID, Key: route.Key, Reason: "not rendered for Traefik: " + err.Error(),
			})
		}
	}
	if len(d.TCP.Routers) == 0 {
		d.TCP = nil
	}
	content, err := json.Marshal(d)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the configuration: %w", err)
	}
	return content, problems, nil
}

// newDocument returns the part that does not depend on pods.
func newDocument(options Options) (*document, error) {
	if options.API == "" {
		return nil, errors.New("the address of the API is needed")
	}
	removed, err := reservedHeaders()
	if err != nil {
		return nil, err
	}
	d := &document{
		HTTP: &httpSection{
			Middlewares: map[string]middleware{
				pathStripName: {StripPrefix: &stripPrefix{Prefixes: []string{"/v3"}}},
				errorsName:    {Errors: &errorPages{Status: []string{"501-599"}, Service: apiName, Query: "/error-handler/{status}"}},
				notFoundName:  rewriteTo("/pod-not-found"),
				stripName:     {Headers: &headers{CustomRequestHeaders: removed}},
			},
			Routers: map[string]router{
				apiName:      options.router("PathPrefix(`/v3/pods`)", apiName, apiPriority, pathStripName, errorsName),
				catchAllName: options.router("PathPrefix(`/`)", apiName, catchAllPriority, notFoundName),
			},
			Services: map[string]httpService{apiName: toHTTP(strings.TrimSuffix(options.API, "/"))},
		},
		TCP: &tcpSection{Middlewares: map[string]middleware{}, Routers: map[string]router{}, Services: map[string]tcpService{}},
	}
	return d, d.addDashboard(options)
}

// addDashboard shows Traefik's dashboard, which asks nobody who they are, to
// the addresses inside.
func (d *document) addDashboard(options Options) error {
	if options.Dashboard == "" {
		return nil
	}
	host, err := routes.CanonicalHost(options.Dashboard)
	if err != nil || len(options.DashboardFrom) == 0 {
		return fmt.Errorf("the dashboard at %q needs a host name and addresses that may see it", options.Dashboard)
	}
	var from []string
	for _, prefix := range options.DashboardFrom {
		from = append(from, prefix.String())
	}
	d.HTTP.Middlewares[dashboardIPName] = middleware{IPAllowList: &ipAllowList{SourceRange: from}}
	d.HTTP.Routers[dashboardName] = options.router("Host(`"+host+"`)", "api@internal", 0, dashboardIPName)
	return nil
}

func (o Options) router(rule, service string, priority int, middlewares ...string) router {
	return router{
		EntryPoints: o.EntryPoints, Middlewares: middlewares, Priority: priority, Rule: rule, Service: service,
		TLS: routerTLS{CertResolver: o.CertResolver},
	}
}

func rewriteTo(path string) middleware {
	return middleware{ReplacePathRegex: &replacePathRegex{Regex: ".*", Replacement: path}}
}

// nameOf returns what an entry is called in the document.
func nameOf(route *routes.Route) (string, error) {
	if !isLabel(route.K8sName) || !isLabel(route.Key) {
		return "", fmt.Errorf("%q and %q make no name", route.K8sName, route.Key)
	}
	if route.Key == pods.DefaultNetworkKey {
		return route.K8sName, nil
	}
	return route.K8sName + "-" + route.Key, nil
}
