package lifecycle

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pods-service/pods/cluster/components"
)

// Status says how the cluster is.
type Status struct {
	Components []ComponentStatus `json:"components"`
	APIReady   bool              `json:"api_ready"`
	NodeReady  bool              `json:"node_ready"`
	DNSReady   bool              `json:"dns_ready"`
	Node       string            `json:"node"`
	Address    string            `json:"address"` // of the API server
	Kubeconfig string            `json:"kubeconfig"`
	// Knative is nil when it is not part of the cluster.
	Knative *KnativeStatus `json:"knative,omitempty"`
}

// ComponentStatus says whether a component runs, and as which process.
type ComponentStatus struct {
	Name string `json:"name"`
	PID  int    `json:"pid,omitempty"` // 0 when it does not run
}

// Working reports whether all of the cluster works, Knative included if it is
// there.
func (s Status) Working() bool {
	return s.Up() && (s.Knative == nil || len(s.Knative.NotReady) == 0)
}

// Up reports whether every part of Kubernetes works.
func (s Status) Up() bool {
	return s.complete() && s.APIReady && s.NodeReady && s.DNSReady
}

// complete reports whether every component runs, working or not.
func (s Status) complete() bool {
	for _, component := range s.Components {
		if component.PID == 0 {
			return false
		}
	}
	return true
}

// Status looks at every part of the cluster. It takes a few seconds at most.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	if err := needRoot("looking at the cluster"); err != nil {
		return Status{}, err
	}
	return c.status(ctx), nil
}

func (c *Cluster) status(ctx context.Context) Status {
	status := Status{
		Node:       components.Node,
		Address:    components.APIAddress(),
		Kubeconfig: c.layout.Kubeconfig(),
	}
	running := c.running()
	for _, name := range components.Names() {
		status.Components = append(status.Components, ComponentStatus{Name: name, PID: running[name].PID})
	}
	api, err := newAPI(c.layout)
	if _, serving := running[components.APIServer]; err != nil || !serving {
		return status
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status.APIReady = api.ready(ctx) == nil
	if status.APIReady {
		status.NodeReady = api.nodeReady(ctx) == nil
		status.DNSReady = api.dnsReady(ctx) == nil
		if api.knativeApplied(ctx) == nil {
			status.Knative = api.knativeStatus(ctx)
		}
	}
	return status
}

// Print writes the status for a person to read.
func (s Status) Print(out io.Writer) {
	for _, component := range s.Components {
		state := "down"
		if component.PID != 0 {
			state = fmt.Sprintf("up    pid %d", component.PID)
		}
		fmt.Fprintf(out, "%-24s %s\n", component.Name, state)
	}
	for _, part := range []struct {
		name  string
		ready bool
	}{{"API", s.APIReady}, {"node " + s.Node, s.NodeReady}, {"CoreDNS", s.DNSReady}} {
		state := "not ready"
		if part.ready {
			state = "ready"
		}
		fmt.Fprintf(out, "%-24s %s\n", part.name, state)
	}
	fmt.Fprintf(out, "%-24s %s\n%-24s %s\n", "address", s.Address, "kubeconfig", s.Kubeconfig)
	if s.Knative == nil {
		return
	}
	state := "ready"
	if open := s.Knative.NotReady; len(open) > 0 {
		state = "not ready: " + strings.Join(open, ", ")
	}
	fmt.Fprintf(out, "%-24s %s\n%-24s %s\n", "Knative", state, "Knative's ingress", s.Knative.Address)
}
