package components

import (
	"slices"

	"github.com/pods-service/pods/cluster/process"
)

// Names of the components that are not also the name of a certificate.
const (
	Etcd              = "etcd"
	Containerd        = "containerd"
	APIServer         = apiServer
	ControllerManager = controllerManager
	Scheduler         = scheduler
	Kubelet           = kubelet
	KubeProxy         = kubeProxy
)

// Names lists the components that are processes on this machine, in the order
// they start. CoreDNS is not one: it runs in a pod.
func Names() []string {
	return []string{Etcd, Containerd, APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy}
}

// IsName reports whether a component has that name.
func IsName(name string) bool { return slices.Contains(Names(), name) }

// Command returns how to start a component. containerd is the path of the
// machine's container runtime, and searchPath the PATH all of them get.
func (l Layout) Command(name, containerd, searchPath string) process.Command {
	command := process.Command{
		Path: l.Kube(),
		Env:  []string{"PATH=" + searchPath, "HOME=" + l.State},
		Dir:  l.State,
		Log:  l.Log(name),
	}
	if name == Containerd {
		command.Path = containerd
		command.Args = []string{"--config", l.containerdConfig()}
		return command
	}
	command.Args = append([]string{name}, l.arguments(name)...)
	return command
}

// arguments returns the command line of a component that is part of kube.
func (l Layout) arguments(name string) []string {
	switch name {
	case Etcd:
		return []string{"--data-dir=" + l.etcd(), "--socket=" + l.EtcdSocket()}
	case APIServer:
		return l.apiServerArguments()
	case ControllerManager:
		return append(l.controllerArguments(ControllerManager),
			"--service-account-private-key-file="+l.key(serviceAccounts),
			"--root-ca-file="+l.certificate(authority),
			"--cluster-signing-cert-file="+l.certificate(authority),
			"--cluster-signing-key-file="+l.key(authority),
			"--use-service-account-credentials=true",
			"--flex-volume-plugin-dir="+l.plugins(), // it would make one below /usr
			"--kube-api-qps=200", "--kube-api-burst=400",
		)
	case Scheduler:
		return append(l.controllerArguments(Scheduler), "--kube-api-qps=200", "--kube-api-burst=400")
	case Kubelet:
		return []string{
			"--config=" + l.kubeletConfig(),
			"--kubeconfig=" + l.kubeconfig(kubelet),
			"--root-dir=" + l.kubelet(),
			"--cert-dir=" + l.pki(),
			"--hostname-override=" + Node,
			"--node-ip=" + NodeAddress.Addr().String(),
		}
	case KubeProxy:
		return []string{"--config=" + l.kubeProxyConfig()}
	}
	return nil
}

// controllerArguments returns what the controller manager and the scheduler
// have in common. They listen nowhere: nobody asks them, and the port could be
// taken.
func (l Layout) controllerArguments(name string) []string {
	kubeconfig := l.kubeconfig(name)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
	}
}
