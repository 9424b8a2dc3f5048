package server

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/routes"
)

// loginRoutes are for visitors of pods and for proxies, which have no token for
// the API. Everything else about them is decided by the package login.
func (s *Server) loginRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /pods/{pod_id_net}/auth", Open: true, Handle: s.podAuth},
		{Pattern: "GET /pods/{pod_id_net}/auth/login", Open: true, Handle: s.bounded(s.podAuthLogin)},
		{Pattern: "GET /pods/{pod_id_net}/auth/callback", Open: true, Handle: s.bounded(s.podAuthCallback)},
	}
}

// VisitorLimiter says how often visitors may ask for a login, as
// ratelimit.Limiter does.
type VisitorLimiter interface {
	// AllowVisitor counts a request from an address, the zero Addr for one that is
	// not known. It returns 0 when it may be answered, and otherwise how long to
	// wait.
	AllowVisitor(from netip.Addr) time.Duration
}

// bounded is handle for as many requests as one address may make.
func (s *Server) bounded(handle func(context.Context, *rest.Request) (rest.Result, error)) func(context.Context, *rest.Request) (rest.Result, error) {
	return func(ctx context.Context, req *rest.Request) (rest.Result, error) {
		if wait := s.visitorWait(req); wait > 0 {
			return answer(login.TooMany(wait)), nil
		}
		return handle(ctx, req)
	}
}

// visitorWait counts a request about a login and returns how long its sender
// has to wait, 0 when it may be answered.
func (s *Server) visitorWait(req *rest.Request) time.Duration {
	if s.Visitors == nil {
		return 0
	}
	return s.Visitors.AllowVisitor(s.Proxies.Client(req.Request))
}

// podAuth serves GET /pods/{pod_id_net}/auth for a proxy that asks whether a
// visitor's request may go on to the pod. It is described by the headers
// X-Forwarded-Host, -Uri, -Proto and -Method, which count for the pod of the
// path alone. Visitors who pass may do so as often as they like; what else one
// address asks is bounded.
//
// Errors: those of decide.
func (s *Server) podAuth(ctx context.Context, req *rest.Request) (rest.Result, error) {
	decision, err := s.decide(ctx, req)
	if decision.Allowed {
		return rest.Result{Respond: func(w http.ResponseWriter, r *http.Request, version string) int {
			return letPass(w, r.Header, decision, version)
		}}, nil
	}
	if wait := s.visitorWait(req); wait > 0 {
		return answer(login.TooMany(wait)), nil
	}
	if err != nil {
		return rest.Result{}, err
	}
	if decision.Status == http.StatusOK {
		decision.Status = http.StatusUnauthorized // the proxy would take a success for a yes
	}
	return answer(decision), nil
}

// decide decides about the visit that a proxy describes.
//
// Errors: those of loginEntry; KindForbidden when the request that is described
// is not for the entry.
func (s *Server) decide(ctx context.Context, req *rest.Request) (login.Decision, error) {
	entry, err := s.loginEntry(ctx, req)
	if err != nil {
		return login.Decision{}, err
	}
	visit, err := forwarded(req.Header, entry)
	if err != nil {
		return login.Decision{}, err
	}
	if strings.HasPrefix(visit.Origin, "http:") {
		return login.ToHTTPS(strings.TrimPrefix(visit.Origin, "http://"), visit.Target), nil
	}
	return s.Login.Decide(ctx, visit), nil
}

// letPass tells the proxy what the pod is to hear: who the visitor is, and the
// cookies without those of the platform. The proxy copies both.
func letPass(w http.ResponseWriter, sent http.Header, decision login.Decision, version string) int {
	for name, values := range decision.Headers {
		w.Header()[name] = values
	}
	own := http.Header{"Cookie": append([]string(nil), sent.Values("Cookie")...)}
	login.RemoveCookies(own)
	if kept := own.Values("Cookie"); len(kept) > 0 {
		w.Header().Set("Cookie", strings.Join(kept, "; "))
	}
	w.Header().Set("Cache-Control", "no-store")
	allowed := rest.Envelope{Message: "Already authenticated", Status: rest.StatusSuccess, Version: version}
	_ = allowed.Write(w, http.StatusOK) // texts always encode
	return http.StatusOK
}

// podAuthLogin serves GET /pods/{pod_id_net}/auth/login, to which the gateway
// sends visitors: it knows the address of the tenant's login.
func (s *Server) podAuthLogin(ctx context.Context, req *rest.Request) (rest.Result, error) {
	entry, err := s.loginEntry(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	return answer(s.Login.Start(ctx, entry, req.URL.Query().Get("state"))), nil
}

// podAuthCallback serves GET /pods/{pod_id_net}/auth/callback, to which the
// tenant's login sends visitors.
func (s *Server) podAuthCallback(ctx context.Context, req *rest.Request) (rest.Result, error) {
	entry, err := s.loginEntry(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return rest.Result{}, pods.Invalid("The query of this address is broken.")
	}
	return answer(s.Login.Callback(ctx, entry, query)), nil
}

// answer has a decision written as the answer.
func answer(decision login.Decision) rest.Result {
	return rest.Result{Respond: func(w http.ResponseWriter, r *http.Request, version string) int {
		decision.Write(w, r, version)
		return decision.Status
	}}
}

// loginEntry returns the networking entry that the path names, "<pod>" or
// "<pod>-<key>", of the tenant at whose address the request has come.
//
// Errors: KindNotFound for an unknown address, pod or key, KindForbidden for an
// entry that asks for no login, KindUnavailable where nobody can log in.
func (s *Server) loginEntry(ctx context.Context, req *rest.Request) (login.Entry, error) {
	if s.Login == nil {
		return login.Entry{}, pods.Unavailable("Nobody can log in to pods here.", nil)
	}
	tenant, found := s.TenantAt(req.Host)
	if !found {
		return login.Entry{}, pods.NotFound("No tenant has the address %s.", req.Host)
	}
	podID, key, hasKey := strings.Cut(req.PathValue("pod_id_net"), "-")
	if !hasKey {
		key = pods.DefaultNetworkKey
	}
	pod, _, err := s.Store.Pod(ctx, tenant.ID, podID)
	if err != nil {
		return login.Entry{}, err
	}
	networking, err := s.Deriver.Networking(ctx, pod)
	if err != nil {
		return login.Entry{}, err
	}
	entry, found := networking[key]
	if !found {
		return login.Entry{}, pods.NotFound("Pod %s has no networking entry '%s'.", podID, key)
	}
	host, err := routes.CanonicalHost(entry.URL)
	if err != nil || !entry.TapisAuth || entry.Protocol != pods.ProtocolHTTP {
		return login.Entry{}, pods.Forbidden("tapis_auth - the networking entry '%s' of pod %s does not ask for a login.", key, podID)
	}
	return login.Entry{
		TenantID: tenant.ID, PodID: podID, Key: key, Host: host, Networking: &entry,
	}, nil
}

// forwarded returns the visit that a proxy describes.
//
// Errors: KindForbidden when it is not one to the entry's own host.
func forwarded(header http.Header, entry login.Entry) (login.Visit, error) {
	named := header.Get("X-Forwarded-Host")
	host, err := routes.CanonicalHost(named)
	if err != nil || host != entry.Host || len(header.Values("X-Forwarded-Host")) != 1 {
		return login.Visit{}, pods.Forbidden(
			"tapis_auth - this address is for the proxy in front of the pod, which names the pod's own host in X-Forwarded-Host.")
	}
	origin := "https://" + host
	if _, port, found := strings.Cut(named, ":"); found && port != "443" {
		origin += ":" + port
	}
	if proto := header.Get("X-Forwarded-Proto"); proto == "http" || proto == "ws" {
		origin = "http://" + host // where HTTPS has another port, it is not known here
	}
	target, method := header.Get("X-Forwarded-Uri"), header.Get("X-Forwarded-Method")
	if target == "" {
		target = "/"
	}
	if method == "" {
		method = http.MethodGet
	}
	return login.Visit{Entry: entry, Origin: origin, Method: method, Target: target, Header: header}, nil
}
