package spawn

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// traced makes a span of each call to the cluster.
type traced struct{ Cluster }

func span(ctx context.Context, call, name string) (context.Context, func(error)) {
	return telemetry.Span(ctx, "kubernetes "+call, telemetry.Text("k8s.pod.name", name))
}

// Ensure implements Cluster.
func (c traced) Ensure(ctx context.Context, objects manifests.Objects) error {
	ctx, end := span(ctx, "ensure", objects.Pod.Name)
	err := c.Cluster.Ensure(ctx, objects)
	end(err)
	return err
}

// RemoveRuns implements Cluster.
func (c traced) RemoveRuns(ctx context.Context, name string, ref pods.Ref, now time.Time) (bool, error) {
	ctx, end := span(ctx, "remove runs", name)
	left, err := c.Cluster.RemoveRuns(ctx, name, ref, now)
	end(err)
	return left, err
}

// RemoveLife implements Cluster.
func (c traced) RemoveLife(ctx context.Context, name, uid string, now time.Time) (bool, error) {
	ctx, end := span(ctx, "remove life", name)
	left, err := c.Cluster.RemoveLife(ctx, name, uid, now)
	end(err)
	return left, err
}

// RemoveOthers implements Cluster.
func (c traced) RemoveOthers(ctx context.Context, name string, ref pods.Ref, now time.Time) error {
	ctx, end := span(ctx, "remove others", name)
	err := c.Cluster.RemoveOthers(ctx, name, ref, now)
	end(err)
	return err
}

// WaitGone implements Cluster.
func (c traced) WaitGone(ctx context.Context, pod *kube.Observed, limit time.Duration) bool {
	ctx, end := span(ctx, "wait until gone", pod.Name)
	defer end(nil)
	return c.Cluster.WaitGone(ctx, pod, limit)
}

// annotate leaves on the pod what the cluster's news of it do not tell: the
// trace of the request for this run and its time. Health goes on from there.
func annotate(ctx context.Context, pod *corev1.Pod, requested time.Time) {
	if parent := telemetry.Traceparent(ctx); parent != "" {
		pod.Annotations[manifests.AnnotationTraceparent] = parent
	}
	if !requested.IsZero() {
		pod.Annotations[manifests.AnnotationRequestedAt] = requested.UTC().Format(time.RFC3339Nano)
	}
}
