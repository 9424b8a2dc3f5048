package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/machine"
)

// DefaultTimeout bounds one start from nothing on ordinary machines. A small one
// with nothing else to do takes a tenth of it.
const DefaultTimeout = 3 * time.Minute

// Up starts the cluster and returns once it can run pods, or fails when it cannot
// within the timeout. When it runs already, Up only says so. Whatever a run that did not end well has left behind, and
// everything that was in that cluster, is removed first.
//
// When starting fails everything is stopped again, and only the logs stay.
func (c *Cluster) Up(ctx context.Context, timeout time.Duration) error {
	if err := needRoot("starting a cluster"); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return c.up(ctx, timeout)
}

// up is Up for a caller that has locked the cluster.
func (c *Cluster) up(ctx context.Context, timeout time.Duration) error {
	if c.recovers(ctx) {
		c.report("the cluster is running already, at %s", components.APIAddress())
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // before anything is removed
	}
	if err := machine.RestorePolicy(); err != nil {
		return err
	}
	if problems := c.Check(); len(problems) > 0 {
		return errors.New(Problems(problems))
	}
	if c.leftovers() {
		if err := c.clean(ctx); err != nil {
			return fmt.Errorf("remove what is left of the last cluster: %w", err)
		}
		c.report("removed what was left of the last cluster")
	}

	limited, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not within %s", timeout))
	defer cancel()
	if err := c.bring(limited); err != nil {
		if ctx.Err() != nil { // then how far it came says nothing
			err = context.Cause(ctx)
		}
		// The caller may have given up, but what was started must go.
		cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(fmt.Errorf("start the cluster: %w", err), c.clean(cleaning, components.LogFolder))
	}
	c.report("ready: %s, KUBECONFIG=%s", components.APIAddress(), c.layout.Kubeconfig())
	return nil
}

// recovers reports whether the cluster runs. One whose parts all run may be busy
// or just be waking up with its machine, so it gets a while to become ready: to
// replace it would lose all that is in it.
func (c *Cluster) recovers(ctx context.Context) bool {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for told := false; ; {
		status := c.status(ctx)
		if status.Up() {
			return true
		}
		if !status.complete() {
			return false
		}
		if !told {
			c.report("the cluster runs but is not ready; waiting %s for it", patience)
			told = true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
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
	if err := c.apply(ctx, c.layout.CoreDNSManifest()); err != nil {
		return fmt.Errorf("create CoreDNS: %w", err)
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
