package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

// podsDomain is that of the pods of the tenant dev.
const podsDomain = "pods.localhost"

// The names of the two ways.
const (
	gatewayWay = "gateway"
	traefikWay = "traefik"
)

// way is one of the ways to pods.
type way struct {
	name   string
	secure string // IPv4 address for visitors with TLS; ip_allow_list knows no other
	roots  *x509.CertPool
}

// site is pods of each kind, all in the state that they are to have, and the
// ways to them.
type site struct {
	ids  map[string]string // by the names that the table has for pods
	ways []way
	// What the databases in pods were made with.
	password string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{ids: map[string]string{"none": suite.NewID("none")}, password: suite.NewID("secret")}
	s.ways = []way{throughGateway(t), throughTraefik(t)}
	s.makePods(t)
	return s
}

func throughGateway(t *testing.T) way {
	t.Helper()
	roots, err := shared.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(shared.At().GatewayHTTPS)
	if err != nil {
		t.Fatal(err)
	}
	return way{gatewayWay, net.JoinHostPort("127.0.0.1", port), roots}
}

func throughTraefik(t *testing.T) way {
	t.Helper()
	certificate, err := service.NewCertificate(t.TempDir(), "*."+podsDomain)
	if err != nil {
		t.Fatal(err)
	}
	running := suite.StartTraefik(t, shared.At().API+"/traefik-config", certificate.CertFile, certificate.KeyFile)
	return way{traefikWay, running.Secure, certificate.Pool}
}

// makePods returns when every pod is in its state and both ways know.
func (s *site) makePods(t *testing.T) {
	t.Helper()
	alice := shared.User(t, "alice")
	for name, fields := range s.definitions() {
		s.ids[name] = suite.NewID(name)
		fields["pod_id"] = s.ids[name]
		suite.CreateOf(t, alice, fields)
	}
	for name, podID := range s.ids {
		switch name {
		case "none":
		case "starting":
			suite.WaitFor(t, alice, podID, pods.StatusCreating)
		default:
			suite.WaitFor(t, alice, podID, pods.StatusAvailable)
		}
	}
	s.stopLast(t, alice)
}

// stopLast stops a pod and waits until that can be seen: whoever knows of the
// last change knows of all others.
func (s *site) stopLast(t *testing.T, alice *client.Client) {
	t.Helper()
	if _, err := alice.StopPod(t.Context(), s.ids["stopped"]); err != nil {
		t.Fatal(err)
	}
	suite.WaitFor(t, alice, s.ids["stopped"], pods.StatusStopped)
	for _, way := range s.ways {
		v := visitor{t, s, way}
		for request, want := range map[*request]string{
			new(get("stopped", "default", "/", "Accept", asJSON)): `"state":"stopped"`,
			new(get("web", "default", "/")):                       s.ids["web"], // both of its programs listen
			new(get("web", "second", "/")):                        "second",
		} {
			err := suite.Eventually(t.Context(), func() error {
				if resp, body := v.ask(*request); !strings.Contains(body, want) {
					return fmt.Errorf("%s %s answers %s %s, want %q", way.name, v.host(request.pod, request.key), resp.Status, body, want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// definitions returns the pods by their names in the table.
func (s *site) definitions() map[string]map[string]any {
	type fields = map[string]any
	here, elsewhere := []string{"127.0.0.0/8"}, []string{"203.0.113.0/24"}
	visitorHeader := map[string]string{"X-Visitor": "<<tapisusername>>@<<tapistenantid>>"}
	postgres := func(script string, networking fields) fields {
		return fields{
			"image": "dev.local/postgres:15", "networking": networking, "command": []string{"sh", "-ec", script},
			"environment_variables": map[string]string{
				"POSTGRES_USER": "tester", "POSTGRES_PASSWORD": s.password, "POSTGRES_DB": "app", "POD_ID": "<<TAPIS_pod_id>>",
			},
		}
	}
	return map[string]fields{
		"web": {
			"template": "hello", "command": []string{"/bin/sh", "-c", "PORT=5001 POD_ID=second /hello & exec /hello"},
			"networking": fields{
				"default": fields{"protocol": "http", "port": 5000},
				"second":  fields{"protocol": "http", "port": 5001},
				"login": fields{
					"protocol": "http", "port": 5000, "tapis_auth": true, "tapis_auth_response_headers": visitorHeader,
					"cors_allow_origins": []string{"https://ui.example.org"}, "cors_allow_methods": []string{"GET", "PUT"},
					"cors_allow_headers": []string{"X-Own"}, "cors_allow_credentials": true,
				},
				"private": fields{
					"protocol": "http", "port": 5000, "tapis_auth": true, "tapis_auth_allowed_users": []string{"alice"},
				},
			},
		},
		"lists": {"template": "hello", "networking": fields{
			"default": fields{"protocol": "http", "port": 5000, "ip_allow_list": here},
			"outside": fields{"protocol": "http", "port": 5000, "ip_allow_list": elsewhere},
			"local":   fields{"protocol": "local_only", "port": 5000},
			"silent":  fields{"protocol": "http", "port": 5999},
		}},
		"cache": {
			"image": "dev.local/redis:7", "arguments": []string{"--bind", "0.0.0.0", "--requirepass", s.password, "--dir", "/tmp"},
			"networking": fields{
				"default": fields{"protocol": "tcp", "port": 6379},
				"inside":  fields{"protocol": "tcp", "port": 6379, "ip_allow_list": here},
				"outside": fields{"protocol": "tcp", "port": 6379, "ip_allow_list": elsewhere},
			},
		},
		"db": postgres(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$POD_ID" -keyout /tmp/tls.key -out /tmp/tls.crt
exec /usr/local/bin/start -c ssl=on -c ssl_cert_file=/tmp/tls.crt -c ssl_key_file=/tmp/tls.key`, fields{
			"postgres": fields{"protocol": "postgres", "port": 5432},
			"outside":  fields{"protocol": "postgres", "port": 5432, "ip_allow_list": elsewhere},
		}),
		"plaindb": postgres("exec /usr/local/bin/start", fields{
			"postgres": fields{"protocol": "postgres", "port": 5432},
		}),
		"starting": {"template": "hello", "compute_queue": suite.Nowhere},
		"stopped": {"template": "hello", "networking": fields{
			"default":  fields{"protocol": "http", "port": 5000},
			"postgres": fields{"protocol": "postgres", "port": 5432},
		}},
	}
}

// visitor comes to the pods of a site by one way.
type visitor struct {
	*testing.T
	site *site
	way  way
}

// host returns the address of an entry.
func (v visitor) host(pod, key string) string { return pods.Host(v.site.ids[pod], key, podsDomain) }

// dial connects to the way for the names of pods, and to what is not a pod as
// usual.
func (v visitor) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, _ := net.SplitHostPort(address); strings.HasSuffix(host, "."+podsDomain) {
		address = v.way.secure
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// tls is what clients of an entry check its certificate by.
func (v visitor) tls(host string) *tls.Config {
	return &tls.Config{RootCAs: v.way.roots, ServerName: host, MinVersion: tls.VersionTLS12}
}

// client returns one that keeps cookies, without redirects only until it is told
// to follow them.
func (v visitor) client() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	transport := &http.Transport{TLSClientConfig: v.tls(""), DialContext: v.dial, ForceAttemptHTTP2: true}
	v.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar, Timeout: suite.Patience}
}

// ask returns the answer to a request, which may be a redirect.
func (v visitor) ask(r request) (*http.Response, string) {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), r.method, "https://"+v.host(r.pod, r.key)+r.path, nil)
	if err != nil {
		v.Fatal(err)
	}
	req.Header = r.header.Clone()
	web := v.client()
	web.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return v.do(web, req)
}

func (v visitor) do(web *http.Client, req *http.Request) (*http.Response, string) {
	v.Helper()
	resp, err := web.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	return resp, string(body)
}
