// Command health is the function that compares pods with the cluster at every
// tick and change, and keeps the events that nobody took.
package main

import (
	"context"
	"fmt"
	"net/http"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/health/reconcile"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/secretfile"
)

// version is set by the linker.
var version = "dev"

type settings struct {
	function.Process
	function.Storage
	function.Tenancy
	function.Sink
	function.Cluster
}

// noKey is the key of a function that has nothing to do with credentials.
var noKey [secretfile.KeySize]byte

func main() { function.Main("health", version, build) }

func build(ctx context.Context, f *function.Function, set settings) (http.Handler, error) {
	triggers, err := events.ParseTriggers(assets.Triggers)
	if err != nil {
		return nil, fmt.Errorf("read the Triggers: %w", err)
	}
	domain, err := f.OpenDomain(ctx, set.Tenancy, assets.Templates())
	if err != nil {
		return nil, err
	}
	state, err := f.OpenState(ctx, set.Storage, noKey, set.Sink)
	if err != nil {
		return nil, err
	}
	cluster, err := kube.Open(set.Kubeconfig, set.Namespace)
	if err != nil {
		return nil, err
	}
	function.ObserveOutbox(f.Registry, state.Store)
	mux := http.NewServeMux()
	mux.Handle("POST /dead-letters/{trigger}", events.NewDeadLetterSink(state.Store, triggers, f.Logger))
	mux.Handle("/", reconcile.New(state.Store, cluster, domain.Deriver(state.Store), reconcile.Options{
		Logger: f.Logger, Registerer: f.Registry, Relay: state.Publisher, Publish: state.Publisher.Publish,
	}))
	return mux, nil
}
