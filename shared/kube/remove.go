package kube

import (
	"context"
	"math"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// RemoveRuns removes pod and service of ref's run and of those before it, and
// never those of a later run or of another life. The container has its time to
// end; a pod whose removal takes longer than pods.Limits allows at the time now
// is removed by force. It reports whether a pod is still there, on its way out.
func (c *Client) RemoveRuns(ctx context.Context, name string, ref pods.Ref, now time.Time) (left bool, err error) {
	return c.remove(ctx, name, now, func(object metav1.Object) bool {
		return isLife(object, ref.UID) && instanceOf(object) <= ref.Instance
	})
}

// RemoveLife removes everything of one life of a pod, its claims included, and
// nothing of another. See RemoveRuns.
func (c *Client) RemoveLife(ctx context.Context, name, uid string, now time.Time) (left bool, err error) {
	if err := c.removeClaims(ctx, uid); err != nil {
		return false, err
	}
	return c.RemoveRuns(ctx, name, pods.Ref{UID: uid, Instance: math.MaxInt64}, now)
}

// RemoveOthers removes the pod and service that hold name unless they are of
// ref's run. Only call it while ref's run is known to be the newest.
func (c *Client) RemoveOthers(ctx context.Context, name string, ref pods.Ref, now time.Time) error {
	_, err := c.remove(ctx, name, now, func(object metav1.Object) bool {
		return !isLife(object, ref.UID) || instanceOf(object) != ref.Instance
	})
	return err
}

// remove takes the pod last: once it is gone, nothing of its run is left.
func (c *Client) remove(ctx context.Context, name string, now time.Time, match func(metav1.Object) bool) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.removeService(ctx, name, match); err != nil {
		return false, err
	}
	return c.removePod(ctx, name, now, match)
}

func (c *Client) removeService(ctx context.Context, name string, match func(metav1.Object) bool) error {
	api := c.api.CoreV1().Services(c.namespace)
	service, err := api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return translate(err, "get service "+name)
	}
	if service.DeletionTimestamp != nil || !match(service) {
		return nil
	}
	return gone(api.Delete(ctx, name, exactly(service)), "delete service "+name)
}

func (c *Client) removePod(ctx context.Context, name string, now time.Time, match func(metav1.Object) bool) (bool, error) {
	api := c.api.CoreV1().Pods(c.namespace)
	pod, err := api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, translate(err, "get pod "+name)
	}
	if !match(pod) {
		return false, nil
	}
	options := exactly(pod)
	if since := terminatingSince(pod); !since.IsZero() {
		if now.Sub(since) < pods.Limits[pods.StatusDeleting].End {
			return true, nil // on its way
		}
		options.GracePeriodSeconds = new(int64(0)) // by force
	}
	return true, gone(api.Delete(ctx, name, options), "delete pod "+name)
}

func (c *Client) removeClaims(ctx context.Context, uid string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	api := c.api.CoreV1().PersistentVolumeClaims(c.namespace)
	claims, err := api.List(ctx, metav1.ListOptions{LabelSelector: manifests.SelectorOf(uid)})
	if err != nil {
		return translate(err, "list claims of pod "+uid)
	}
	for i := range claims.Items {
		claim := &claims.Items[i]
		if claim.DeletionTimestamp != nil {
			continue
		}
		if err := gone(api.Delete(ctx, claim.Name, exactly(claim)), "delete claim "+claim.Name); err != nil {
			return err
		}
	}
	return nil
}

// exactly limits a deletion to the object that was looked at.
func exactly(object metav1.Object) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(object.GetUID()))}
}

// gone takes it for success when the object is no longer there, or another has
// taken its name.
func gone(err error, action string) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return translate(err, action)
}

func isLife(object metav1.Object, uid string) bool {
	return object.GetLabels()[manifests.LabelUID] == manifests.LabelValue(uid)
}
