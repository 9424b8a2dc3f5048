package routes_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

func TestCanonicalHost(t *testing.T) {
	t.Parallel()

	label63 := strings.Repeat("a", 63)
	tests := map[string]struct {
		host string
		want string // empty means refused
	}{
		"Canonical":       {"db.pods.localhost", "db.pods.localhost"},
		"UpperCase":       {"DB.Pods.LOCALHOST", "db.pods.localhost"},
		"Port":            {"db.pods.localhost:8443", "db.pods.localhost"},
		"Dot":             {"db.pods.localhost.", "db.pods.localhost"},
		"DotAndPort":      {"db.pods.localhost.:8443", "db.pods.localhost"},
		"Hyphen":          {"db-admin.pods.localhost", "db-admin.pods.localhost"},
		"LongestLabel":    {label63 + ".localhost", label63 + ".localhost"},
		"Longest":         {strings.Repeat("abc.", 63) + "a:80", strings.Repeat("abc.", 63) + "a"},
		"Empty":           {"", ""},
		"OnlyDot":         {".", ""},
		"OnlyPort":        {":80", ""},
		"TwoDots":         {"db.pods.localhost..", ""},
		"EmptyLabel":      {"db..localhost", ""},
		"LeadingDot":      {".localhost", ""},
		"EmptyPort":       {"db.localhost:", ""},
		"NamedPort":       {"db.localhost:http", ""},
		"LongPort":        {"db.localhost:123456", ""},
		"TwoPorts":        {"db.localhost:80:80", ""},
		"IPv6":            {"[::1]:80", ""},
		"User":            {"user@db.localhost", ""},
		"Path":            {"db.localhost/x", ""},
		"Space":           {"db.localhost ", ""},
		"NUL":             {"db\x00.localhost", ""},
		"Underscore":      {"d_b.localhost", ""},
		"KelvinSign":      {"\u212a.localhost", ""},
		"HyphenFirst":     {"-db.localhost", ""},
		"HyphenLast":      {"db-.localhost", ""},
		"LabelTooLong":    {label63 + "a.localhost", ""},
		"NameTooLong":     {strings.Repeat("abc.", 63) + "ab", ""},
		"TwoHostsInOne":   {"db.localhost,other.localhost", ""},
		"PercentEncoding": {"db%2elocalhost", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := routes.CanonicalHost(tc.host)
			if got != tc.want || (err != nil) != (tc.want == "") {
				t.Errorf("CanonicalHost(%q) = %q, %v, want %q", tc.host, got, err, tc.want)
			}
			if err != nil && !errors.Is(err, routes.ErrHost) {
				t.Errorf("error %v is not ErrHost", err)
			}
		})
	}
}

var canonical = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// FuzzCanonicalHost holds every host a client can send against what the table
// relies on: one form per name, and no way to reach a route by another name.
func FuzzCanonicalHost(f *testing.F) {
	for _, seed := range []string{"db.pods.localhost", "DB.pods.localhost.:80", "[::1]", "a..b", "x_y", "a:b", "ä.localhost"} {
		f.Add(seed)
	}
	pod := newPod("dev", "db")
	table := routes.Build(podList(pod))
	f.Fuzz(func(t *testing.T, host string) {
		name, err := routes.CanonicalHost(host)
		if err != nil {
			if name != "" {
				t.Fatalf("CanonicalHost(%q) = %q beside an error", host, name)
			}
			return
		}
		if len(name) > 253 || !canonical.MatchString(name) {
			t.Fatalf("CanonicalHost(%q) = %q, not a canonical name", host, name)
		}
		for _, same := range []string{name, name + ".", name + ":1", name + ".:65535", strings.ToUpper(name)} {
			if again, err := routes.CanonicalHost(same); again != name || err != nil {
				t.Fatalf("CanonicalHost(%q) = %q, %v, want %q", same, again, err, name)
			}
		}
		if _, found := table.Lookup(name); found != (name == "db.pods.localhost") {
			t.Fatalf("host %q reaches the pod: %t", host, found)
		}
	})
}

// FuzzHostOfPod: whatever two pods and their ports are called, each port has a
// host of its own, and that host leads to this port of this pod.
func FuzzHostOfPod(f *testing.F) {
	for _, seed := range [][4]string{
		{"abc", "default", "abc", "web"}, {"abc", "web", "abcweb", "default"}, {"a1b", "default", "a1b", "default"}, {"abc", "abc", "abcabc", "abc"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, firstID, firstKey, secondID, secondKey string) {
		if firstID == secondID {
			return
		}
		first, ok1 := podWithPort(firstID, firstKey)
		second, ok2 := podWithPort(secondID, secondKey)
		if !ok1 || !ok2 {
			return // the API would have refused them
		}
		table := routes.Build(podList(first, second))
		want := 0
		for _, pod := range podList(first, second) {
			for key, entry := range pod.Networking {
				host, err := routes.CanonicalHost(strings.ToUpper(entry.URL) + ".:443")
				if len(entry.URL) > 253 || strings.IndexByte(entry.URL, '.') > 63 { // no host name
					continue
				}
				want++
				route, found := table.Lookup(host)
				if err != nil || !found || route.PodID != pod.ID || route.Key != key {
					t.Errorf("host %q of pod %q, port %q leads to %+v (%v)", entry.URL, pod.ID, key, route, err)
				}
			}
		}
		if table.Len() != want {
			t.Errorf("%d hosts, want %d", table.Len(), want)
		}
	})
}

// podWithPort makes a running pod as the API does, false for names that the API
// refuses.
func podWithPort(id, key string) (pods.Pod, bool) {
	networking := map[string]pods.Networking{key: pods.NewNetworking(), pods.DefaultNetworkKey: pods.NewNetworking()}
	patch := pods.Patch{ID: pods.Some(id), Image: pods.Some("x"), Networking: pods.Some(networking)}
	pod, err := pods.New(pods.Caller{TenantID: "dev", SiteID: "local"}, pods.Tenant{ID: "dev", PodsDomain: domain}, patch, pods.NewRules(), id, created)
	pod.Status, pod.Address = pods.StatusAvailable, "10.1.2.3"
	return pod, err == nil
}
