package proxy

import (
	"net/http"
	"strings"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/pages"
)

// checkForm refuses what would make the gateway a proxy for other addresses:
// CONNECT, a full URL instead of a path, "*". TRACE would show a page's
// scripts the cookies they may not see.
func checkForm(r *http.Request) (pages.Page, bool) {
	switch {
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace:
		return pages.MethodNotAllowed, false
	case r.URL.Scheme != "", r.URL.Host != "", r.URL.User != nil, !strings.HasPrefix(r.RequestURI, "/"):
		return pages.BadRequest, false
	}
	return pages.Page{}, true
}

// isMeantFor reports whether the connection was made for host. A client that
// names one host in the handshake and another in the request would be served
// under a certificate, and by and by a login, that is not for that host.
func isMeantFor(r *http.Request, host string) bool {
	if r.TLS == nil {
		return true
	}
	name, err := routes.CanonicalHost(r.TLS.ServerName)
	return err == nil && name == host
}

// lookup returns the route of a host that HTTP requests can take.
func lookup(table *routes.Table, host string) (*routes.Route, bool) {
	route, found := table.Lookup(host)
	if !found || route.Protocol != pods.ProtocolHTTP {
		return nil, false
	}
	return route, true
}
