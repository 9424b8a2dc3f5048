//go:build knative

package manifests_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// TestDryRun has the API server and Knative's own checks look at everything,
// without keeping any of it. It needs the deployment's namespaces, and so a
// cluster that the local overlay is deployed to.
func TestDryRun(t *testing.T) {
	t.Parallel()

	ctx, config := cluster(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(asked)
	if err != nil {
		t.Fatal(err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for _, overlay := range overlays {
		for _, object := range render(t, overlay) {
			t.Run(overlay+"/"+object.GetKind()+"/"+object.GetName(), func(t *testing.T) {
				t.Parallel()

				gvk := object.GroupVersionKind()
				mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
				if err != nil {
					t.Fatal(err)
				}
				var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
				if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
					resource = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
				}
				// Under other names: what cannot be changed differs from overlay
				// to overlay, and what is deployed may be newer.
				if gvk.Kind != "Namespace" && gvk.Kind != "DomainMapping" && gvk.Kind != "ClusterDomainClaim" {
					object.SetName(object.GetName() + "-test")
				}
				_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{
					FieldManager: "pods-service-test", Force: true, DryRun: []string{metav1.DryRunAll},
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}
