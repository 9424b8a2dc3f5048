package server

import (
	"context"
	"net/http"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/pages"
)

// showStates has mux serve what Traefik shows in the place of a pod that does
// not serve, at /pod-splash, and of one that is not there, at /pod-not-found: by
// any method, since a visitor has used it.
func (s *Server) showStates(mux *http.ServeMux, version string) {
	writer := pages.NewWriter(version)
	mux.HandleFunc("/pod-splash", func(w http.ResponseWriter, r *http.Request) {
		host := visitedHost(r)
		writer.Write(w, r, s.pageOf(r.Context(), host), host)
	})
	mux.HandleFunc("/pod-not-found", func(w http.ResponseWriter, r *http.Request) {
		writer.Write(w, r, pages.NotFound, visitedHost(r))
	})
}

// visitedHost returns the host that a visitor asked the proxy for, empty for
// what is none.
func visitedHost(r *http.Request) string {
	host := r.Host
	if forwarded := r.Header.Values("X-Forwarded-Host"); len(forwarded) == 1 {
		host = forwarded[0]
	}
	name, err := routes.CanonicalHost(host)
	if err != nil {
		return ""
	}
	return name
}

func (s *Server) pageOf(ctx context.Context, host string) pages.Page {
	ctx, cancel := context.WithTimeout(ctx, tableTimeout)
	defer cancel()
	table, err := s.RouteTable.Wait(ctx)
	if err != nil {
		return pages.Loading
	}
	route, found := table.Lookup(host)
	switch {
	case !found || route.Protocol != pods.ProtocolHTTP:
		return pages.NotFound
	case route.State == routes.StateServing: // what the proxy does not know yet
		return pages.ForState(routes.StateStarting)
	}
	return pages.ForState(route.State)
}
