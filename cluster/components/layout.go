// Package components describes what the local cluster is made of: its folders
// and addresses, its certificates, the configuration files and the command
// line of every program. It starts nothing.
package components

import (
	"net/netip"
	"path/filepath"
)

// Node is the name of the only node.
const Node = "node1"

// Domain is the DNS domain of the cluster's services.
const Domain = "cluster.local"

// Network is the name the network plugins know the cluster's pods under.
const Network = "pods-cluster"

// The two bridges: NodeBridge carries the node's address, PodBridge connects
// the pods.
const (
	NodeBridge = "pods-node0"
	PodBridge  = "pods-cni0"
)

// Addresses the cluster uses. No other machine can reach any of them.
var (
	NodeAddress  = netip.MustParsePrefix("10.99.0.1/24")
	ServiceRange = netip.MustParsePrefix("10.96.0.0/16")
	PodRange     = netip.MustParsePrefix("10.244.0.0/16")

	apiServiceAddress = netip.MustParseAddr("10.96.0.1") // always the first of the range
	dnsAddress        = netip.MustParseAddr("10.96.0.10")
)

// Ports on NodeAddress. Nothing listens on an address other machines reach.
const (
	APIPort     = 6443
	KubeletPort = 10250
)

// PublicPort is where Knative's ingress answers, on the machine's loopback
// address only.
const PublicPort = 8080

// Images that come with the cluster.
const (
	PauseImage   = "dev.local/pause:1"
	CoreDNSImage = "dev.local/coredns:1"
	TraefikImage = "dev.local/traefik:1" // with Knative
)

// LogFolder is the folder in State that holds the logs.
const LogFolder = "logs"

// Layout says where on this machine the cluster keeps its files.
type Layout struct {
	// State holds everything that lives as long as the cluster. It may grow
	// to gigabytes.
	State string
	// Run holds sockets and process records. Its path must be short: a Unix
	// socket's may have 107 bytes.
	Run string
	// Bin holds the programs kube, coredns and pause, and their images.
	Bin string
}

// Kubeconfig is the administrator's client configuration.
func (l Layout) Kubeconfig() string { return l.kubeconfig(admin) }

// Containerd is the address of the container runtime's socket.
func (l Layout) Containerd() string { return filepath.Join(l.Run, "containerd.sock") }

// EtcdSocket is the address of the store.
func (l Layout) EtcdSocket() string { return filepath.Join(l.Run, "etcd.sock") }

// Kube is the path of the program that holds all of Kubernetes.
func (l Layout) Kube() string { return filepath.Join(l.Bin, "kube") }

// PauseTar and CoreDNSTar are the images that come with the cluster.
func (l Layout) PauseTar() string { return filepath.Join(l.Bin, "pause.tar") }

// CoreDNSTar is the image of the DNS server.
func (l Layout) CoreDNSTar() string { return filepath.Join(l.Bin, "coredns.tar") }

// KnativeImages are the files with the images of Knative and its ingress.
func (l Layout) KnativeImages() []string {
	return []string{filepath.Join(l.Bin, "knative.tar"), filepath.Join(l.Bin, "traefik.tar")}
}

// KnativeManifests is the folder with the Kubernetes objects of Knative.
func (l Layout) KnativeManifests() string { return filepath.Join(l.Bin, "knative") }

// Sysctls records the kernel settings from before the cluster.
func (l Layout) Sysctls() string { return filepath.Join(l.State, "sysctls.json") }

// Log is where the component writes what it has to say.
func (l Layout) Log(component string) string {
	return filepath.Join(l.State, LogFolder, component+".log")
}

// Record is the file that says which process the component is.
func (l Layout) Record(component string) string {
	return filepath.Join(l.Run, component+".pid")
}

// Tasks is the folder in which the container runtime describes what it runs.
func (l Layout) Tasks() string {
	return filepath.Join(l.containerdState(), "io.containerd.runtime.v2.task", "k8s.io")
}

// Sandboxes is the folder with the network namespaces of all pods.
func (l Layout) Sandboxes() string {
	return filepath.Join(l.containerdState(), "io.containerd.grpc.v1.cri", "netns")
}

// PodLogs holds the output of containers.
func (l Layout) PodLogs() string { return filepath.Join(l.State, "pod-logs") }

// Cgroup is the name of the control group all of the cluster runs in. It always
// starts the same way, because all in that group is killed in the end.
func (l Layout) Cgroup() string {
	const usual = "pods-cluster"
	if name := filepath.Base(l.Run); name != usual {
		return usual + "-" + name
	}
	return usual
}

// Folders returns every folder the components expect, parents first.
func (l Layout) Folders() []string {
	return []string{
		l.State, l.Run,
		l.pki(), l.config(), l.cni(), l.kubelet(), l.plugins(), l.PodLogs(), filepath.Join(l.State, LogFolder),
	}
}

func (l Layout) pki() string             { return filepath.Join(l.State, "pki") }
func (l Layout) config() string          { return filepath.Join(l.State, "config") }
func (l Layout) cni() string             { return filepath.Join(l.State, "cni") }
func (l Layout) addresses() string       { return filepath.Join(l.State, "addresses") }
func (l Layout) etcd() string            { return filepath.Join(l.State, "etcd") }
func (l Layout) kubelet() string         { return filepath.Join(l.State, "kubelet") }
func (l Layout) plugins() string         { return filepath.Join(l.State, "volume-plugins") }
func (l Layout) containerdRoot() string  { return filepath.Join(l.State, "containerd") }
func (l Layout) containerdState() string { return filepath.Join(l.Run, "containerd") }
func (l Layout) runc() string            { return filepath.Join(l.Run, "runc") }

func (l Layout) certificate(name string) string { return filepath.Join(l.pki(), name+".crt") }
func (l Layout) key(name string) string         { return filepath.Join(l.pki(), name+".key") }

func (l Layout) kubeconfig(user string) string {
	if user == admin {
		return filepath.Join(l.State, "kubeconfig")
	}
	return filepath.Join(l.config(), user+".kubeconfig")
}
