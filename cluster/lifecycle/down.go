package lifecycle

import (
	"context"
	"fmt"
	"os"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/network"
)

// Down stops the cluster and removes all of it: processes, containers, images,
// mounts, links, packet filter rules, control groups and files. It does nothing
// when there is nothing.
func (c *Cluster) Down(ctx context.Context) error {
	if err := needRoot("stopping the cluster"); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	found := c.leftovers()
	if err := c.clean(ctx); err != nil {
		return fmt.Errorf("stop the cluster: %w", err)
	}
	if found {
		c.report("the cluster is stopped and removed")
	} else {
		c.report("there is no cluster")
	}
	return nil
}

// leftovers reports whether there is anything of a cluster on the machine.
func (c *Cluster) leftovers() bool {
	for _, path := range []string{c.layout.State, c.layout.Run} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return c.group.Exists() || network.Exists(components.NodeBridge, components.PodBridge)
}
