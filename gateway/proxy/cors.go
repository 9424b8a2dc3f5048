package proxy

import (
	"net/http"
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/rs/cors"

	"github.com/pods-service/pods/shared/routes"
)

// maxPolicies bounds the policies that are kept; one that is not is made again.
const maxPolicies = 4096

// corsPolicies holds what the entries say of other origins, each made once for
// as long as its route stays the same.
type corsPolicies struct {
	byHost *lru.Cache[string, corsPolicy]
}

type corsPolicy struct {
	route *routes.Route
	cors  *cors.Cors
}

func newCORSPolicies() *corsPolicies {
	byHost, _ := lru.New[string, corsPolicy](maxPolicies) // fails for sizes below 1 only
	return &corsPolicies{byHost: byHost}
}

// of returns the policy of a route, nil when its entry names no origins: then
// the pod decides itself.
func (p *corsPolicies) of(route *routes.Route) *cors.Cors {
	if len(route.Networking.CORSAllowOrigins) == 0 {
		return nil
	}
	if kept, found := p.byHost.Get(route.Host); found && kept.route == route {
		return kept.cors
	}
	policy := corsPolicy{route: route, cors: newCORS(route)}
	p.byHost.Add(route.Host, policy)
	return policy.cors
}

// newCORS takes the origins literally, as other proxies do that read these
// entries. "*" stands for every origin and never goes with credentials: that
// would let every page use a pod in the name of whoever looks at it.
func newCORS(route *routes.Route) *cors.Cors {
	entry := route.Networking
	options := cors.Options{
		AllowedMethods: entry.CORSAllowMethods, AllowedHeaders: entry.CORSAllowHeaders, MaxAge: entry.CORSMaxAge,
	}
	if slices.Contains(entry.CORSAllowOrigins, "*") {
		options.AllowedOrigins = []string{"*"}
		return cors.New(options)
	}
	options.AllowCredentials = entry.CORSAllowCredentials
	options.AllowOriginFunc = func(origin string) bool { return slices.Contains(entry.CORSAllowOrigins, origin) }
	return cors.New(options)
}

// answersOrigin says in the answer whether the page that asks may read it. It
// reports whether that is the whole answer, because the page only asks whether
// it may: such a preflight comes without any login, so it is answered before
// there is one, and whatever the pod's state.
func (x *exchange) answersOrigin(r *http.Request) bool {
	if x.cors == nil {
		return false
	}
	x.cors.HandlerFunc(x, r)
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// replaceCORS removes what a pod says of other origins where its entry does.
func replaceCORS(response *http.Response) {
	if response.Request == nil || exchangeOf(response.Request).cors == nil {
		return
	}
	for name := range response.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(response.Header, name)
		}
	}
}
