package rest

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

type requestIDKey struct{}

// TrackingHeader carries the id by which a client follows its request through
// services: "<namespace>.<id>", ASCII, at most 126 bytes.
const TrackingHeader = "X-Tapis-Tracking-ID"

var trackingPattern = regexp.MustCompile(`^[\w-]+\.[\w.-]+$`)

// RequestID returns the id of the request that ctx belongs to: the client's
// tracking id, or one made here.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// WithRequestID gives each request an id and names it in the answer.
func WithRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(TrackingHeader)
		if len(id) > 126 || !trackingPattern.MatchString(id) {
			id = "pods." + uuid.NewString()
		}
		w.Header().Set(TrackingHeader, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

var slashes = regexp.MustCompile(`//+`)

// CollapseSlashes serves "//a///b" as "/a/b".
func CollapseSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		if !strings.Contains(escaped, "//") {
			next.ServeHTTP(w, r)
			return
		}
		collapsed := slashes.ReplaceAllLiteralString(escaped, "/")
		if path, err := url.PathUnescape(collapsed); err == nil {
			u := *r.URL
			u.Path, u.RawPath = path, collapsed
			r2 := *r
			r2.URL = &u
			r = &r2
		}
		next.ServeHTTP(w, r)
	})
}

// StripVersion serves "/v3/..." as "/...".
func StripVersion(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, found := strings.CutPrefix(r.URL.Path, "/v3/"); found {
			u := *r.URL
			u.Path = "/" + rest
			u.RawPath = strings.TrimPrefix(u.RawPath, "/v3")
			r2 := *r
			r2.URL = &u
			r = &r2
		}
		next.ServeHTTP(w, r)
	})
}

// originalHostHeader carries the host that a client asked for where Knative has
// put a Service's own in its place, as it does for a DomainMapping.
const originalHostHeader = "K-Original-Host"

// OriginalHost gives a request that came through a DomainMapping the host back
// that its client asked for. The header counts only where the host is a
// Service's own name within the cluster, which no page of a browser has.
func OriginalHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		hosts := r.Header.Values(originalHostHeader)
		if len(hosts) == 1 && strings.HasSuffix(name, ".svc.cluster.local") {
			r2 := *r
			r2.Host = hosts[0]
			r = &r2
		}
		next.ServeHTTP(w, r)
	})
}

// CORS lets pages from the given origins call the API; "*" stands for any
// origin and then no credentials are allowed. It answers every OPTIONS request
// itself.
func CORS(origins []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		if origin := r.Header.Get("Origin"); origin != "" {
			header.Add("Vary", "Origin")
			switch {
			case slices.Contains(origins, origin):
				header.Set("Access-Control-Allow-Origin", origin)
				header.Set("Access-Control-Allow-Credentials", "true")
			case slices.Contains(origins, "*"):
				header.Set("Access-Control-Allow-Origin", "*")
			}
			header.Set("Access-Control-Expose-Headers", "Retry-After, "+TrackingHeader)
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		header.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
		header.Set("Access-Control-Allow-Headers", "Content-Type, X-Tapis-Token, "+AdminHeader+", "+TrackingHeader)
		header.Set("Access-Control-Max-Age", "600") // seconds
		w.WriteHeader(http.StatusNoContent)
	})
}
