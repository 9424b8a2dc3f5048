package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/pods-service/pods/shared/faults"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

const (
	// tickTimeout bounds one tick, lest a slow one keeps others from acting.
	tickTimeout = 20 * time.Second
	// maxConfirms is how many pods one tick makes sure of by a call each. A
	// listing that lacks more than that is likelier to be wrong than right; the
	// rest is left to later ticks.
	maxConfirms = 100
	// pruneEvery is how often what the outbox keeps for a while is swept.
	pruneEvery = time.Minute
)

// tick compares all pods, unless this or another process is at it.
func (h *Handler) tick(ctx context.Context) error {
	if !h.ticking.TryLock() {
		return nil
	}
	defer h.ticking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, tickTimeout)
	defer cancel()
	_, err := h.store.TryLead(ctx, "health", h.lead)
	return err
}

// lead does all that a tick is for. One part that fails does not keep the
// others from their work: events flow while the cluster cannot be reached.
func (h *Handler) lead(ctx context.Context) error {
	started := h.now()
	err := errors.Join(h.flush(ctx), h.askForLogs(ctx), h.lookAfterStorage(ctx), h.compare(ctx), h.prune(ctx))
	h.resent.forget(h.now().Add(-time.Hour))
	h.metrics.ticks.Observe(h.now().Sub(started).Seconds())
	return err
}

func (h *Handler) flush(ctx context.Context) error {
	if h.relay == nil {
		return nil
	}
	return h.relay.Flush(ctx)
}

func (h *Handler) prune(ctx context.Context) error {
	now := h.now()
	if now.Sub(h.pruned) < pruneEvery {
		return nil
	}
	h.pruned = now
	return h.store.PruneOutbox(ctx)
}

// compare moves every pod whose status is behind what the cluster says.
func (h *Handler) compare(ctx context.Context) error {
	tombstones, err := h.store.Tombstones(ctx)
	if err != nil {
		return err
	}
	h.metrics.rowsRead.Add(float64(len(tombstones)))
	if err := h.remind(ctx, tombstones); err != nil {
		return err
	}
	knowsDeleted := len(tombstones) > 0
	if h.view == nil || !h.now().Before(h.view.wholeAt) {
		return h.compareWhole(ctx, knowsDeleted)
	}
	return h.compareChanged(ctx, knowsDeleted)
}

// compareWhole compares every row with every pod in the cluster.
func (h *Handler) compareWhole(ctx context.Context, knowsDeleted bool) error {
	h.view = nil // until it is through
	started := h.now()
	rows, err := h.store.Overview(ctx)
	if err != nil {
		return err
	}
	h.metrics.whole.Inc()
	h.metrics.rowsRead.Add(float64(len(rows)))
	listing, err := h.cluster.List(ctx)
	if err != nil {
		return err // without a listing nothing is known to be gone
	}
	seen := newView(listing, h.now())
	isThrough, err := h.compareRows(ctx, rows, seen.pods)
	if err != nil {
		return err
	}
	if err := h.reportLeftovers(ctx, seen, slices.Collect(maps.Values(seen.pods)), rows, knowsDeleted); err != nil {
		return err
	}
	if isThrough {
		seen.wholeAt = h.now().Add(WholeAfter(h.now().Sub(started)))
		h.view = seen
	}
	return nil
}

// compareChanged compares the pods that have changed in the cluster since the
// last tick and those that wait for something.
func (h *Handler) compareChanged(ctx context.Context, knowsDeleted bool) error {
	changes, err := h.cluster.Changes(ctx, h.view.version)
	if errors.Is(err, kube.ErrExpired) {
		return h.compareWhole(ctx, knowsDeleted)
	}
	if err != nil {
		return err
	}
	h.view.follow(changes, h.now())
	rows, err := h.store.Unsettled(ctx, slices.Collect(maps.Keys(h.view.changed)))
	if err != nil {
		return err
	}
	h.metrics.rowsRead.Add(float64(len(rows)))
	// The rows are newer than what was seen of the cluster, so whatever is to be
	// done about one is decided again by what the cluster says now.
	behind := slices.DeleteFunc(slices.Clone(rows), func(pod pods.Pod) bool {
		return next(pod, h.view.pods[pod.K8sName], h.now()) == decision{}
	})
	if len(behind) > maxConfirms {
		return h.compareWhole(ctx, knowsDeleted)
	}
	moves := batch{}
	for _, pod := range behind {
		seen, err := h.cluster.Observe(ctx, pod.K8sName)
		if err != nil {
			return err
		}
		if err := h.compareRow(ctx, pod, next(pod, seen, h.now()), &moves); err != nil {
			return err
		}
	}
	if err := h.moveAll(ctx, moves); err != nil {
		return err
	}
	if err := h.reportLeftovers(ctx, h.view, h.view.recent(), rows, knowsDeleted); err != nil {
		return err
	}
	h.view.settle(h.now())
	return nil
}

// compareRows compares rows with what was seen after they were read. It reports
// whether it came through: absences beyond maxConfirms are left for later.
func (h *Handler) compareRows(ctx context.Context, rows []pods.Pod, byName map[string]*kube.Observed) (isThrough bool, err error) {
	moves := batch{}
	confirms := maxConfirms
	for _, pod := range rows {
		d := next(pod, byName[pod.K8sName], h.now())
		if isAbsence := d.finish && pod.Status != pods.StatusStopped; isAbsence {
			if confirms--; confirms < 0 {
				continue
			}
			seen, err := h.cluster.Observe(ctx, pod.K8sName)
			if err != nil {
				return false, err
			}
			d = next(pod, seen, h.now())
		}
		if err := h.compareRow(ctx, pod, d, &moves); err != nil {
			return false, err
		}
	}
	return confirms >= 0, h.moveAll(ctx, moves)
}

// batch holds the moves that are made together.
type batch struct {
	pods      []pods.Pod
	decisions []decision // each with a move
}

// compareRow does what was decided, or adds the move to moves. A failure that
// is about this pod alone is logged: the others shall not suffer.
func (h *Handler) compareRow(ctx context.Context, pod pods.Pod, d decision, moves *batch) error {
	err := h.doOrAdd(ctx, pod, d, moves)
	if err == nil || isOutage(err) {
		return err
	}
	h.logger.LogAttrs(ctx, slog.LevelError, "pod not compared",
		slog.String("tenant_id", pod.TenantID), slog.String("pod_id", pod.ID), slog.Any("error", err))
	return nil
}

func (h *Handler) doOrAdd(ctx context.Context, pod pods.Pod, d decision, moves *batch) error {
	if d.move == nil {
		return h.apply(ctx, pod, d)
	}
	if err := h.complete(ctx, pod, d.move); err != nil {
		return err
	}
	moves.pods, moves.decisions = append(moves.pods, pod), append(moves.decisions, d)
	return nil
}

func (h *Handler) moveAll(ctx context.Context, moves batch) error {
	if len(moves.pods) == 0 {
		return nil
	}
	faults.Point("health.observed")
	wanted := make([]pods.Move, len(moves.pods))
	ends := make([]func(error), len(moves.pods))
	for i, d := range moves.decisions {
		_, ends[i] = startMove(ctx, d.move)
		wanted[i] = *d.move
	}
	made, err := h.store.MoveAll(ctx, wanted)
	for _, end := range ends {
		end(err)
	}
	if err != nil {
		return err
	}
	h.metrics.rowsWritten.Add(float64(made))
	for i, pod := range moves.pods {
		h.measure(pod, moves.decisions[i])
	}
	return nil
}

// remind asks for the removal of deleted pods again. It does not forget them by
// itself: a listing that lacks them says nothing of their services and claims.
func (h *Handler) remind(ctx context.Context, tombstones []pods.Tombstone) error {
	for _, tombstone := range tombstones {
		now := h.now()
		if now.Sub(tombstone.DeletedAt) < resendAfter || !h.resent.isDue("deleted "+tombstone.UID, now, resendAfter) {
			continue
		}
		if err := conflictIsFine(h.store.ResendDeleted(ctx, tombstone)); err != nil {
			return err
		}
	}
	return nil
}

// isOutage reports whether err is about the database or the cluster as a whole.
func isOutage(err error) bool {
	kind := pods.KindOf(err)
	return kind == pods.KindUnavailable || kind == pods.KindTimeout
}
