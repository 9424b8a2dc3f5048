package proxy

import (
	"net"
	"net/http"
	"strings"

	"github.com/pods-service/pods/shared/login"
)

// admit reports whether the visitor may pass an entry that asks for a login,
// and answers those who may not.
func (h *Handler) admit(x *exchange, r *http.Request) bool {
	if r.TLS == nil {
		login.ToHTTPS(authority(x.host, h.securePort), r.RequestURI).Write(x, r, h.version)
		return false
	}
	port := "443"
	if _, named, found := strings.Cut(r.Host, ":"); found {
		port = named
	}
	decision := h.login.Decide(r.Context(), login.Visit{
		Entry: login.Entry{
			TenantID: x.route.TenantID, PodID: x.route.PodID, Key: x.route.Key,
			Host: x.host, Networking: &x.route.Networking,
		},
		Origin: "https://" + authority(x.host, port),
		Method: r.Method, Target: r.RequestURI, Header: r.Header,
	})
	if !decision.Allowed {
		decision.Write(x, r, h.version)
		return false
	}
	x.visitor = decision.Headers
	return true
}

func authority(host, port string) string {
	if port == "443" {
		return host
	}
	return net.JoinHostPort(host, port)
}

// identify tells the pod who the visitor is, in the headers that its entry
// configures. What the visitor has sent under such names goes.
func (x *exchange) identify(out *http.Request) {
	if !x.route.Networking.TapisAuth {
		return
	}
	login.RemoveHeaders(out.Header, &x.route.Networking)
	login.RemoveHeaders(out.Trailer, &x.route.Networking)
	for name, values := range x.visitor {
		out.Header[name] = values
	}
}
