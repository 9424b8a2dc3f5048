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

// kubernetesPrograms are the names under which a Kubernetes runs, be it in
// parts or as a whole.
var kubernetesPrograms = []string{"kubelet", "kube-proxy", "kube-apiserver", "k3s", "k0s", "kubelite"}

// otherKubernetes returns the programs of another Kubernetes in the same
// network as this process, each as a sentence. They would fight over the packet
// filter and over ports.
func (c *Cluster) otherKubernetes() []string {
	pids, err := process.PIDs()
	if err != nil {
		return []string{err.Error()}
	}
	own := c.group.PIDs()
	var found []string
	for _, pid := range pids {
		name := kubernetesProgram(process.Arguments(pid))
		if name == "" || slices.Contains(own, pid) || !process.SameNetwork(pid) {
			continue
		}
		found = append(found, fmt.Sprintf(
			"another Kubernetes runs here: %s, process %d; stop it, or set KUBECONFIG and use that one", name, pid))
	}
	return found
}

// kubernetesProgram returns which program of Kubernetes a command line starts,
// or "".
func kubernetesProgram(arguments []string) string {
	const several = "kube" // is told by its first argument which one to be
	if len(arguments) > 1 && filepath.Base(arguments[0]) == several {
		arguments = arguments[1:]
	}
	if len(arguments) == 0 {
		return ""
	}
	if name := filepath.Base(arguments[0]); slices.Contains(kubernetesPrograms, name) {
		return name
	}
	return ""
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
