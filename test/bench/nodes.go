package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

//go:embed kwok_stages.yaml
var kwokStages []byte

// nodeCount is how many nodes are simulated.
const nodeCount = 10

// benchLabel marks our nodes, and is the taint that keeps others' pods away.
const benchLabel = "pods.io/bench"

// nodes are simulated by kwok on a real API server. Only pods that name one of
// them get there.
type nodes struct {
	api    kubernetes.Interface
	prefix string
	kwok   *exec.Cmd
	dir    string // for kwok's configuration and log
}

// startNodes runs kwok and waits until the nodes are ready.
func startNodes(ctx context.Context, program, kubeconfig string, api kubernetes.Interface, prefix string) (_ *nodes, err error) {
	n := &nodes{api: api, prefix: prefix}
	if n.dir, err = os.MkdirTemp("", "pods-kwok-"); err != nil {
		return nil, err
	}
	stages := filepath.Join(n.dir, "stages.yaml")
	if err := os.WriteFile(stages, kwokStages, 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(n.logFile())
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	n.kwok = exec.Command(program, "--kubeconfig="+kubeconfig, "--config="+stages, //nolint:gosec // the simulator
		"--manage-all-nodes=false", "--manage-nodes-with-label-selector="+benchLabel+"="+prefix,
		"--node-lease-duration-seconds=40", "--node-port=0")
	n.kwok.Stdout, n.kwok.Stderr = log, log
	if err := n.kwok.Start(); err != nil {
		return nil, fmt.Errorf("start kwok: %w", err)
	}
	for i := range nodeCount {
		if _, err := api.CoreV1().Nodes().Create(ctx, n.node(i), metav1.CreateOptions{}); err != nil {
			return nil, errors.Join(fmt.Errorf("make a node: %w", err), n.stop())
		}
	}
	if err := every(ctx, 200*time.Millisecond, func() (bool, error) { return n.ready(ctx) }); err != nil {
		return nil, errors.Join(fmt.Errorf("the nodes of kwok do not become ready: %w\n%s", err, n.tail()), n.stop())
	}
	return n, nil
}

func (n *nodes) name(i int) string { return n.prefix + "-" + strconv.Itoa(i%nodeCount) }

func (n *nodes) node(i int) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.name(i), Labels: map[string]string{benchLabel: n.prefix}},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: benchLabel, Effect: corev1.TaintEffectNoSchedule}}},
	}
}

func (n *nodes) ready(ctx context.Context) (bool, error) {
	list, err := n.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: benchLabel + "=" + n.prefix})
	if err != nil {
		return false, err
	}
	ready := 0
	for _, node := range list.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	return ready == nodeCount, nil
}

// stop removes the nodes and ends kwok. Their pods must be gone.
func (n *nodes) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var failures []error
	for i := range nodeCount {
		err := n.api.CoreV1().Nodes().Delete(ctx, n.name(i), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			failures = append(failures, fmt.Errorf("remove a node: %w", err))
		}
	}
	_ = n.kwok.Process.Kill()
	_ = n.kwok.Wait()
	return errors.Join(append(failures, os.RemoveAll(n.dir))...)
}

func (n *nodes) logFile() string { return filepath.Join(n.dir, "kwok.log") }

// tail returns the end of what kwok has said, for an error.
func (n *nodes) tail() string {
	said, err := os.ReadFile(n.logFile())
	if err != nil {
		return err.Error()
	}
	return string(said[max(0, len(said)-2000):])
}
