package proxy

import (
	"net/http"
	"net/netip"

	"github.com/pods-service/pods/shared/routes"
)

// isAllowed reports whether the visitor may use the route from where the
// connection comes. What headers say of that is never asked.
func isAllowed(route *routes.Route, r *http.Request) bool {
	if route.AllowList.AllowsAll() {
		return true
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && route.AllowList.Allows(from.Addr())
}
