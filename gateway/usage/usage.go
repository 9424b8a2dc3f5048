// Package usage counts what visitors do at each pod, for the metrics. It holds
// figures only of pods that are in the route table, so their number is bounded
// by that of the pods, and a pod's go with it.
package usage

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/routes"
)

// Pod is what visitors have done at one pod since the process began.
type Pod struct {
	Requests    atomic.Int64 // over HTTP
	Connections atomic.Int64 // of other protocols
	Received    atomic.Int64 // bytes from visitors, without headers of HTTP
	Sent        atomic.Int64 // bytes to visitors, as above
}

// minSweep is how many pods are held before any of them is looked at again.
const minSweep = 64

type key struct{ tenantID, podID string }

// Pods counts for all pods. It is safe for concurrent use.
type Pods struct {
	routes func() *routes.Table

	mu   sync.RWMutex
	pods map[key]*Pod
	// sweepAt is at how many pods those that are gone are dropped.
	sweepAt int
}

// New returns a Pods that reads the current table, which may be nil, by routes.
// registerer takes the metrics; nil keeps them to the Pods.
func New(table func() *routes.Table, registerer prometheus.Registerer) *Pods {
	p := &Pods{routes: table, pods: map[key]*Pod{}, sweepAt: minSweep}
	if registerer != nil {
		registerer.MustRegister(p)
	}
	return p
}

// Of returns the figures of the pod that route leads to.
func (p *Pods) Of(route *routes.Route) *Pod {
	k := key{route.TenantID, route.PodID}
	p.mu.RLock()
	pod, found := p.pods[k]
	p.mu.RUnlock()
	if found {
		return pod
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pod, found = p.pods[k]; found {
		return pod
	}
	if len(p.pods) >= p.sweepAt {
		p.sweep()
		p.sweepAt = max(minSweep, 2*len(p.pods))
	}
	pod = &Pod{}
	p.pods[k] = pod
	return pod
}

// sweep drops the pods that are gone. Called with mu held.
func (p *Pods) sweep() {
	table := p.routes()
	if table == nil {
		return
	}
	maps.DeleteFunc(p.pods, func(k key, _ *Pod) bool { return !table.Contains(k.tenantID, k.podID) })
}

var (
	podLabels = []string{"tenant_id", "pod_id"}

	requests = prometheus.NewDesc("pods_gateway_pod_requests_total",
		"Requests of visitors for a pod.", podLabels, nil)
	connections = prometheus.NewDesc("pods_gateway_pod_connections_total",
		"Connections of visitors to a pod by other protocols than HTTP.", podLabels, nil)
	bytes = prometheus.NewDesc("pods_gateway_pod_bytes_total",
		"Bytes of bodies and connections, in from visitors and out to them.",
		append(podLabels[:len(podLabels):len(podLabels)], "direction"), nil)
)

// Describe implements prometheus.Collector.
func (p *Pods) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- requests
	descriptions <- connections
	descriptions <- bytes
}

// Collect implements prometheus.Collector.
func (p *Pods) Collect(metrics chan<- prometheus.Metric) {
	p.mu.Lock()
	p.sweep()
	pods := maps.Clone(p.pods)
	p.mu.Unlock()
	for k, pod := range pods {
		send := func(description *prometheus.Desc, value *atomic.Int64, labels ...string) {
			labels = append([]string{k.tenantID, k.podID}, labels...)
			metrics <- prometheus.MustNewConstMetric(description, prometheus.CounterValue, float64(value.Load()), labels...)
		}
		send(requests, &pod.Requests)
		send(connections, &pod.Connections)
		send(bytes, &pod.Received, "in")
		send(bytes, &pod.Sent, "out")
	}
}
