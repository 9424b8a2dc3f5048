package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// rewriteEvery is how often the baseline does its round.
const rewriteEvery = 3 * time.Second

// rewriterSide is the baseline of B5: a loop that lists all pods and all rows
// every 3 seconds and writes every row again, changed or not. It is a fair one:
// the listing is in protobuf, the rows come in one query, statements are
// prepared once, and a row is written without reading it again. It collects no
// logs and sends no events.
func rewriterSide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	config, err := kube.Config(settings.Kubeconfig)
	if err != nil {
		return err
	}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, settings.DatabaseURL, 4)
	if err != nil {
		return err
	}
	defer pool.Close()
	r := &rewriter{api: api, namespace: settings.Namespace, pool: pool, store: postgres.New(pool, postgres.Options{Now: time.Now})}
	var rounds atomic.Int64
	ready("", func() map[string]int64 { return map[string]int64{"rounds": rounds.Load()} })
	for {
		started := time.Now()
		if err := r.round(ctx); err != nil {
			return err
		}
		rounds.Add(1)
		if err := pause(ctx, rewriteEvery-time.Since(started)); err != nil {
			return err
		}
	}
}

type rewriter struct {
	api       kubernetes.Interface
	namespace string
	pool      *pgxpool.Pool
	store     *postgres.Store
}

func (r *rewriter) round(ctx context.Context) error {
	list, err := r.api.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: manifests.Selector})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	byName := make(map[string]*corev1.Pod, len(list.Items))
	for i := range list.Items {
		byName[list.Items[i].Name] = &list.Items[i]
	}
	rows, err := r.store.Overview(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := r.rewrite(ctx, row, byName[row.K8sName]); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes what the cluster says of one pod.
func (r *rewriter) rewrite(ctx context.Context, row pods.Pod, pod *corev1.Pod) error {
	const query = `
		UPDATE pods SET status = @status, status_container = @container, address = @address, update_ts = @now
		WHERE tenant_id = @tenant_id AND pod_id = @pod_id`

	if pod == nil {
		return fmt.Errorf("pod %s is not in the cluster", row.ID)
	}
	container := pods.ContainerStatus{Phase: string(pod.Status.Phase)}
	status := row.Status
	for _, c := range pod.Status.ContainerStatuses {
		container.Ready, container.RestartCount = c.Ready, c.RestartCount
		if c.State.Running != nil {
			status = pods.StatusAvailable
			container.StartTime = c.State.Running.StartedAt.UTC().Format(time.RFC3339)
		}
	}
	_, err := r.pool.Exec(ctx, query, pgx.StrictNamedArgs{
		"tenant_id": row.TenantID, "pod_id": row.ID, "status": status, "container": container,
		"address": pod.Status.PodIP, "now": time.Now(),
	})
	if err != nil {
		return fmt.Errorf("write pod %s: %w", row.ID, err)
	}
	return nil
}
