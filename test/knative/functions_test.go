package knative

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

var knativeServices = schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}

// part is a part of the deployment that runs as pods.
type part struct{ namespace, selector string }

func function(name string) part {
	return part{service.FunctionsNamespace, "serving.knative.dev/service=" + name}
}

func (p part) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := deployed.Cluster.CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: p.selector})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// kill ends the container of every pod of p with SIGKILL, and returns how many
// those were.
func (p part) kill(ctx context.Context) (int, error) {
	pods, err := p.pods(ctx)
	if err != nil {
		return 0, err
	}
	killed := 0
	for _, pod := range pods {
		container := containerID(pod)
		if pod.DeletionTimestamp != nil || container == "" {
			continue
		}
		if err := killContainer(container); err != nil {
			return killed, fmt.Errorf("pod %s: %w", pod.Name, err)
		}
		killed++
	}
	return killed, nil
}

// waitNone waits until p has no pods.
func (p part) waitNone(t *testing.T) {
	t.Helper()
	err := suite.Eventually(t.Context(), func() error {
		pods, err := p.pods(t.Context())
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%d are left", len(pods))
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", p.selector, err)
	}
}

// revise gives a function a new revision, with these annotations on its
// template, and waits until that serves. Nil removes an annotation. It returns
// the Service as it was before.
func revise(ctx context.Context, name string, annotations map[string]any) (*unstructured.Unstructured, error) {
	services := objects.Resource(knativeServices).Namespace(service.FunctionsNamespace)
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": annotations,
	}}}})
	if err != nil {
		return nil, err
	}
	before, err := services.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := services.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return nil, err
	}
	return before, suite.Eventually(ctx, func() error {
		now, err := services.Get(ctx, name, metav1.GetOptions{})
		if err == nil && (latestReady(now) == latestReady(before) || !isTrue(now, "Ready")) {
			err = fmt.Errorf("%s is still at %s", name, latestReady(now))
		}
		return err
	})
}

// revision is the newest ready one of a Service.
func revision(object *unstructured.Unstructured) part {
	return part{object.GetNamespace(), "serving.knative.dev/revision=" + latestReady(object)}
}

func latestReady(object *unstructured.Unstructured) string {
	name, _, _ := unstructured.NestedString(object.Object, "status", "latestReadyRevisionName")
	return name
}

// isTrue reports whether the object's condition of that kind is true for what
// is wanted of it now.
func isTrue(object *unstructured.Unstructured, kind string) bool {
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		if fields, ok := condition.(map[string]any); ok && fields["type"] == kind {
			return fields["status"] == "True" && observed == object.GetGeneration()
		}
	}
	return false
}
