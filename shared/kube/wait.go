package kube

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// WaitGone waits for the removal of the pod that was observed, at most for
// limit, and reports whether it is gone. A watch that fails ends the wait.
func (c *Client) WaitGone(ctx context.Context, pod *Observed, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	watcher, err := c.api.CoreV1().Pods(c.namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector(metav1.ObjectNameField, pod.Name).String(),
		ResourceVersion: pod.ResourceVersion,
	})
	if err != nil {
		return false
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case event, open := <-watcher.ResultChan():
			if !open || event.Type == watch.Error {
				return false
			}
			if object, ok := event.Object.(metav1.Object); ok && event.Type == watch.Deleted && object.GetUID() == pod.ObjectUID {
				return true
			}
		}
	}
}
