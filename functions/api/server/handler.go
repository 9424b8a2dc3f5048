package server

import (
	"net/http"

	"github.com/pods-service/pods/shared/rest"
)

// Handler returns the whole API: its routes and its description below "/" and
// "/v3", what extra serves by path (a tenant's issuer, metrics), and what every
// request needs.
func (s *Server) Handler(config rest.Config, origins []string, extra map[string]http.Handler) http.Handler {
	below := http.NewServeMux()
	below.Handle("/", rest.NewRouter(config, s.Routes()))
	describe(below)
	s.showStates(below, config.Version)
	mux := http.NewServeMux()
	mux.Handle("/", rest.StripVersion(below))
	for path, handler := range extra {
		mux.Handle(path, handler)
	}
	return rest.WithRequestID(rest.CORS(origins, rest.CollapseSlashes(mux)))
}
