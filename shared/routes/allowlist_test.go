package routes_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

func TestAllowList(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		entries []string
		address string
		want    bool
	}{
		"EmptyAllowsAll":  {nil, "203.0.113.9", true},
		"EmptyAllowsIPv6": {nil, "2001:db8::1", true},
		"Same":            {[]string{"203.0.113.9"}, "203.0.113.9", true},
		"Other":           {[]string{"203.0.113.9"}, "203.0.113.10", false},
		"Range":           {[]string{"10.0.0.0/8", "203.0.113.0/28"}, "203.0.113.15", true},
		"PastRange":       {[]string{"10.0.0.0/8", "203.0.113.0/28"}, "203.0.113.16", false},
		"UnmaskedRange":   {[]string{"203.0.113.9/24"}, "203.0.113.200", true},
		"Mapped":          {[]string{"203.0.113.9"}, "::ffff:203.0.113.9", true},
		"MappedOther":     {[]string{"203.0.113.9"}, "::ffff:203.0.113.10", false},
		"IPv6":            {[]string{"0.0.0.0/0"}, "2001:db8::1", false},
		"Everybody":       {[]string{"0.0.0.0/0"}, "203.0.113.9", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			list, err := routes.ParseAllowList(tc.entries)
			if err != nil {
				t.Fatal(err)
			}
			if got := list.Allows(netip.MustParseAddr(tc.address)); got != tc.want {
				t.Errorf("%v allows %s: %t", tc.entries, tc.address, got)
			}
		})
	}
	list, _ := routes.ParseAllowList([]string{"0.0.0.0/0"})
	if list.Allows(netip.Addr{}) {
		t.Error("a visitor without an address is let in")
	}
}

// TestBadAllowListCloses: what cannot be read as a list must not be taken for
// an empty one.
func TestBadAllowListCloses(t *testing.T) {
	t.Parallel()

	for _, bad := range []string{"", "10.0.0", "10.0.0.0/33", "2001:db8::/32", "::ffff:10.0.0.1", "example.org", "10.0.0.1 "} {
		pod := entryWith(newPod("dev", "db"), "default", func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.1", bad} })
		pod = entryWith(pod, "open", func(*pods.Networking) {})
		table := routes.Build(podList(pod))
		if _, found := table.Lookup("db.pods.localhost"); found {
			t.Errorf("%q: the entry has a route", bad)
		}
		if _, found := table.Lookup("db-open.pods.localhost"); !found {
			t.Errorf("%q: another entry has none", bad)
		}
		problems := table.Problems()
		if len(problems) != 1 || !strings.Contains(problems[0].Reason, "ip_allow_list") {
			t.Errorf("%q: problems %v", bad, problems)
		}
	}
}

// TestAllowListOfRoute: a change of the list is a change of the table.
func TestAllowListOfRoute(t *testing.T) {
	t.Parallel()

	before := routes.Build(podList(newPod("dev", "db")))
	after := before.With(entryWith(newPod("dev", "db"), "default", func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.0/8"} }))
	route, found := after.Lookup("db.pods.localhost")
	if !found || route.AllowList.AllowsAll() || !route.AllowList.Allows(netip.MustParseAddr("10.1.2.3")) {
		t.Errorf("route %+v, %t", route, found)
	}
	if before.Version() == after.Version() {
		t.Error("both tables have one version")
	}
}

func TestContains(t *testing.T) {
	t.Parallel()

	table := routes.Build(podList(newPod("dev", "db")))
	if !table.Contains("dev", "db") || table.Contains("dev", "web") || table.Contains("dev2", "db") {
		t.Error("the table does not know which pods it has")
	}
	if table.Without("dev", "db").Contains("dev", "db") {
		t.Error("a pod stays after it was taken away")
	}
}
