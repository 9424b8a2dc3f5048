package routes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

const domain = "pods.localhost"

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newPod returns an AVAILABLE pod with one HTTP port.
func newPod(tenantID, id string, change ...func(*pods.Pod)) pods.Pod {
	pod := pods.Pod{
		TenantID: tenantID, SiteID: "local", ID: id, Status: pods.StatusAvailable, Address: "10.1.2.3", CreationTS: created,
		Spec: pods.Spec{Networking: map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()}},
	}
	for _, c := range change {
		c(&pod)
	}
	pod.Networking = pods.WithURLs(pod.Networking, id, domain)
	return pod
}

func podList(all ...pods.Pod) []pods.Pod { return all }

// entryWith changes one networking entry after its URL was set.
func entryWith(pod pods.Pod, key string, change func(*pods.Networking)) pods.Pod {
	pod.Spec = pod.Clone()
	networking, found := pod.Networking[key]
	if !found {
		networking = pods.NewNetworking()
		networking.URL = pods.Host(pod.ID, key, domain)
	}
	change(&networking)
	pod.Networking[key] = networking
	return pod
}

func TestBuildStates(t *testing.T) {
	t.Parallel()

	want := map[pods.Status]routes.State{
		pods.StatusRequested: routes.StateStarting, pods.StatusSpawnerSetup: routes.StateStarting,
		pods.StatusCreating: routes.StateStarting, pods.StatusAvailable: routes.StateServing,
		pods.StatusDeleting: routes.StateStopping, pods.StatusStopped: routes.StateStopped,
		pods.StatusError: routes.StateError, pods.StatusComplete: routes.StateComplete,
	}
	for _, status := range pods.Statuses {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()

			pod := newPod("dev", "db", func(p *pods.Pod) { p.Status = status })
			route, found := routes.Build(podList(pod)).Lookup("db.pods.localhost")
			if !found {
				t.Fatal("the pod has no route")
			}
			expected := &routes.Route{
				Host: "db.pods.localhost", TenantID: "dev", PodID: "db", Key: "default", Protocol: "http",
				Status: status, State: want[status], Networking: pod.Networking["default"],
			}
			if status == pods.StatusAvailable {
				expected.Target = "10.1.2.3:5000"
			}
			if diff := cmp.Diff(expected, route); diff != "" {
				t.Errorf("route (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildEveryEntry(t *testing.T) {
	t.Parallel()

	pod := newPod("dev", "db")
	pod = entryWith(pod, "bolt", func(n *pods.Networking) { n.Protocol, n.Port = pods.ProtocolTCP, 7687 })
	pod = entryWith(pod, "sql", func(n *pods.Networking) { n.Protocol, n.Port = pods.ProtocolPostgres, 5432 })
	pod = entryWith(pod, "inside", func(n *pods.Networking) { n.Protocol, n.Port = pods.ProtocolLocalOnly, 9000 })
	pod.Address = "fd00::7"
	table := routes.Build(podList(pod))

	var got []string
	for route := range table.All() {
		got = append(got, route.Host+" "+route.Protocol+" "+route.Target)
	}
	want := []string{
		"db-bolt.pods.localhost tcp [fd00::7]:7687",
		"db-sql.pods.localhost postgres [fd00::7]:5432",
		"db.pods.localhost http [fd00::7]:5000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	if table.Len() != 3 || len(table.Problems()) != 0 {
		t.Errorf("%d routes, problems %v, want 3 and none", table.Len(), table.Problems())
	}
}

// TestBuildBadValue: a value that no check has caught costs its own entry only.
func TestBuildBadValue(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change     func(*pods.Pod, *pods.Networking)
		wantReason string
		wantRoute  bool
	}{
		"Protocol":    {func(_ *pods.Pod, n *pods.Networking) { n.Protocol = "udp" }, `unknown protocol "udp"`, false},
		"NoURL":       {func(_ *pods.Pod, n *pods.Networking) { n.URL = "" }, `url "" is not a host name`, false},
		"URLPort":     {func(_ *pods.Pod, n *pods.Networking) { n.URL = "bad.localhost:80" }, `url "bad.localhost:80" is not a host name`, false},
		"URLQuote":    {func(_ *pods.Pod, n *pods.Networking) { n.URL = "a`b" }, "url \"a`b\" is not a host name", false},
		"PortZero":    {func(_ *pods.Pod, n *pods.Networking) { n.Port = 0 }, "port 0 is not between 1 and 65535", false},
		"PortTooHigh": {func(_ *pods.Pod, n *pods.Networking) { n.Port = 65536 }, "port 65536 is not between 1 and 65535", false},
		"Status":      {func(p *pods.Pod, _ *pods.Networking) { p.Status = "LOST" }, `unknown status "LOST"`, false},
		"NoAddress":   {func(p *pods.Pod, _ *pods.Networking) { p.Address = "" }, `address "" is not the IP address of a pod`, true},
		"NamedAddress": {
			func(p *pods.Pod, _ *pods.Networking) { p.Address = "evil.example" },
			`address "evil.example" is not the IP address of a pod`, true,
		},
		"Unspecified": {func(p *pods.Pod, _ *pods.Networking) { p.Address = "0.0.0.0" }, `address "0.0.0.0" is not the IP address of a pod`, true},
		"Zone": {
			func(p *pods.Pod, _ *pods.Networking) { p.Address = "fe80::1%eth0" },
			`address "fe80::1%eth0" is not the IP address of a pod`, true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			bad := newPod("dev", "bad")
			networking := bad.Networking["default"]
			tc.change(&bad, &networking)
			bad.Networking["default"] = networking
			table := routes.Build(podList(newPod("dev", "before"), bad, newPod("dev2", "after")))

			want := []routes.Problem{{TenantID: "dev", PodID: "bad", Key: "default", Reason: tc.wantReason}}
			if diff := cmp.Diff(want, table.Problems()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, table.ProblemsOf("dev", "bad")); diff != "" {
				t.Errorf("problems of the pod (-want +got):\n%s", diff)
			}
			for _, host := range []string{"before.pods.localhost", "after.pods.localhost"} {
				if route, found := table.Lookup(host); !found || route.State != routes.StateServing {
					t.Errorf("%s does not serve", host)
				}
			}
			route, found := table.Lookup("bad.pods.localhost")
			if found != tc.wantRoute || found && (route.State != routes.StateStarting || route.Target != "") {
				t.Errorf("bad pod: found %t, route %+v", found, route)
			}
		})
	}
}

// TestHostOfOlderPod: nobody takes a host from the pod that has it, and it
// falls to the next in age when that pod goes.
func TestHostOfOlderPod(t *testing.T) {
	t.Parallel()

	older := newPod("dev2", "db", func(p *pods.Pod) { p.CreationTS = created.Add(-time.Hour) })
	younger := newPod("dev", "db")
	for name, all := range map[string][]pods.Pod{"OlderFirst": {older, younger}, "YoungerFirst": {younger, older}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			table := routes.Build(all)
			if route, _ := table.Lookup("db.pods.localhost"); route.TenantID != "dev2" {
				t.Errorf("the host leads to %s", route.TenantID)
			}
			want := []routes.Problem{{
				TenantID: "dev", PodID: "db", Key: "default", Reason: "host db.pods.localhost belongs to pod dev2/db, which is older",
			}}
			if diff := cmp.Diff(want, table.Problems()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			table = table.Without("dev2", "db")
			if route, found := table.Lookup("db.pods.localhost"); !found || route.TenantID != "dev" || len(table.Problems()) != 0 {
				t.Errorf("without the older pod: found %t, %+v, problems %v", found, route, table.Problems())
			}
		})
	}
}

func TestWithSameIsSame(t *testing.T) {
	t.Parallel()

	table := routes.Build(podList(newPod("dev", "db")))
	if table.With(newPod("dev", "db")) != table {
		t.Error("With of an equal pod made another table")
	}
	if table.Without("dev2", "db") != table {
		t.Error("Without of an unknown pod made another table")
	}
	// The store's own times and words change often and are not routed.
	same := newPod("dev", "db", func(p *pods.Pod) { p.UpdateTS, p.Description = created, "new" })
	if table.With(same) != table {
		t.Error("With of a pod that is routed the same made another table")
	}
	var empty routes.Table
	if got := table.Without("dev", "db"); got.Version() != empty.Version() || got.Len() != 0 {
		t.Errorf("emptied table has version %s and %d routes", got.Version(), got.Len())
	}
}

// TestChangesEqualBuild makes random changes one by one and expects after each
// what Build makes of the same pods, and that older tables keep their content.
func TestChangesEqualBuild(t *testing.T) {
	t.Parallel()

	random := rand.New(rand.NewPCG(1, 2))
	table, present := &routes.Table{}, map[string]pods.Pod{}
	for step := range 500 {
		tenantID, id := fmt.Sprintf("t%d", random.IntN(3)), fmt.Sprintf("pod%d", random.IntN(20))
		previous, previousVersion, previousLen := table, table.Version(), table.Len()
		if random.IntN(3) == 0 {
			table = table.Without(tenantID, id)
			delete(present, tenantID+id)
		} else {
			pod := randomPod(random, tenantID, id)
			table = table.With(pod)
			present[tenantID+id] = pod
		}
		want := routes.Build(slices.Collect(valuesOf(present)))
		if diff := cmp.Diff(slices.Collect(want.All()), slices.Collect(table.All())); diff != "" {
			t.Fatalf("step %d: routes (-built +changed):\n%s", step, diff)
		}
		if want.Version() != table.Version() || want.Len() != table.Len() {
			t.Fatalf("step %d: version %s, %d routes, want %s, %d", step, table.Version(), table.Len(), want.Version(), want.Len())
		}
		if diff := cmp.Diff(want.Problems(), table.Problems()); diff != "" {
			t.Fatalf("step %d: problems (-built +changed):\n%s", step, diff)
		}
		if previous.Version() != previousVersion || previous.Len() != previousLen || len(slices.Collect(previous.All())) != previousLen {
			t.Fatalf("step %d changed an older table", step)
		}
	}
}

func randomPod(random *rand.Rand, tenantID, id string) pods.Pod {
	pod := newPod(tenantID, id, func(p *pods.Pod) {
		p.Status = pods.Statuses[random.IntN(len(pods.Statuses))]
		p.CreationTS = created.Add(time.Duration(random.IntN(3)) * time.Hour)
		p.Address = fmt.Sprintf("10.0.0.%d", random.IntN(3))
	})
	if random.IntN(2) == 0 {
		pod = entryWith(pod, "other", func(n *pods.Networking) { n.Port = random.IntN(3) })
	}
	return pod
}

func valuesOf(present map[string]pods.Pod) func(func(pods.Pod) bool) {
	return func(yield func(pods.Pod) bool) {
		for _, pod := range present { // in any order
			if !yield(pod) {
				return
			}
		}
	}
}

func TestVersionFollowsContent(t *testing.T) {
	t.Parallel()

	base := routes.Build(podList(newPod("dev", "db"), newPod("dev", "web")))
	tests := map[string]pods.Pod{
		"Status":     newPod("dev", "db", func(p *pods.Pod) { p.Status = pods.StatusDeleting }),
		"Address":    newPod("dev", "db", func(p *pods.Pod) { p.Address = "10.1.2.4" }),
		"Networking": entryWith(newPod("dev", "db"), "default", func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.1"} }),
		"Header": entryWith(newPod("dev", "db"), "default", func(n *pods.Networking) {
			n.TapisAuthResponseHeaders = map[string]string{"X-User": "<<tapisusername>>"}
		}),
		"NewPod": newPod("dev", "third"),
	}
	for name, pod := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if base.With(pod).Version() == base.Version() {
				t.Error("the version did not change")
			}
			if back := base.With(pod).Without("dev", "third").With(newPod("dev", "db")); back.Version() != base.Version() {
				t.Error("the version does not come back with the content")
			}
		})
	}
}

func TestNetworking(t *testing.T) {
	t.Parallel()

	pod := entryWith(newPod("dev", "db"), "bolt", func(n *pods.Networking) { n.Protocol, n.Port = pods.ProtocolTCP, 7687 })
	want := map[string]pods.Networking{"default": pod.Networking["default"], "bolt": pod.Networking["bolt"]}
	pod = entryWith(pod, "inside", func(n *pods.Networking) { n.Protocol = pods.ProtocolLocalOnly })
	table := routes.Build(podList(pod, newPod("dev2", "db"))) // which does not get the host
	if diff := cmp.Diff(want, table.Networking("dev", "db")); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if got := table.Networking("dev2", "db"); len(got) != 1 {
		t.Errorf("entries of the pod without a host: %v", got)
	}
	if got := table.Networking("dev", "none"); len(got) != 0 {
		t.Errorf("entries of no pod: %v", got)
	}
}

// TestRouteSharesNothing: what the caller does to the pod later stays outside.
func TestRouteSharesNothing(t *testing.T) {
	t.Parallel()

	pod := entryWith(newPod("dev", "db"), "default", func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.1"} })
	table := routes.Build(podList(pod))
	pod.Networking["default"].IPAllowList[0] = "0.0.0.0/0"
	if route, _ := table.Lookup("db.pods.localhost"); route.Networking.IPAllowList[0] != "10.0.0.1" {
		t.Error("the route follows changes made to the pod")
	}
}
