package lifecycle

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/manifests"
)

// UpWithKnative is Up, and then adds Knative to the cluster, unless it is there,
// and waits until it works. The timeout holds for either of the two. When Knative
// does not become ready, the cluster stays, so that one can see why; a second
// call goes on where this one gave up.
func (c *Cluster) UpWithKnative(ctx context.Context, timeout time.Duration) error {
	if err := c.checkKnative(); err != nil {
		return err
	}
	if err := needRoot("starting a cluster"); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.up(ctx, timeout); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not within %s", timeout))
	defer cancel()
	if err := c.addKnative(ctx); err != nil {
		return fmt.Errorf("add Knative to the cluster: %w", err)
	}
	return nil
}

// checkKnative fails when Knative was not built.
func (c *Cluster) checkKnative() error {
	for _, file := range append(c.layout.KnativeImages(), c.layout.KnativeManifests()) {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%s is missing: build it with cluster build --knative --out %s", file, c.layout.Bin)
		}
	}
	return nil
}

func (c *Cluster) addKnative(ctx context.Context) error {
	api, err := newAPI(c.layout)
	if err != nil {
		return err
	}
	err = api.knativeApplied(ctx)
	if err == nil {
		if len(api.knativeStatus(ctx).NotReady) == 0 {
			c.report("Knative is there already, at %s", components.PublicAddress())
			return nil
		}
		c.report("Knative is there but not ready; waiting for it")
		return c.awaitKnative(ctx, api)
	}
	if !errors.Is(err, errNotFound) {
		return err
	}
	if err := checkPublicPort(ctx); err != nil {
		return err
	}
	if err := c.loadAll(ctx, c.layout.KnativeImages()); err != nil {
		return err
	}
	c.report("the images of Knative are loaded")
	if err := c.applyKnative(ctx, api); err != nil {
		return err
	}
	return c.awaitKnative(ctx, api)
}

// applyKnative creates the objects of Knative and, last, of its ingress.
func (c *Cluster) applyKnative(ctx context.Context, api api) error {
	folder := c.layout.KnativeManifests()
	if err := c.apply(ctx, filepath.Join(folder, manifests.Definitions)); err != nil {
		return err
	}
	if err := c.await(ctx, "wait for the kinds of Knative", nil, api.kindsKnown); err != nil {
		return err
	}
	c.report("the kinds of Knative are known")
	// The cluster may be older than this program.
	if err := c.layout.WriteTraefik(); err != nil {
		return err
	}
	if err := c.apply(ctx, filepath.Join(folder, manifests.Objects), c.layout.TraefikManifest()); err != nil {
		return err
	}
	c.report("the objects of Knative and Traefik are made")
	return nil
}

// awaitKnative waits for what a user of Knative counts on.
func (c *Cluster) awaitKnative(ctx context.Context, api api) error {
	if err := c.await(ctx, "wait for the programs of Knative", nil, api.knativeReady); err != nil {
		return err
	}
	c.report("the programs of Knative run")
	if err := c.await(ctx, "wait for Knative's webhooks", nil, api.webhooksKnown); err != nil {
		return err
	}
	if err := c.await(ctx, "wait for Knative's webhooks", nil, c.webhooksAnswer); err != nil {
		return err
	}
	c.report("its webhooks answer")
	if err := c.await(ctx, "wait for the ingress", nil, publicAnswers); err != nil {
		return err
	}
	c.report("Knative is ready: %s", components.PublicAddress())
	return nil
}

// trial holds an object of a kind that each of the webhooks looks at.
//
//go:embed trial.yaml
var trial string

// webhooksAnswer succeeds when objects of Knative can be made. It makes none.
func (c *Cluster) webhooksAnswer(ctx context.Context) error {
	return c.kubectl(ctx, strings.NewReader(trial), "create", "--dry-run=server", "--filename", "-")
}

// checkPublicPort fails when a program listens at the ingress' address. Requests
// to it would go to the ingress from now on.
func checkPublicPort(ctx context.Context) error {
	address := strings.TrimPrefix(components.PublicAddress(), "http://")
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s is taken by another program, which the ingress would hide: stop it: %w", address, err)
	}
	return listener.Close()
}

// publicAnswers succeeds when the ingress does, whatever its answer is.
func publicAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, components.PublicAddress(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
