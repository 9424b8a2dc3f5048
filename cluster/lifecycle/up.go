package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/images"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/network"
)

// upTimeout bounds one start from nothing. It takes a tenth of that on a small
// machine with nothing else to do.
const upTimeout = 3 * time.Minute

var errTooLong = fmt.Errorf("not within %s", upTimeout)

// Up starts the cluster and returns once it can run pods. When it runs already,
// Up only says so. Whatever a run that did not end well has left behind, and
// everything that was in that cluster, is removed first.
//
// When starting fails everything is stopped again, and only the logs stay.
func (c *Cluster) Up(ctx context.Context) error {
	if err := needRoot("starting a cluster"); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	status := c.status(ctx)
	if status.Up() {
		c.report("the cluster is running already, at %s", status.Address)
		return nil
	}
	if problems := c.Check(); len(problems) > 0 {
		return errors.New(Problems(problems))
	}
	if c.leftovers() {
		if err := c.clean(ctx, everything); err != nil {
			return fmt.Errorf("remove what is left of the last cluster: %w", err)
		}
		c.report("removed what was left of the last cluster")
	}

	ctx, cancel := context.WithTimeoutCause(ctx, upTimeout, errTooLong)
	defer cancel()
	if err := c.bring(ctx); err != nil {
		// The caller may have given up, but what was started must go.
		cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(fmt.Errorf("start the cluster: %w", err), c.clean(cleaning, allButLogs))
	}
	c.report("ready: %s, KUBECONFIG=%s", components.APIAddress(), c.layout.Kubeconfig())
	return nil
}

// bring starts everything, in the order in which each can find what it needs.
func (c *Cluster) bring(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	c.report("folders, certificates and network made")

	base := map[string]*child{}
	for _, name := range []string{components.Etcd, components.Containerd, components.APIServer} {
		started, err := c.start(name)
		if err != nil {
			return err
		}
		base[name] = &child{Child: started, name: name}
	}
	if err := c.loadOwnImages(ctx, base[components.Containerd]); err != nil {
		return err
	}
	api, err := newAPI(c.layout)
	if err != nil {
		return err
	}
	if err := c.await(ctx, "wait for the API server", base[components.APIServer], api.ready); err != nil {
		return err
	}
	c.report("etcd, containerd and the API server run")

	// The controller manager ends at once when the API server is not ready.
	rest := map[string]*child{}
	for _, name := range []string{components.ControllerManager, components.Scheduler, components.Kubelet, components.KubeProxy} {
		started, err := c.start(name)
		if err != nil {
			return err
		}
		rest[name] = &child{Child: started, name: name}
	}
	if err := c.applyDNS(ctx); err != nil {
		return err
	}
	return c.awaitReady(ctx, api, rest)
}

// awaitReady waits for what a user of the cluster counts on.
func (c *Cluster) awaitReady(ctx context.Context, api api, rest map[string]*child) error {
	if err := c.await(ctx, "wait for the node", rest[components.Kubelet], api.nodeReady); err != nil {
		return err
	}
	c.report("the node is ready")
	if err := c.await(ctx, "wait for the default service account", rest[components.ControllerManager], api.podsAllowed); err != nil {
		return err
	}
	if err := c.await(ctx, "wait for CoreDNS", rest[components.Kubelet], api.dnsReady); err != nil {
		return err
	}
	c.report("CoreDNS answers")
	return nil
}

// prepare makes all that must be there before the first component starts.
func (c *Cluster) prepare() error {
	if err := claim(c.layout.State); err != nil {
		return err
	}
	for _, folder := range c.layout.Folders() {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make the cluster's folders: %w", err)
		}
	}
	if err := machine.SetSysctls(c.layout.Sysctls()); err != nil {
		return err
	}
	if err := c.group.Child("system").Create(); err != nil {
		return err
	}
	if err := network.EnsureBridge(components.NodeBridge, components.NodeAddress, components.ServiceRange); err != nil {
		return err
	}
	if err := c.layout.WriteCredentials(); err != nil {
		return err
	}
	return c.layout.WriteConfig(machineConfig())
}

// machineConfig finds what the configuration files need to know of the machine.
func machineConfig() components.Config {
	// Where a resolver runs on the machine itself, this names the real servers.
	const behindResolver = "/run/systemd/resolve/resolv.conf"
	config := components.Config{PluginFolder: machine.NetworkPlugins(), ResolvConf: "/etc/resolv.conf"}
	if _, err := os.Stat(behindResolver); err == nil {
		config.ResolvConf = behindResolver
	}
	content, err := os.ReadFile(config.ResolvConf)
	if err != nil {
		config.ResolvConf = os.DevNull
	}
	config.DNSServers = components.DNSServers(string(content))
	return config
}

// loadOwnImages loads the images without which no pod starts.
func (c *Cluster) loadOwnImages(ctx context.Context, containerd *child) error {
	if err := c.await(ctx, "wait for containerd", containerd, dial(c.layout.Containerd())); err != nil {
		return err
	}
	for _, path := range []string{c.layout.PauseTar(), c.layout.CoreDNSTar()} {
		if _, err := c.runtime().Load(ctx, path); err != nil {
			return fmt.Errorf("%w%s", err, c.logTail(components.Containerd))
		}
	}
	return nil
}

// dial returns a check that a program listens on a Unix socket.
func dial(socket string) func(context.Context) error {
	return func(ctx context.Context) error {
		connection, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil {
			return err
		}
		return connection.Close()
	}
}

// Load loads an image file into the running cluster and returns the names of
// the images in it.
func (c *Cluster) Load(ctx context.Context, path string) ([]string, error) {
	if _, found := c.running()[components.Containerd]; !found {
		return nil, errors.New("the cluster is not running: start it with cluster up")
	}
	return c.runtime().Load(ctx, path)
}

func (c *Cluster) runtime() images.Runtime {
	return images.Runtime{Client: machine.FindTool("ctr"), Socket: c.layout.Containerd()}
}

// applyDNS creates the objects of the DNS server.
func (c *Cluster) applyDNS(ctx context.Context) error {
	command := exec.CommandContext(ctx, c.layout.Kube(), "kubectl", "--kubeconfig="+c.layout.Kubeconfig(),
		"apply", "--server-side", "-f", c.layout.CoreDNSManifest())
	command.Env = append(os.Environ(), "HOME="+c.layout.State) // where it keeps a cache
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("create CoreDNS: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// ownerFile marks a folder as one that may be deleted with all that is in it.
const ownerFile = ".pods-cluster"

// claim makes the folder and marks it. It refuses one with anything else in it.
func claim(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look into the cluster's folder: %w", err)
	}
	mark := filepath.Join(folder, ownerFile)
	if _, err := os.Stat(mark); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and not a cluster's: choose another folder", folder)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return fmt.Errorf("mark the cluster's folder: %w", err)
	}
	return nil
}

func needRoot(what string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s needs root", what)
	}
	return nil
}
