package traefik

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/traefik"
	"github.com/pods-service/pods/shared/templates"
)

// service is the API with a table that the test sets, in front of which is a
// check of visitors in the place of the API's own for most pods.
type service struct {
	url     string
	table   atomic.Pointer[routes.Table]
	configs atomic.Int64 // configurations that have been sent
}

// Wait implements server.RouteTable.
func (s *service) Wait(context.Context) (*routes.Table, error) { return s.table.Load(), nil }

func startService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.table.Store(&routes.Table{})
	running := httptest.NewUnstartedServer(nil)
	s.url = "http://" + running.Listener.Addr().String()
	logger := slog.New(slog.DiscardHandler)
	renderer, err := traefik.NewRenderer(traefik.Options{
		API: s.url, AuthBase: func(string) string { return s.url }, EntryPoints: []string{"websecure"}, Backends: traefik.ByAddress,
	}, time.Now, logger)
	if err != nil {
		t.Fatal(err)
	}
	api := server.New(server.Config{
		RouteTable: s, Traefik: renderer, TraefikFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Logger: logger,
		Store: tenant{service: s}, Deriver: templates.NewDeriver(nil, nil, nil), Login: newLogin(t, tenant{service: s}),
		TenantAt: func(string) (auth.Tenant, bool) { return theTenant, true },
	}).Handler(rest.Config{Logger: logger, Version: "test", Timeout: time.Minute, Observe: func(route string, _ int, _ time.Duration) {
		if route == "GET /traefik-config" {
			s.configs.Add(1)
		}
	}}, nil, nil)
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("GET /v3/pods/{pod}/auth", checkVisitor)
	for _, id := range []string{"own", "other"} { // where the API decides itself
		mux.Handle("GET /v3/pods/"+id+"/auth", api)
	}
	running.Config.Handler = mux
	running.Start()
	t.Cleanup(running.Close)
	return s
}

// set makes all the pods there are and waits until Traefik has asked twice: what
// it was told the first time it has then taken.
func (s *service) set(t *testing.T, all ...pods.Pod) {
	t.Helper()
	s.table.Store(routes.Build(all))
	before := s.configs.Load()
	eventually(t, "Traefik asks for its configuration", func() bool { return s.configs.Load() >= before+2 })
}

// checkVisitor lets the holder of the token "good" in, whom it names in
// headers, refuses that of the token "other", and sends everybody else to log
// in. It answers with the cookies that the pod may see.
func checkVisitor(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("X-Tapis-Token")
	if cookie, err := r.Cookie("X-Tapis-Token"); err == nil {
		token = cookie.Value
	}
	switch token {
	case "good":
		header := w.Header()
		header.Set("X-Remote-User", "alice of "+r.PathValue("pod")+" at "+r.Header.Get("X-Forwarded-Host"))
		header.Set("X-Not-Configured", "surprise")
		for _, cookie := range r.Cookies() {
			if cookie.Name != "X-Tapis-Token" {
				header.Add("Cookie", cookie.Name+"="+cookie.Value)
			}
		}
	case "other":
		http.Error(w, "authenticated but not in", http.StatusForbidden)
	default:
		http.Redirect(w, r, "https://login.example.org/", http.StatusFound)
	}
}

// seen is what a pod was asked.
type seen struct {
	Path   string
	Host   string
	Header http.Header
	Pod    string
}

// startBackend starts the program of an http pod, which answers with what it
// was asked, and returns its port.
func startBackend(t *testing.T, name string) int {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{Path: r.URL.RequestURI(), Host: r.Host, Header: r.Header, Pod: name})
	}))
	t.Cleanup(backend.Close)
	return backend.Listener.Addr().(*net.TCPAddr).Port
}

// newPod returns a pod that runs on this machine.
func newPod(id string, status pods.Status, networking map[string]pods.Networking) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: id, K8sName: pods.Name("local", "dev", id), Status: status, Address: "127.0.0.1",
		CreationTS: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	pod.Networking = pods.WithURLs(networking, id, domain)
	return pod
}

func entry(protocol string, port int, change ...func(*pods.Networking)) pods.Networking {
	networking := pods.NewNetworking()
	networking.Protocol, networking.Port = protocol, port
	for _, c := range change {
		c(&networking)
	}
	return networking
}

func only(networking pods.Networking) map[string]pods.Networking {
	return map[string]pods.Networking{pods.DefaultNetworkKey: networking}
}

// withLogin makes an entry one that asks who comes.
func withLogin(headers ...string) func(*pods.Networking) {
	return func(n *pods.Networking) {
		n.TapisAuth = true
		for _, name := range headers {
			n.TapisAuthResponseHeaders[name] = "<<tapisusername>>"
		}
	}
}

// spelt returns the values of a header in any spelling.
func (s seen) spelt(name string) []string {
	var values []string
	for other, found := range s.Header {
		if strings.EqualFold(strings.ReplaceAll(other, "_", "-"), name) {
			values = append(values, found...)
		}
	}
	return values
}
