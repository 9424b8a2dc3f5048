package suite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/manifests"
)

// ofPods selects the objects of the pods with these ids.
func ofPods(podIDs ...string) metav1.ListOptions {
	values := make([]string, len(podIDs))
	for i, podID := range podIDs {
		values[i] = manifests.LabelValue(podID)
	}
	return metav1.ListOptions{LabelSelector: manifests.LabelPodID + " in (" + strings.Join(values, ",") + ")"}
}

// Objects lists what the cluster holds of these pods of the tenant dev; of a
// suite that is alone, all that is in its namespace.
func (s *Suite) Objects(ctx context.Context, podIDs ...string) ([]string, error) {
	options := ofPods(podIDs...)
	if s.Alone {
		options = metav1.ListOptions{}
	}
	var names []string
	core := s.Cluster.CoreV1()
	podList, err := core.Pods(s.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	for _, pod := range podList.Items {
		names = append(names, "pod/"+pod.Name)
	}
	services, err := core.Services(s.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	for _, service := range services.Items {
		names = append(names, "service/"+service.Name)
	}
	claims, err := core.PersistentVolumeClaims(s.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	for _, claim := range claims.Items {
		names = append(names, "claim/"+claim.Name)
	}
	slices.Sort(names)
	return names, nil
}

// WaitRunning waits until the cluster holds the pod and the service of each of
// podIDs, and nothing else of them.
func (s *Suite) WaitRunning(t *testing.T, podIDs ...string) {
	t.Helper()
	var want []string
	for _, podID := range podIDs {
		want = append(want, "pod/pods-dev-dev-"+podID, "service/pods-dev-dev-"+podID)
	}
	slices.Sort(want)
	s.waitObjects(t, want, podIDs)
}

// WaitGone waits until the cluster holds nothing of podIDs.
func (s *Suite) WaitGone(t *testing.T, podIDs ...string) {
	t.Helper()
	s.waitObjects(t, nil, podIDs)
}

func (s *Suite) waitObjects(t *testing.T, want, podIDs []string) {
	t.Helper()
	err := Eventually(t.Context(), func() error {
		got, err := s.Objects(t.Context(), podIDs...)
		if err != nil {
			return err
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("the cluster holds %v, want %v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// RemovePods deletes the Kubernetes pods of podIDs, as an operator might.
func (s *Suite) RemovePods(t *testing.T, podIDs ...string) {
	t.Helper()
	now := int64(0)
	err := s.Cluster.CoreV1().Pods(s.Namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &now}, ofPods(podIDs...))
	if err != nil {
		t.Fatal(err)
	}
}
