package lifecycle

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/network"
	"github.com/pods-service/pods/cluster/process"
)

// Check returns all that keeps this machine from running the cluster, each
// problem as a sentence that says what to do about it.
func (c *Cluster) Check() []string {
	problems := machine.Check(c.group)
	for _, file := range []string{c.layout.Kube(), c.layout.PauseTar(), c.layout.CoreDNSTar()} {
		if _, err := os.Stat(file); err != nil {
			problems = append(problems, fmt.Sprintf("%s is missing: build it with cluster build --out %s", file, c.layout.Bin))
		}
	}
	problems = append(problems, c.otherKubernetes()...)
	return append(problems, c.takenAddresses()...)
}

// otherKubernetes returns the programs of another Kubernetes in the same
// network as this process.
func (c *Cluster) otherKubernetes() []string {
	names := []string{"kubelet", "kube-proxy", "kube-apiserver", "k3s", "k0s", "microk8s"}
	pids, err := process.PIDs()
	if err != nil {
		return []string{err.Error()}
	}
	own := c.group.PIDs()
	var found []string
	for _, pid := range pids {
		if slices.Contains(own, pid) || !process.SameNetwork(pid) {
			continue
		}
		id, err := process.Identify(pid)
		if err != nil {
			continue // a thread of the kernel, or gone
		}
		if name := filepath.Base(id.Executable); slices.Contains(names, name) {
			found = append(found, fmt.Sprintf("another Kubernetes runs here: %s, process %d; stop it, or set KUBECONFIG and use that one", name, pid))
		}
	}
	return found
}

// takenAddresses returns the ports and address ranges the cluster needs and
// something else uses.
func (c *Cluster) takenAddresses() []string {
	taken, err := network.Clashes(
		[]netip.Prefix{components.NodeAddress.Masked(), components.ServiceRange, components.PodRange},
		components.NodeBridge, components.PodBridge)
	if err != nil {
		taken = append(taken, err.Error())
	}
	for _, port := range []int{components.APIPort, components.KubeletPort} {
		// The node's address is the cluster's own, so only a program that
		// listens on all addresses can be in the way.
		if network.ListensEverywhere(port) {
			taken = append(taken, "port "+strconv.Itoa(port)+" is taken by a program that listens on all addresses: stop it")
		}
	}
	return taken
}

// Problems formats what Check returned.
func Problems(problems []string) string {
	return "this machine cannot run the cluster:\n  - " + strings.Join(problems, "\n  - ")
}
