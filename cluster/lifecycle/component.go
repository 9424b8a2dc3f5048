package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/process"
)

// startTimeout bounds the start of one component of a running cluster.
const startTimeout = time.Minute

// StopComponent ends one component of the cluster and leaves the others alone,
// to see how a program gets along without it. It may take grace to end by
// itself; without grace it is killed. One that does not run is success.
func (c *Cluster) StopComponent(ctx context.Context, name string, grace time.Duration) error {
	return c.change(ctx, name, func() error { return c.stop(ctx, name, grace) })
}

// StartComponent starts one component of the cluster and waits until it works.
// One that runs is success.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	return c.change(ctx, name, func() error { return c.resume(ctx, name) })
}

// RestartComponent is StopComponent and StartComponent without a gap for
// another command.
func (c *Cluster) RestartComponent(ctx context.Context, name string, grace time.Duration) error {
	return c.change(ctx, name, func() error {
		if err := c.stop(ctx, name, grace); err != nil {
			return err
		}
		return c.resume(ctx, name)
	})
}

// change runs do while no other command changes the cluster.
func (c *Cluster) change(ctx context.Context, name string, do func() error) error {
	if !components.IsName(name) {
		return fmt.Errorf("there is no component %q; there are %s", name, strings.Join(components.Names(), ", "))
	}
	if err := needRoot("changing a component"); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(c.layout.Kubeconfig()); err != nil {
		return errors.New("there is no cluster: start it with cluster up")
	}
	return do()
}

func (c *Cluster) stop(ctx context.Context, name string, grace time.Duration) error {
	id, err := process.Load(c.layout.Record(name))
	if errors.Is(err, process.ErrGone) {
		c.report("%s does not run", name)
		return nil
	}
	if err != nil {
		return err
	}
	if err := id.Stop(ctx, grace); err != nil {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	c.report("%s is stopped", name)
	return nil
}

func (c *Cluster) resume(ctx context.Context, name string) error {
	if _, err := process.Load(c.layout.Record(name)); err == nil {
		c.report("%s runs already", name)
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	started, err := c.start(name)
	if err != nil {
		return err
	}
	probe, err := c.probe(name)
	if err != nil {
		return err
	}
	if err := c.await(ctx, "wait for "+name, &child{Child: started, name: name}, probe); err != nil {
		return err
	}
	c.report("%s runs as process %d", name, started.PID)
	return nil
}

// probe returns the check that a component works. The ones that only call the
// API server count as working while they run.
func (c *Cluster) probe(name string) (func(context.Context) error, error) {
	api, err := newAPI(c.layout)
	if err != nil {
		return nil, err
	}
	switch name {
	case components.APIServer:
		return api.ready, nil
	case components.Containerd:
		return dial(c.layout.Containerd()), nil
	case components.Etcd:
		return dial(c.layout.EtcdSocket()), nil
	}
	return func(context.Context) error { return nil }, nil
}
