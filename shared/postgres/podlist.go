package postgres

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
)

const (
	// podChunk is how many pods Pods reads, and holds in memory, at a time.
	podChunk = 250
	// podChunkTimeout bounds the reading of that many.
	podChunkTimeout = 15 * time.Second
)

// ListedPod is what a list says of a pod before the pod itself is read.
type ListedPod struct {
	UID      string `db:"uid"`
	ID       string `db:"pod_id"`
	Template string `db:"template"` // reference, empty for none
}

// ListPods lists the pods that username may read, oldest first.
func (s *Store) ListPods(ctx context.Context, tenantID, username string) ([]ListedPod, error) {
	const query = `
		SELECT p.uid, p.pod_id, p.template
		FROM pods AS p JOIN pod_permissions AS e ON e.tenant_id = p.tenant_id AND e.pod_id = p.pod_id
		WHERE p.tenant_id = @tenant_id AND e.username = @username
		ORDER BY p.creation_ts, p.pod_id`

	return s.listPods(ctx, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "username": username})
}

// ListTenantPods lists all pods of a tenant, oldest first.
func (s *Store) ListTenantPods(ctx context.Context, tenantID string) ([]ListedPod, error) {
	const query = `
		SELECT p.uid, p.pod_id, p.template
		FROM pods AS p WHERE p.tenant_id = @tenant_id
		ORDER BY p.creation_ts, p.pod_id`

	return s.listPods(ctx, query, pgx.StrictNamedArgs{"tenant_id": tenantID})
}

func (s *Store) listPods(ctx context.Context, query string, args pgx.StrictNamedArgs) ([]ListedPod, error) {
	rows, err := s.pool.Query(ctx, query, named(args))
	if err != nil {
		return nil, translate(err)
	}
	listed, err := pgx.CollectRows(rows, pgx.RowToStructByName[ListedPod])
	return listed, translate(err)
}

// Pods reads the listed pods in their order, some at a time: neither all of
// them nor a connection is held while the caller is busy with one. Pods that
// are gone by then are left out, also when another has their id since. An error
// is the last that the sequence yields.
//
// The caller's own pace counts towards no deadline: each read has one of its
// own, and ctx's does not matter.
func (s *Store) Pods(ctx context.Context, tenantID string, listed []ListedPod) iter.Seq2[pods.Pod, error] {
	return func(yield func(pods.Pod, error) bool) {
		for chunk := range slices.Chunk(listed, podChunk) {
			read, err := s.podChunk(context.WithoutCancel(ctx), tenantID, chunk)
			if err != nil {
				yield(pods.Pod{}, fmt.Errorf("read %d listed pods: %w", len(chunk), err))
				return
			}
			for _, pod := range read {
				if !yield(pod, nil) {
					return
				}
			}
		}
	}
}

func (s *Store) podChunk(ctx context.Context, tenantID string, chunk []ListedPod) ([]pods.Pod, error) {
	const query = `
		SELECT` + podColumns + `
		FROM unnest(@uids::text[]) WITH ORDINALITY AS wanted (uid, position) JOIN pods AS p ON p.uid = wanted.uid
		WHERE p.tenant_id = @tenant_id
		ORDER BY wanted.position`

	ctx, cancel := context.WithTimeout(ctx, podChunkTimeout)
	defer cancel()
	uids := make([]string, len(chunk))
	for i, pod := range chunk {
		uids[i] = pod.UID
	}
	return list(ctx, s.pool, query, pgx.StrictNamedArgs{"tenant_id": tenantID, "uids": uids})
}
