package routes_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

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
