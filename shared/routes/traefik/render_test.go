package traefik_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/traefik"
)

var update = flag.Bool("update", false, "write the golden files anew")

// options are those of a Traefik in the cluster.
func options() traefik.Options {
	return traefik.Options{
		API:         "http://pods-api:8000",
		EntryPoints: []string{"web"},
		AuthBase: func(tenantID string) string {
			return map[string]string{"dev": "https://dev.example.org"}[tenantID]
		},
	}
}

// newPod returns an AVAILABLE pod with the given entries.
func newPod(id string, networking map[string]pods.Networking) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: id, K8sName: pods.Name("local", "dev", id), Status: pods.StatusAvailable,
		Address: "10.1.2.3", CreationTS: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	pod.Networking = pods.WithURLs(networking, id, "pods.dev.example.org")
	return pod
}

// entry returns a networking entry that differs from the default by change.
func entry(change func(*pods.Networking)) pods.Networking {
	networking := pods.NewNetworking()
	change(&networking)
	return networking
}

func only(change func(*pods.Networking)) map[string]pods.Networking {
	return map[string]pods.Networking{pods.DefaultNetworkKey: entry(change)}
}

func withStatus(pod pods.Pod, status pods.Status) pods.Pod {
	pod.Status = status
	return pod
}

// mixed is a pod of every kind.
func mixed() []pods.Pod {
	return []pods.Pod{
		newPod("web", map[string]pods.Networking{
			"default": pods.NewNetworking(),
			"admin": entry(func(n *pods.Networking) {
				n.Port, n.TapisAuth = 9000, true
				n.TapisAuthResponseHeaders = map[string]string{"X-User": "<<tapisusername>>", "Tenant": "a"}
				n.IPAllowList = []string{"10.0.0.1", "192.168.1.7/16"}
				n.CORSAllowOrigins, n.CORSAllowMethods = []string{"https://ui.example.org"}, []string{"GET", "PUT"}
				n.CORSAllowHeaders, n.CORSAllowCredentials = []string{"Content-Type"}, true
			}),
			"inside": entry(func(n *pods.Networking) { n.Protocol = pods.ProtocolLocalOnly }),
		}),
		newPod("graph", only(func(n *pods.Networking) {
			n.Protocol, n.Port, n.IPAllowList = pods.ProtocolTCP, 7687, []string{"10.0.0.0/8"}
		})),
		newPod("db", only(func(n *pods.Networking) { n.Protocol, n.Port = pods.ProtocolPostgres, 5432 })),
		withStatus(newPod("done", only(func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.1"} })), pods.StatusComplete),
		withStatus(newPod("off", only(func(n *pods.Networking) { n.Protocol = pods.ProtocolTCP })), pods.StatusStopped),
	}
}

// TestDocument compares whole documents with files.
func TestDocument(t *testing.T) {
	t.Parallel()

	resolver := options()
	resolver.CertResolver, resolver.Backends = "letsencrypt", traefik.ByAddress
	resolver.Dashboard, resolver.DashboardFrom = "traefik.example.org", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	tests := map[string]struct {
		pods    []pods.Pod
		options traefik.Options
	}{
		"none":      {nil, options()},
		"one":       {mixed()[:1], options()},
		"mixed":     {mixed(), options()},
		"resolver":  {mixed(), resolver},
		"notserved": {mixed()[4:], options()},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			content, problems, err := traefik.Render(routes.Build(tc.pods), tc.options)
			if err != nil || len(problems) > 0 {
				t.Fatalf("problems %v, %v", problems, err)
			}
			checkSections(t, content)
			compare(t, name, content)
			slices.Reverse(tc.pods)
			again, _, err := traefik.Render(routes.Build(tc.pods), tc.options)
			if err != nil || !bytes.Equal(content, again) {
				t.Error("the same pods give other bytes")
			}
		})
	}
}

// compare holds content against its golden file.
func compare(t *testing.T, name string, content []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, content, "", "  "); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, indented.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), indented.String()); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

// checkSections fails for what makes Traefik refuse a document: an empty
// section, null, or text that is not YAML, which is how Traefik reads it.
func checkSections(t *testing.T, content []byte) {
	t.Helper()
	var document map[string]map[string]map[string]any
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	for section, parts := range document {
		if len(parts) == 0 {
			t.Errorf("%s is empty", section)
		}
		for part, members := range parts {
			if len(members) == 0 {
				t.Errorf("%s.%s is empty", section, part)
			}
		}
	}
	if bytes.Contains(content, []byte("null")) {
		t.Errorf("the document has a null: %s", content)
	}
}

// TestHostileEntries has one pod with a value that cannot be rendered among
// others that can.
func TestHostileEntries(t *testing.T) {
	t.Parallel()

	const many = "a-b-c-d-e-f-g-h-i-j"
	tests := map[string]struct {
		change func(*pods.Pod)
		reason string
	}{
		"Name":       {func(p *pods.Pod) { p.K8sName = "pods`-x" }, "make no name"},
		"NoName":     {func(p *pods.Pod) { p.K8sName = "" }, "make no name"},
		"TakenName":  {func(p *pods.Pod) { p.K8sName = "pods-local-dev-good" }, "is taken by another entry"},
		"ApiName":    {func(p *pods.Pod) { p.K8sName = "pods-service" }, "is taken by another entry"},
		"NoAuthBase": {func(p *pods.Pod) { p.TenantID = "other"; with(func(n *pods.Networking) { n.TapisAuth = true })(p) }, "no address to log in"},
		"AuthOnTCP":  {with(func(n *pods.Networking) { n.TapisAuth, n.Protocol = true, pods.ProtocolTCP }), "needs the protocol http"},
		"Origin":     {with(func(n *pods.Networking) { n.CORSAllowOrigins = []string{"https://a\u009f"} }), "cors_allow_origins"},
		"Method":     {with(func(n *pods.Networking) { n.CORSAllowMethods = []string{"GET\x7f"} }), "cors_allow_methods"},
		"Header":     {withHeaders("X User"), "tapis_auth_response_headers"},
		"LongHeader": {withHeaders(strings.Repeat("x", 2000)), "tapis_auth_response_headers"},
		"Spellings":  {withHeaders(many), "more than 8 hyphens"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			good, bad := newPod("good", only(func(*pods.Networking) {})), newPod("hostile", only(func(*pods.Networking) {}))
			tc.change(&bad)
			content, problems, err := traefik.Render(routes.Build([]pods.Pod{bad, good}), options())
			if err != nil {
				t.Fatal(err)
			}
			if len(problems) != 1 || problems[0].PodID != "hostile" || !strings.Contains(problems[0].Reason, tc.reason) {
				t.Errorf("problems %v, want one of the pod with %q", problems, tc.reason)
			}
			checkSections(t, content)
			if !bytes.Contains(content, []byte("good.pods.dev.example.org")) || bytes.Contains(content, []byte("hostile.")) {
				t.Errorf("document %s", content)
			}
		})
	}
}

func with(change func(*pods.Networking)) func(*pods.Pod) {
	return func(pod *pods.Pod) {
		networking := pod.Networking[pods.DefaultNetworkKey]
		change(&networking)
		pod.Networking[pods.DefaultNetworkKey] = networking
	}
}

func withHeaders(names ...string) func(*pods.Pod) {
	return with(func(n *pods.Networking) {
		n.TapisAuth, n.TapisAuthResponseHeaders = true, map[string]string{}
		for _, name := range names {
			n.TapisAuthResponseHeaders[name] = "x"
		}
	})
}

// TestHeadersOfTheLogin looks at which headers are copied and which removed.
func TestHeadersOfTheLogin(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		configured      []string
		copied, removed []string
	}{
		"None":          {nil, []string{"Cookie"}, nil},
		"Plain":         {[]string{"User"}, []string{"User", "Cookie"}, nil},
		"Hyphens":       {[]string{"X-A-B"}, []string{"X-A-B", "Cookie"}, []string{"X-A_b", "X_a-B", "X_a_b"}},
		"Underscore":    {[]string{"X_A"}, []string{"X_A", "Cookie"}, []string{"X-A"}},
		"Both":          {[]string{"X_A", "x-a"}, []string{"X_A", "x-a", "Cookie"}, nil},
		"Twice":         {[]string{"X-A", "x-a"}, []string{"X-A", "Cookie"}, []string{"X_a"}},
		"PlatformToken": {[]string{"x-tapis_token"}, []string{"Cookie"}, nil},
		"Cookie":        {[]string{"cookie"}, []string{"cookie"}, nil},
		"Odd":           {[]string{"_a-"}, []string{"_a-", "Cookie"}, []string{"-A-", "-A_", "_a_"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := newPod("web", only(func(*pods.Networking) {}))
			withHeaders(tc.configured...)(&pod)
			content, problems, err := traefik.Render(routes.Build([]pods.Pod{pod}), options())
			if err != nil || len(problems) > 0 {
				t.Fatalf("problems %v, %v", problems, err)
			}
			var document struct {
				HTTP struct {
					Middlewares map[string]struct {
						ForwardAuth struct{ AuthResponseHeaders []string }
						Headers     struct{ CustomRequestHeaders map[string]string }
					}
				}
			}
			if err := json.Unmarshal(content, &document); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.copied, document.HTTP.Middlewares["tapis-auth-pods-local-dev-web"].ForwardAuth.AuthResponseHeaders); diff != "" {
				t.Errorf("copied (-want +got):\n%s", diff)
			}
			var removed []string
			for header := range document.HTTP.Middlewares["tapis-strip-pods-local-dev-web"].Headers.CustomRequestHeaders {
				removed = append(removed, header)
			}
			slices.Sort(removed)
			if diff := cmp.Diff(tc.removed, removed); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()

	tests := map[string]func(*traefik.Options){
		"NoAPI":            func(o *traefik.Options) { o.API = "" },
		"DashboardForAll":  func(o *traefik.Options) { o.Dashboard = "traefik.example.org" },
		"DashboardIsARule": func(o *traefik.Options) { o.Dashboard, o.DashboardFrom = "a`) || Host(`b", []netip.Prefix{{}} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			o := options()
			change(&o)
			if _, _, err := traefik.Render(&routes.Table{}, o); err == nil {
				t.Error("no error")
			}
		})
	}
	var backends traefik.Backends
	if err := backends.UnmarshalText([]byte("dns")); err == nil {
		t.Error("an unknown way to reach pods is taken")
	}
}

// BenchmarkRender renders 10,000 routes, a tenth of them with everything that
// an entry can have.
func BenchmarkRender(b *testing.B) {
	all := make([]pods.Pod, 10000)
	for i := range all {
		id := fmt.Sprintf("pod%d", i)
		all[i] = newPod(id, only(func(n *pods.Networking) {
			if i%10 == 0 {
				n.TapisAuth, n.TapisAuthResponseHeaders = true, map[string]string{"X-Remote-User": "<<tapisusername>>"}
				n.IPAllowList, n.CORSAllowOrigins = []string{"10.0.0.0/8"}, []string{"*"}
			}
		}))
	}
	table := routes.Build(all)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := traefik.Render(table, options()); err != nil {
			b.Fatal(err)
		}
	}
}
