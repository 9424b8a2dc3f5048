// Command logs is the function that collects the output of pods when events ask
// for it.
package main

import (
	"context"
	"net/http"

	"github.com/pods-service/pods/functions/logs/collect"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/logs"
)

// version is set by the linker.
var version = "dev"

type settings struct {
	function.Process
	function.Storage
	function.Cluster
}

func main() { function.Main("logs", version, build) }

func build(ctx context.Context, f *function.Function, set settings) (http.Handler, error) {
	state, err := f.OpenQuiet(ctx, set.Storage)
	if err != nil {
		return nil, err
	}
	cluster, err := kube.Open(set.Kubeconfig, set.Namespace)
	if err != nil {
		return nil, err
	}
	return collect.New(state.Store, logs.NewReader(cluster), f.Logger), nil
}
