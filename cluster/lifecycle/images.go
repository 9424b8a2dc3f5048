package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/images"
	"github.com/pods-service/pods/cluster/machine"
)

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

// loadAll loads the image files, several at a time: unpacking one keeps one
// processor busy.
func (c *Cluster) loadAll(ctx context.Context, paths []string) error {
	results := make(chan error, len(paths))
	for _, path := range paths {
		go func() {
			_, err := c.runtime().Load(ctx, path)
			results <- err
		}()
	}
	var problems []error
	for range paths {
		problems = append(problems, <-results)
	}
	return errors.Join(problems...)
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
