package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// reachCases are what visitors do, and what comes of it whichever way they come
// to pods: through the gateway or through Traefik. A case says so where Traefik
// does otherwise; docs/traefik.md does too.
var reachCases = []struct {
	name  string
	check func(visitor)
}{
	{"HTTP", checkHTTP},
	{"Upload", checkUpload},
	{"WebSocket", checkWebSocket},
	{"TwoEntries", checkTwoEntries},

	{"Redis", checkRedis},
	{"Psql", checkPsql},
	{"Pgx", checkPgx},
	// Traefik hands TLS on to the container, which must speak it.
	{"PostgresWithoutTLS", perWay(checkPostgresEndedHere, checkPostgresNeedsTLS)},

	{"AddressAllowed", answers(get("lists", "default", "/healthz"), http.StatusOK, "ok")},
	{"AddressRefused", answers(get("lists", "outside", "/healthz", "X-Forwarded-For", "203.0.113.1"), http.StatusForbidden, "")},
	{"AddressAllowedTCP", checkRedisInside},
	{"AddressRefusedTCP", checkRedisOutside},
	// Traefik closes the connection and says nothing.
	{"AddressRefusedPostgres", perWay(checkPostgresRefused("db", "outside", "28000"), checkNoPostgres("db", "outside"))},

	{"Preflight", checkPreflight},
	{"PreflightOtherOrigin", checkPreflightOtherOrigin},
	{"CORSBeforeLogin", checkCORSBeforeLogin},

	{"LoginByHeader", checkLoginByHeader},
	{"LoginByBadHeader", answers(get("web", "login", "/headers", "X-Tapis-Token", "x.y.z"), http.StatusForbidden, "tapis_auth - not authenticated: ")},
	{"LoginByBrowser", checkLoginByBrowser},
	{"NoLogin", checkNoLogin},
	{"NotOnListByHeader", checkNotOnListByHeader},
	{"NotOnListByBrowser", checkNotOnListByBrowser},

	{"Starting", answers(get("starting", "default", "/", "Accept", asHTML), http.StatusServiceUnavailable, "Starting")},
	{"StartingJSON", answers(get("starting", "default", "/", "Accept", asJSON), http.StatusServiceUnavailable, `"state":"starting"`)},
	{"Stopped", answers(get("stopped", "default", "/a?b=c", "Accept", asHTML), http.StatusServiceUnavailable, "Stopped")},
	{"StoppedJSON", answers(get("stopped", "default", "/", "Accept", asJSON), http.StatusServiceUnavailable, `"state":"stopped"`)},
	// To Traefik such a pod is none, about which it says nothing.
	{"StoppedPostgres", perWay(checkPostgresRefused("stopped", "postgres", "57P03"), checkNoPostgres("stopped", "postgres"))},
	{"NotFound", answers(get("none", "default", "/", "Accept", asHTML), http.StatusNotFound, "No pod here")},
	{"NotFoundJSON", answers(get("none", "default", "/", "Accept", asJSON), http.StatusNotFound, `"state":"not_found"`)},
	{"LocalOnly", answers(get("lists", "local", "/", "Accept", asJSON), http.StatusNotFound, `"state":"not_found"`)},
	// The program of a pod that runs need not listen yet. The gateway waits for it
	// and says so; to Traefik it is a server that does not answer.
	{"NotListening", perWay(
		answers(get("lists", "silent", "/", "Accept", asJSON), http.StatusServiceUnavailable, `"state":"starting"`),
		answers(get("lists", "silent", "/", "Accept", asJSON), http.StatusBadGateway, ""),
	)},
}

const (
	asHTML = "text/html"
	asJSON = "application/json"
)

// TestReach goes through the table twice, on one set of pods.
func TestReach(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for _, way := range site.ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			for _, tc := range reachCases {
				t.Run(tc.name, func(t *testing.T) {
					t.Parallel()
					tc.check(visitor{t, site, way})
				})
			}
		})
	}
}

// perWay checks one thing through the gateway and another through Traefik.
func perWay(gateway, traefik func(visitor)) func(visitor) {
	return func(v visitor) {
		if v.way.name == traefikWay {
			traefik(v)
			return
		}
		gateway(v)
	}
}

// request is one to a pod's entry.
type request struct {
	method, pod, key, path string
	header                 http.Header
}

// get returns a request whose headers are pairs of names and values.
func get(pod, key, path string, headers ...string) request {
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return request{http.MethodGet, pod, key, path, header}
}

// answers checks the answer to a request: its status, and a part of its body.
func answers(r request, status int, part string) func(visitor) {
	return func(v visitor) {
		resp, body := v.ask(r)
		if resp.StatusCode != status || !strings.Contains(body, part) {
			v.Errorf("%s%s answers %s, want %d with %q:\n%s", v.host(r.pod, r.key), r.path, resp.Status, status, part, body)
		}
	}
}
