// Command spawner is the function that makes and removes the Kubernetes objects
// of pods when events ask for it.
package main

import (
	"context"
	"net/http"

	corev1 "k8s.io/api/core/v1"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/spawner/spawn"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
)

// version is set by the linker.
var version = "dev"

type settings struct {
	function.Process
	function.Storage
	function.Encryption
	function.Tenancy
	function.Sink
	function.Cluster
	function.Compute
	function.SharedStorage
	Overcommit float64 `env:"PODS_OVERCOMMIT" envDefault:"10"`
	PullPolicy string  `env:"PODS_IMAGE_PULL_POLICY" envDefault:"Always"`
}

func main() { function.Main("spawner", version, build) }

func build(ctx context.Context, f *function.Function, set settings) (http.Handler, error) {
	key, err := set.Key()
	if err != nil {
		return nil, err
	}
	domain, err := f.OpenDomain(ctx, set.Tenancy, assets.Templates())
	if err != nil {
		return nil, err
	}
	rules, err := set.Compute.Rules(domain.Rules)
	if err != nil {
		return nil, err
	}
	shared, err := set.SharedSource()
	if err != nil {
		return nil, err
	}
	state, err := f.OpenState(ctx, set.Storage, key, set.Sink)
	if err != nil {
		return nil, err
	}
	cluster, err := kube.Open(set.Kubeconfig, set.Namespace)
	if err != nil {
		return nil, err
	}
	return spawn.New(state.Store, cluster, domain.Deriver(state.Store), spawn.Options{Logger: f.Logger, Manifests: manifests.Options{
		Overcommit: set.Overcommit, PullPolicy: corev1.PullPolicy(set.PullPolicy), Queues: manifests.Queues(rules.Queues), Storage: shared,
	}}), nil
}
