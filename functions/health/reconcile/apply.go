package reconcile

import (
	"context"
	"time"

	"github.com/pods-service/pods/shared/faults"
	"github.com/pods-service/pods/shared/pods"
)

// apply does what was decided for one pod. That it no longer applies, since the
// pod has moved on, is no error.
func (h *Handler) apply(ctx context.Context, pod pods.Pod, d decision) error {
	var err error
	switch {
	case d.move != nil:
		err = h.move(ctx, pod, d)
	case d.finish:
		if _, err = h.store.FinishStop(ctx, pod.Ref(), pods.ActorHealth); err == nil {
			h.metrics.moves.WithLabelValues(string(pods.StatusStopped)).Inc()
		}
	case d.stopDue:
		_, err = h.store.StopDue(ctx, pod.Ref())
	case d.resend != "":
		if !h.resent.isDue(d.resend+" "+pod.UID, h.now(), resendAfter) {
			return nil
		}
		err = h.store.Resend(ctx, d.resend, pod.Ref())
	case d.container != nil:
		err = h.store.UpdateContainer(ctx, pod.Ref(), *d.container)
	}
	if pods.KindOf(err) == pods.KindConflict {
		return nil
	}
	if err == nil && d != (decision{}) {
		h.metrics.rowsWritten.Inc()
	}
	return err
}

func (h *Handler) move(ctx context.Context, pod pods.Pod, d decision) error {
	if err := h.complete(ctx, pod, d.move); err != nil {
		return err
	}
	faults.Point("health.observed")
	ctx, end := startMove(ctx, d.move)
	_, err := h.store.Move(ctx, *d.move)
	end(conflictIsFine(err))
	if err != nil {
		return err
	}
	h.measure(pod, d)
	return nil
}

// complete adds to a move to AVAILABLE when the pod is to be stopped, which a
// template may say.
//
// Errors: those of reading the templates, if they may be read later. A template
// that is gone counts for nothing: the pod runs, with its own time to stop.
func (h *Handler) complete(ctx context.Context, pod pods.Pod, move *pods.Move) error {
	if move.To != pods.StatusAvailable {
		return nil
	}
	derived, err := h.deriver.Derive(ctx, pod)
	switch pods.KindOf(err) {
	case "":
		pod = derived.Pod
	case pods.KindUnavailable, pods.KindTimeout:
		return err
	}
	move.TimeToStop = pod.TimeToStop(*move.StartedAt)
	return nil
}

func (h *Handler) measure(pod pods.Pod, d decision) {
	h.metrics.moves.WithLabelValues(string(d.move.To)).Inc()
	if d.move.To != pods.StatusAvailable {
		return
	}
	now := h.now()
	h.metrics.starts.Observe(now.Sub(pod.StatusSince).Seconds())
	h.metrics.statusDelay.Observe(max(0, now.Sub(*d.move.StartedAt).Seconds()))
	if !d.requested.IsZero() {
		h.metrics.available.Observe(max(0, now.Sub(d.requested).Seconds()))
	}
}

// resendAfter is how long nothing may happen before something is asked for
// again, and between that and the next time.
const resendAfter = 15 * time.Second
