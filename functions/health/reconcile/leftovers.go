package reconcile

import (
	"context"
	"log/slog"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

// maxLeftovers is how many leftovers one tick looks into.
const maxLeftovers = 50

// reportLeftovers asks the spawner to stop those of the candidates that
// belong to runs that are over, and has v compare them again until they are
// gone. Only the run is removed, never what users have stored: that takes the
// event pod.deleted, which comes from a user's deletion alone.
func (h *Handler) reportLeftovers(ctx context.Context, v *view, candidates []*kube.Observed, rows []pods.Pod, knowsDeleted bool) error {
	byName := make(map[string]pods.Pod, len(rows))
	for _, pod := range rows {
		byName[pod.K8sName] = pod
	}
	found := 0
	for _, seen := range candidates {
		row, isKnown := byName[seen.Name]
		if !h.maybeLeftover(seen, row, isKnown) {
			continue
		}
		if found++; found > maxLeftovers {
			break
		}
		v.changed[seen.Name] = h.now()
		// A store that knows of no pod at all is more likely the wrong one, or
		// one that has lost its rows, than everything a leftover.
		if err := h.reportLeftover(ctx, seen, len(rows) > 0 || knowsDeleted); err != nil {
			return err
		}
	}
	h.metrics.leftovers.Set(float64(found))
	return nil
}

// maybeLeftover tells from what the tick has read anyway. A pod that was just
// made may be newer than the rows, and one whose name is wanted is the
// spawner's to replace.
func (h *Handler) maybeLeftover(seen *kube.Observed, row pods.Pod, isKnown bool) bool {
	now := h.now()
	isWanted := isKnown && row.Status != pods.StatusStopped &&
		(seen.IsRun(row.Ref()) || row.Status == pods.StatusRequested || row.Status == pods.StatusSpawnerSetup)
	isLeaving := seen.IsTerminating() && now.Sub(seen.TerminatingSince) < pods.Limits[pods.StatusDeleting].End
	return !isWanted && !isLeaving && now.Sub(seen.CreatedAt) >= resendAfter
}

// reportLeftover makes sure and then asks for one leftover to be stopped.
func (h *Handler) reportLeftover(ctx context.Context, seen *kube.Observed, knowsPods bool) error {
	if !h.resent.isDue("leftover "+string(seen.ObjectUID), h.now(), resendAfter) {
		return nil
	}
	pod, err := h.store.PodByK8sName(ctx, seen.Name)
	isGone := pods.KindOf(err) == pods.KindNotFound
	switch {
	case err != nil && !isGone:
		return err
	case isGone && !knowsPods:
		h.logLeftover(ctx, seen, "pod left alone: the store knows no pods")
		return nil
	case !isGone && pod.Status != pods.StatusStopped && seen.IsRun(pod.Ref()):
		return nil // the rows were read before it was made
	}
	h.logLeftover(ctx, seen, "leftover pod to be removed")
	h.publish([]cloudevents.Event{events.NewPod(events.TypePodStopRequested, pods.ActorHealth, events.PodData{
		TenantID: seen.TenantID, PodID: seen.PodID, UID: seen.UID, Instance: seen.Instance, K8sName: seen.Name,
	}, h.now())})
	return nil
}

func (h *Handler) logLeftover(ctx context.Context, seen *kube.Observed, message string) {
	h.logger.LogAttrs(ctx, slog.LevelWarn, message, slog.String("k8s_name", seen.Name),
		slog.String("tenant_id", seen.TenantID), slog.String("pod_id", seen.PodID), slog.Int64("instance", seen.Instance))
}
