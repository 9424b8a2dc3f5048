package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// ClaimPod takes a pod that is REQUESTED to SPAWNER SETUP and returns it with
// its credentials. Claiming a pod already in SPAWNER SETUP succeeds, so a
// spawner that died halfway can resume.
//
// Errors: KindConflict when the pod is not in the run that ref names, not in
// those statuses, or no longer wanted ON.
func (s *Store) ClaimPod(ctx context.Context, ref pods.Ref) (pods.Pod, pods.Credentials, error) {
	var pod pods.Pod
	var creds pods.Credentials
	err := s.inTx(ctx, func(t *tx) (err error) {
		if pod, err = t.lockRun(ctx, ref); err != nil {
			return err
		}
		if pod.StatusRequested != pods.DesiredOn {
			return pods.Conflict("pod %s is wanted %s", ref.PodID, pod.StatusRequested)
		}
		if pod.Status != pods.StatusSpawnerSetup {
			if pod, err = t.move(ctx, pods.Move{Ref: ref, By: pods.ActorSpawner, To: pods.StatusSpawnerSetup}); err != nil {
				return err
			}
		}
		creds, err = s.readCredentials(ctx, t, ref.TenantID, ref.PodID)
		return err
	})
	if err != nil {
		return pods.Pod{}, pods.Credentials{}, fmt.Errorf("claim pod %s: %w", ref.PodID, err)
	}
	return pod, creds, nil
}

// movable are the statuses that Move leads to. ClaimPod, FinishStop and
// ChangePod lead to the others.
var movable = []pods.Status{
	pods.StatusCreating, pods.StatusAvailable, pods.StatusComplete, pods.StatusError, pods.StatusDeleting,
}

// Move makes one step in the life of a pod and returns the pod. It writes an
// action line and the event pod.status_changed. Into AVAILABLE it keeps the
// address and the times, and has the output collected from then on; out of it it
// clears the address. Into DELETING goes only a pod that is wanted OFF or
// RESTART.
//
// Errors: KindConflict when the pod is not in the run that move names or in no
// status from which move.By may move it, so also when the move was made before;
// KindInternal for REQUESTED, SPAWNER SETUP and STOPPED, which have methods of
// their own.
func (s *Store) Move(ctx context.Context, move pods.Move) (pods.Pod, error) {
	var pod pods.Pod
	err := s.inTx(ctx, func(t *tx) (err error) {
		if err := checkMovable(move); err != nil {
			return err
		}
		pod, err = t.move(ctx, move)
		return err
	})
	if err != nil {
		return pods.Pod{}, fmt.Errorf("move pod %s to %s: %w", move.PodID, move.To, err)
	}
	return pod, nil
}

// MoveAll makes many moves as Move does, each of another pod, skips those that
// do not apply and returns how many it made. The number of round trips does
// not grow with the number of moves.
func (s *Store) MoveAll(ctx context.Context, moves []pods.Move) (int, error) {
	if len(moves) == 0 {
		return 0, nil
	}
	made := 0
	err := s.inTx(ctx, func(t *tx) error {
		for _, move := range moves {
			if err := checkMovable(move); err != nil {
				return err
			}
		}
		moved, err := t.moveAll(ctx, moves)
		made = len(moved)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("move %d pods: %w", len(moves), err)
	}
	return made, nil
}

func checkMovable(move pods.Move) error {
	if slices.Contains(movable, move.To) {
		return nil
	}
	return fmt.Errorf("pods are not moved to %s in this way", move.To)
}

func (t *tx) move(ctx context.Context, move pods.Move) (pods.Pod, error) {
	moved, err := t.moveAll(ctx, []pods.Move{move})
	if err != nil {
		return pods.Pod{}, err
	}
	if len(moved) == 0 {
		return pods.Pod{}, pods.Conflict("pod %s is in no state from which %s moves it to %s", move.PodID, move.By, move.To)
	}
	return moved[0], nil
}

// moveRow is a pods.Move in the form in which the statement reads it.
type moveRow struct {
	TenantID   string                `json:"tenant_id"`
	PodID      string                `json:"pod_id"`
	UID        string                `json:"uid"`
	Instance   int64                 `json:"instance"`
	From       []pods.Status         `json:"from_statuses"`
	To         pods.Status           `json:"to_status"`
	Container  *pods.ContainerStatus `json:"container,omitempty"`
	Address    string                `json:"address"`
	StartedAt  *time.Time            `json:"started_at"`
	TimeToStop *time.Time            `json:"time_to_stop"`
}

func newMoveRow(move pods.Move) moveRow {
	row := moveRow{
		TenantID: move.TenantID, PodID: move.PodID, UID: move.UID, Instance: move.Instance,
		From: pods.From(move.By, move.To), To: move.To,
	}
	if move.Container != nil {
		row.Container = new(storableStatus(*move.Container))
	}
	if move.To == pods.StatusAvailable {
		row.Address, row.StartedAt, row.TimeToStop = move.Address, move.StartedAt, move.TimeToStop
	}
	return row
}

// moveAll makes the moves that apply and returns the pods as they are then.
// Whether a move applies is decided on a row that is locked, so nobody can come
// between. Rows are locked in one order, so two batches at once cannot block
// each other.
func (t *tx) moveAll(ctx context.Context, moves []pods.Move) ([]pods.Pod, error) {
	const query = `
		WITH wanted AS (
			SELECT * FROM jsonb_to_recordset(@moves) AS m (
				tenant_id text, pod_id text, uid text, instance bigint, from_statuses text[], to_status text,
				container jsonb, address text, started_at timestamptz, time_to_stop timestamptz)
		), locked AS (
			SELECT w.* FROM pods AS p JOIN wanted AS w USING (tenant_id, pod_id, uid, instance)
			WHERE p.status = ANY (w.from_statuses)
				AND (w.to_status <> 'DELETING' OR p.status_requested IN ('OFF', 'RESTART'))
			ORDER BY p.tenant_id, p.pod_id FOR NO KEY UPDATE OF p
		)
		UPDATE pods AS p SET
			status = w.to_status, status_since = @now, update_ts = @now, address = w.address,
			status_container = coalesce(w.container, p.status_container),
			start_instance_ts = CASE w.to_status WHEN 'AVAILABLE' THEN w.started_at ELSE p.start_instance_ts END,
			time_to_stop_ts = CASE w.to_status WHEN 'AVAILABLE' THEN w.time_to_stop ELSE p.time_to_stop_ts END
		FROM locked AS w
		WHERE p.tenant_id = w.tenant_id AND p.pod_id = w.pod_id
		RETURNING` + podColumns

	rows := make([]moveRow, len(moves))
	made := make(map[string]pods.Move, len(moves)) // by uid
	for i, move := range moves {
		rows[i], made[move.UID] = newMoveRow(move), move
	}
	document, err := json.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("encode moves: %w", err)
	}
	moved, err := list(ctx, t, query, pgx.StrictNamedArgs{"moves": document, "now": t.now})
	if err != nil {
		return nil, err
	}
	for _, pod := range moved {
		move := made[pod.UID]
		t.log(pod.TenantID, pod.ID, pods.ActionStatus(move.By, pod.Status))
		if pod.Status == pods.StatusAvailable {
			t.scheduleLogs(pod)
		}
		trace := cmp.Or(move.Traceparent, t.trace)
		if err := t.emitIn(trace, events.TypePodStatusChanged, move.By, events.Data(pod)); err != nil {
			return nil, err
		}
	}
	return moved, nil
}

// lockRun returns the pod in the run that ref names and keeps others from
// changing it until the transaction ends.
func (t *tx) lockRun(ctx context.Context, ref pods.Ref) (pods.Pod, error) {
	const query = `
		SELECT` + podColumns + `
		FROM pods AS p
		WHERE p.tenant_id = @tenant_id AND p.pod_id = @pod_id AND p.uid = @uid AND p.instance = @instance
		FOR NO KEY UPDATE`

	pod, err := one(ctx, t, query, refArgs(ref, nil))
	if errors.Is(err, pgx.ErrNoRows) {
		return pods.Pod{}, outOfDate(ref)
	}
	return pod, err
}

// outOfDate says that a newer run or nothing at all has taken the place of ref.
func outOfDate(ref pods.Ref) error {
	return pods.Conflict("run %d of pod %s is over", ref.Instance, ref.PodID)
}
