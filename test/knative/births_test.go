package knative

import (
	"context"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/pods-service/pods/shared/manifests"
)

// births counts the Kubernetes pods that are made for each pod id.
type births struct {
	mu   sync.Mutex
	made map[string]map[types.UID]bool
}

// watchBirths counts from now on until the test has ended.
func watchBirths(t *testing.T) *births {
	t.Helper()
	core := deployed.Cluster.CoreV1().Pods(deployed.Namespace)
	now, err := core.List(t.Context(), metav1.ListOptions{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(t.Context(), now.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = manifests.Selector
			return core.Watch(ctx, options)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &births{made: map[string]map[types.UID]bool{}}
	go func() {
		for event := range watcher.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				b.add(pod)
			}
		}
	}()
	return b
}

func (b *births) add(pod *corev1.Pod) {
	b.mu.Lock()
	defer b.mu.Unlock()
	podID := pod.Labels[manifests.LabelPodID]
	if b.made[podID] == nil {
		b.made[podID] = map[types.UID]bool{}
	}
	b.made[podID][pod.UID] = true
}

// of returns how many Kubernetes pods were made for a pod id.
func (b *births) of(podID string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.made[podID])
}
