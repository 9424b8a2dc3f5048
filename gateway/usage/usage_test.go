package usage_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

func newPod(id string) pods.Pod {
	networking := pods.WithURLs(map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()}, id, "pods.localhost")
	return pods.Pod{TenantID: "dev", ID: id, Status: pods.StatusStopped, CreationTS: time.Unix(0, 0), Spec: pods.Spec{Networking: networking}}
}

func routeOf(id string) *routes.Route { return &routes.Route{TenantID: "dev", PodID: id} }

func TestFiguresGoWithThePod(t *testing.T) {
	t.Parallel()

	table := routes.Build([]pods.Pod{newPod("db"), newPod("web")})
	registry := prometheus.NewRegistry()
	figures := usage.New(func() *routes.Table { return table }, registry)
	figures.Of(routeOf("db")).Requests.Add(2)
	figures.Of(routeOf("db")).Sent.Add(5)
	figures.Of(routeOf("web")).Connections.Add(1)
	figures.Of(routeOf("gone")).Requests.Add(1)
	table = table.Without("dev", "web")
	const want = `
# HELP pods_gateway_pod_bytes_total Bytes of bodies and connections, in from visitors and out to them.
# TYPE pods_gateway_pod_bytes_total counter
pods_gateway_pod_bytes_total{direction="in",pod_id="db",tenant_id="dev"} 0
pods_gateway_pod_bytes_total{direction="out",pod_id="db",tenant_id="dev"} 5
# HELP pods_gateway_pod_connections_total Connections of visitors to a pod by other protocols than HTTP.
# TYPE pods_gateway_pod_connections_total counter
pods_gateway_pod_connections_total{pod_id="db",tenant_id="dev"} 0
# HELP pods_gateway_pod_requests_total Requests of visitors for a pod.
# TYPE pods_gateway_pod_requests_total counter
pods_gateway_pod_requests_total{pod_id="db",tenant_id="dev"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// TestNobodyAsks: pods that come and go cost nothing for good, even when no
// metrics are read.
func TestNobodyAsks(t *testing.T) {
	t.Parallel()

	empty := &routes.Table{}
	figures := usage.New(func() *routes.Table { return empty }, nil)
	first := figures.Of(routeOf("pod0"))
	for i := range 1000 {
		figures.Of(routeOf(fmt.Sprintf("pod%d", i)))
	}
	if figures.Of(routeOf("pod0")) == first {
		t.Error("the figures of a pod that is gone are still there")
	}
}
