package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

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
	case r.ProtoMajor > 1 && !fitsHTTP1(r):
		return pages.BadRequest, false
	}
	return pages.Page{}, true
}

// fitsHTTP1 reports whether an HTTP/2 request is one that can be said in
// HTTP/1, as the pod hears it, without becoming another. Of an HTTP/1 request
// the server has looked at all of this itself.
func fitsHTTP1(r *http.Request) bool {
	if !httpguts.ValidHeaderFieldName(r.Method) || strings.Contains(r.RequestURI, " ") {
		return false // a part of it would be read as another part of the first line
	}
	for _, host := range r.Header["Host"] {
		if host != r.Host {
			return false
		}
	}
	lengths := r.Header["Content-Length"]
	return len(lengths) == 0 || len(lengths) == 1 && lengths[0] == strconv.FormatInt(r.ContentLength, 10)
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
