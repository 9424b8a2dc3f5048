package traefik

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// chain is the middlewares of one entry, the first to see a request first.
type chain struct {
	names       []string
	middlewares []middleware
}

func (c *chain) add(name string, m middleware) {
	c.names, c.middlewares = append(c.names, name), append(c.middlewares, m)
}

// newChain returns what a request for a pod goes through: who may come by
// address, what pages of other origins may do, since a browser asks that
// without a login, and then the login.
func newChain(name string, route *routes.Route, options Options) (*chain, error) {
	c, entry := &chain{}, route.Networking
	c.addIPAllowList(name, route.AllowList)
	if err := c.addCORS(name, entry); err != nil {
		return nil, err
	}
	if !entry.TapisAuth {
		return c, nil
	}
	address, err := options.authAddress(route)
	if err != nil {
		return nil, err
	}
	return c, c.addAuth(name, address, slices.Sorted(maps.Keys(entry.TapisAuthResponseHeaders)))
}

func (c *chain) addIPAllowList(name string, list routes.AllowList) {
	if !list.AllowsAll() {
		c.add("tapis-ipallowlist-"+name, middleware{IPAllowList: &ipAllowList{SourceRange: list.Ranges()}})
	}
}

func (c *chain) addCORS(name string, entry pods.Networking) error {
	if len(entry.CORSAllowOrigins)+len(entry.CORSAllowMethods)+len(entry.CORSAllowHeaders) == 0 && !entry.CORSAllowCredentials {
		return nil
	}
	for _, origin := range entry.CORSAllowOrigins {
		if !isOrigin(origin) {
			return fmt.Errorf("cors_allow_origins: %q is not an origin", origin)
		}
	}
	for _, word := range slices.Concat(entry.CORSAllowMethods, entry.CORSAllowHeaders) {
		if !isToken(word) {
			return fmt.Errorf("cors_allow_methods and cors_allow_headers: %q is not a name", word)
		}
	}
	c.add("tapis-cors-"+name, middleware{Headers: &headers{
		AllowOriginList: entry.CORSAllowOrigins, AllowMethods: entry.CORSAllowMethods, AllowHeaders: entry.CORSAllowHeaders,
		AllowCredentials: entry.CORSAllowCredentials, MaxAge: entry.CORSMaxAge, AddVaryHeader: true,
	}})
	return nil
}

// addAuth has Traefik ask at address. What the answer has of the configured
// headers replaces what the visitor has sent; Cookie is among them, since the
// answer has the visitor's cookies without the platform's.
//
// Servers that take an underscore for a hyphen would read a visitor's own
// header in that spelling as the configured one, so those are removed. That
// comes last: whoever is asked is to see what the visitor has sent.
func (c *chain) addAuth(name, address string, configured []string) error {
	copied, removed := []string{}, map[string]string{}
	for _, header := range configured {
		if !isToken(header) {
			return fmt.Errorf("tapis_auth_response_headers: %q is not the name of a header", header)
		}
		if isPlatformToken(header) || slices.ContainsFunc(copied, sameHeader(header)) {
			continue // never passed on; or named twice
		}
		copied = append(copied, header)
	}
	for _, header := range copied {
		if err := addSpellings(removed, header, false); err != nil {
			return err
		}
	}
	// Two configured names may differ in a hyphen alone: both are copied.
	maps.DeleteFunc(removed, func(spelling, _ string) bool {
		return slices.ContainsFunc(copied, sameHeader(spelling))
	})
	if !slices.ContainsFunc(copied, sameHeader("Cookie")) {
		copied = append(copied, "Cookie")
	}
	c.add("tapis-auth-"+name, middleware{ForwardAuth: &forwardAuth{Address: address, AuthResponseHeaders: copied}})
	if len(removed) > 0 {
		c.add("tapis-strip-"+name, middleware{Headers: &headers{CustomRequestHeaders: removed}})
	}
	return nil
}
