package rest

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// Result is what a handler returns when it has not failed.
type Result struct {
	Message  string // empty means DefaultMessage
	Metadata map[string]any
	Value    any
	// HTTPStatus is that of the answer; zero means 200.
	HTTPStatus int
	// IsError gives the envelope the status "error" whatever the HTTP status is,
	// as clients expect of an update that had nothing to do.
	IsError bool
	// Respond writes the whole answer to r in the place of the envelope, and
	// returns its HTTP status: for what is read by browsers and proxies.
	Respond func(w http.ResponseWriter, r *http.Request, version string) int
}

// Route is one row of the API's route table. Every route states who may use
// it: Open to all, SiteAdmin, AdminMode (a site admin who says so by the header
// X-Pods-Admin), or a Level on the object that its path names; the Level None
// means any caller with a token.
type Route struct {
	Pattern   string // as http.ServeMux takes it: "GET /pods/{pod_id}"
	Open      bool
	SiteAdmin bool
	AdminMode bool
	Level     permissions.Level
	// Timeout bounds the work on one request; zero means that of the Config.
	Timeout time.Duration
	// MaxBody bounds the body, in bytes; zero means 1 MiB.
	MaxBody int64
	Handle  func(context.Context, *Request) (Result, error)
}

// Authenticator finds out who sends a request.
//
// Errors: KindUnauthenticated, or KindForbidden for the wrong tenant.
type Authenticator interface {
	Authenticate(context.Context, *http.Request) (pods.Caller, error)
}

// Config is what a router needs.
type Config struct {
	Authenticator Authenticator
	// Admins may use the routes for site admins; nil means that nobody may.
	Admins permissions.Admins
	// Limiter bounds how often a caller is answered; nil sets no bound.
	Limiter Limiter
	Logger  *slog.Logger
	Version string
	// Timeout bounds the work on one request.
	Timeout time.Duration
	// Observe is called after each request; route is the pattern that matched.
	Observe func(route string, status int, elapsed time.Duration)
}

// Router serves a table of routes below "/" and "/v3" alike.
type Router struct {
	config Config
	// muxes holds the routes by their resource, empty for those whose second
	// segment is a wildcard: "/pods/templates/{template_id}" and
	// "/pods/{pod_id}/logs" could not stand in one mux, which does not know that
	// no pod is called so.
	muxes map[string]*mux
}

// mux holds routes, and by "/" what answers where none of them matches.
type mux struct {
	http.ServeMux
	routes http.ServeMux // the routes alone
}

// NewRouter returns a router of the given routes.
func NewRouter(config Config, routes []Route) *Router {
	r := &Router{config: config, muxes: map[string]*mux{}}
	r.muxes[""] = r.newMux()
	for _, route := range routes {
		_, path, _ := strings.Cut(route.Pattern, " ")
		resource := secondSegment(path)
		if strings.HasPrefix(resource, "{") {
			resource = ""
		}
		if r.muxes[resource] == nil {
			r.muxes[resource] = r.newMux()
		}
		endpoint := r.endpoint(route)
		r.muxes[resource].Handle(route.Pattern, endpoint)
		r.muxes[resource].routes.Handle(route.Pattern, endpoint)
	}
	return r
}

func (r *Router) newMux() *mux {
	m := &mux{}
	m.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) { r.refuse(w, req, &m.routes) })
	return m
}

// secondSegment returns "b" of "/a/b/c".
func secondSegment(path string) string {
	segments := strings.SplitN(path, "/", 4)
	if len(segments) < 3 {
		return ""
	}
	return segments[2]
}

// ServeHTTP implements http.Handler. A path or method that no route matches is
// answered in the envelope too.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	mux, found := r.muxes[secondSegment(req.URL.Path)]
	if !found {
		mux = r.muxes[""]
	}
	mux.ServeHTTP(w, req)
}

// refuse answers a request that none of routes matches.
func (r *Router) refuse(w http.ResponseWriter, req *http.Request, routes *http.ServeMux) {
	// A mux answers in plain text; keep its verdict, not its words.
	verdict := verdict{}
	routes.ServeHTTP(verdict, req)
	if allow := http.Header(verdict).Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		answer := Envelope{
			Message: req.Method + " is not possible here. Use " + allow + ".",
			Status:  StatusError, Version: r.config.Version,
		}
		_ = answer.Write(w, http.StatusMethodNotAllowed)
		return
	}
	WriteError(w, pods.NotFound("The path %s does not match any Pods API route. See the documentation for those there are.", req.URL.Path), r.config.Version)
}

// verdict keeps the header of an answer and drops the rest.
type verdict http.Header

func (v verdict) Header() http.Header         { return http.Header(v) }
func (v verdict) Write(p []byte) (int, error) { return len(p), nil }
func (v verdict) WriteHeader(int)             {}

// endpoint wraps the handler of a route in all that every request needs.
func (r *Router) endpoint(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		start := time.Now()
		ctx, end := telemetry.Request(req, route.Pattern)
		ctx, cancel := context.WithTimeout(ctx, cmp.Or(route.Timeout, r.config.Timeout))
		defer cancel()

		request := &Request{Request: req.WithContext(ctx), Level: route.Level}
		result, err := r.handle(ctx, w, route, request)
		status := cmp.Or(result.HTTPStatus, http.StatusOK)
		if err != nil {
			err = deadline(ctx, err)
			status = HTTPStatus(err)
			WriteError(w, err, r.config.Version)
		} else if result.Respond != nil {
			status = result.Respond(w, req, r.config.Version)
		} else {
			answer := Envelope{Message: result.Message, Metadata: result.Metadata, Result: result.Value, Status: StatusSuccess, Version: r.config.Version}
			if result.IsError {
				answer.Status = StatusError
			}
			if err = answer.Write(w, status); err != nil {
				status = HTTPStatus(err) // for the log: it may have been too late to send it
			}
		}
		end(status)
		r.log(request, route, status, time.Since(start), err)
		if CutShort(err) {
			panic(http.ErrAbortHandler) // or the client would take what it got for all there is
		}
	})
}

func (r *Router) handle(ctx context.Context, w http.ResponseWriter, route Route, req *Request) (result Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // the very value net/http defines
				panic(p)
			}
			r.config.Logger.Error("handler panicked", "route", route.Pattern, "panic", p)
			err = errors.New("handler panicked")
		}
	}()
	if !route.Open {
		if req.Caller, err = r.config.Authenticator.Authenticate(ctx, req.Request); err != nil {
			return Result{}, AboutLogin(err)
		}
		if err := r.limit(req.Caller); err != nil {
			return Result{}, err
		}
		if err := r.admit(route, req); err != nil {
			return Result{}, err
		}
	}
	r.bound(w, req.Request, route)
	return route.Handle(ctx, req)
}

// AdminHeader is sent with the value "true" by a site admin who wants to act as
// one.
const AdminHeader = "X-Pods-Admin"

// admit notes what the caller is as a site admin and refuses those whom the
// route is not for, as far as that can be told without its object.
//
// Errors: KindForbidden.
func (r *Router) admit(route Route, req *Request) error {
	refusal := r.config.Admins.Check(req.Caller)
	req.Caller.SiteAdmin = refusal == nil
	if strings.EqualFold(req.Header.Get(AdminHeader), "true") {
		if !req.Caller.SiteAdmin {
			return pods.Forbidden("Not authorized -- X-Pods-Admin header requires the PODS_ADMIN role.")
		}
		req.Caller.AdminMode = true
	}
	switch {
	case route.SiteAdmin:
		return refusal
	case route.AdminMode && !req.Caller.AdminMode:
		return pods.Forbidden("Not authorized -- this endpoint is for site admins, who send the header %s: true with it.", AdminHeader)
	}
	return nil
}

// deadline turns an error that comes of the request's own deadline into one
// that says so.
func deadline(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && pods.KindOf(err) == pods.KindInternal {
		return pods.Timeout("The request took too long. Try again in a moment.", err)
	}
	return err
}

// log writes the one line of a request. Only failures inside the service are
// errors; what a user did wrong is not.
func (r *Router) log(req *Request, route Route, status int, elapsed time.Duration, err error) {
	if r.config.Observe != nil {
		r.config.Observe(route.Pattern, status, elapsed)
	}
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	ctx := req.Context()
	if !r.config.Logger.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 9),
		slog.String("method", req.Method), slog.String("path", req.URL.Path), slog.Int("status", status),
		slog.Duration("elapsed", elapsed), slog.String("request_id", RequestID(ctx)),
	)
	if trace := telemetry.TraceID(ctx); trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	if req.Caller.Username != "" {
		attrs = append(attrs, slog.String("tenant_id", req.Caller.TenantID), slog.String("user", req.Caller.Username))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	// Without the place in the program, which is always this one.
	record := slog.NewRecord(time.Now(), level, "request", 0)
	record.AddAttrs(attrs...)
	_ = r.config.Logger.Handler().Handle(ctx, record) // nobody to tell
}
