package reconcile

import (
	"context"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// traced makes a span of each call to the cluster.
type traced struct{ Cluster }

// Observe implements Cluster.
func (c traced) Observe(ctx context.Context, name string) (*kube.Observed, error) {
	ctx, end := telemetry.Span(ctx, "kubernetes observe", telemetry.Text("k8s.pod.name", name))
	seen, err := c.Cluster.Observe(ctx, name)
	end(err)
	return seen, err
}

// List implements Cluster.
func (c traced) List(ctx context.Context) (kube.Listing, error) {
	ctx, end := telemetry.Span(ctx, "kubernetes list")
	listing, err := c.Cluster.List(ctx)
	end(err)
	return listing, err
}

// Changes implements Cluster.
func (c traced) Changes(ctx context.Context, version string) (kube.Changes, error) {
	ctx, end := telemetry.Span(ctx, "kubernetes changes")
	changes, err := c.Cluster.Changes(ctx, version)
	end(err)
	return changes, err
}

// startMove starts the span of a move in the trace of the request for the run,
// and has the move's event go on from there.
func startMove(ctx context.Context, move *pods.Move) (context.Context, func(error)) {
	ctx, end := telemetry.SpanIn(ctx, move.Traceparent, "health move",
		telemetry.Text("tenant_id", move.TenantID), telemetry.Text("pod_id", move.PodID),
		telemetry.Text("status", string(move.To)))
	move.Traceparent = telemetry.Traceparent(ctx)
	return ctx, end
}
