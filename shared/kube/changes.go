package kube

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/pods-service/pods/shared/manifests"
)

// Changes are the pods of the service that have changed since a version: each
// as it is now, or gone.
type Changes struct {
	Pods    []Observed
	Gone    []string // names
	Version string   // to go on from
}

// ErrExpired says that the API server does not remember a version any more.
var ErrExpired = errors.New("the version is too old")

// catchUpSeconds is how long the API server keeps a watch of Changes open. Two
// seconds before it ends, with a precision of one, it says up to which version
// everything has been sent.
const catchUpSeconds = 3

// Changes returns what has changed since version, which is that of a List or of
// earlier Changes. It costs in proportion to the changes and takes one to three
// seconds.
//
// Errors: ErrExpired when only a List can tell, and those of List.
func (c *Client) Changes(ctx context.Context, version string) (Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	watcher, err := c.api.CoreV1().Pods(c.namespace).Watch(ctx, metav1.ListOptions{
		LabelSelector: manifests.Selector, ResourceVersion: version,
		AllowWatchBookmarks: true, TimeoutSeconds: new(int64(catchUpSeconds)),
	})
	if err != nil {
		return Changes{}, notExpired(err)
	}
	defer watcher.Stop()
	newest := map[string]*Observed{} // nil for one that is gone
	for event := range watcher.ResultChan() {
		if event.Type == watch.Error {
			return Changes{}, notExpired(apierrors.FromObject(event.Object))
		}
		pod, isPod := event.Object.(*corev1.Pod)
		if !isPod {
			return Changes{}, fmt.Errorf("watch pods: an event about %T", event.Object)
		}
		version = pod.ResourceVersion
		switch event.Type {
		case watch.Bookmark:
			return newChanges(newest, version), nil
		case watch.Deleted:
			newest[pod.Name] = nil
		default:
			newest[pod.Name] = new(observed(pod))
		}
	}
	// The watch may end without a word; the rest is told next time.
	return newChanges(newest, version), translate(ctx.Err(), "watch pods")
}

// notExpired translates an error of a watch.
func notExpired(err error) error {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return ErrExpired
	}
	return translate(err, "watch pods")
}

func newChanges(newest map[string]*Observed, version string) Changes {
	changes := Changes{Version: version}
	for name, seen := range newest {
		if seen == nil {
			changes.Gone = append(changes.Gone, name)
		} else {
			changes.Pods = append(changes.Pods, *seen)
		}
	}
	return changes
}
