package function

import (
	"net/http"
)

// healthHandler answers the probes and passes everything else on. It is no
// ServeMux, which would redirect paths that are the next handler's to judge.
type healthHandler struct {
	ready func() error // nil means always
	next  http.Handler
}

// ServeHTTP implements http.Handler.
func (h healthHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	if isRead && (r.URL.Path == "/healthz" || r.URL.Path == "/livez") {
		h.probe(w, r)
		return
	}
	h.next.ServeHTTP(w, r)
}

// probe answers whether the process serves and, but for /livez, is ready to.
func (h healthHandler) probe(w http.ResponseWriter, r *http.Request) {
	if h.ready != nil && r.URL.Path != "/livez" {
		if err := h.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusOK)
}
