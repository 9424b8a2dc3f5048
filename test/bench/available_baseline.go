package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const image = "dev.local/hello:1"

// baseline is Kubernetes without the service: what `kubectl run` does, with the
// API server called directly and a watch, so that the start of the kubectl
// program is left out, to its advantage.
type baseline struct {
	api       kubernetes.Interface
	namespace string
}

// connectCluster returns a client of the cluster that kubeconfig names.
func connectCluster(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 200, 400
	return kubernetes.NewForConfig(config)
}

func newBaseline(ctx context.Context, kubeconfig string) (*baseline, error) {
	api, err := connectCluster(kubeconfig)
	if err != nil {
		return nil, err
	}
	b := &baseline{api: api, namespace: "pods-bench-" + strings.ToLower(rand.Text()[:8])}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}
	if _, err := api.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("make a namespace: %w", err)
	}
	return b, waitServiceAccount(ctx, b.api, b.namespace)
}

// waitServiceAccount waits for what every pod of kubectl's needs and a new
// namespace gets only after a moment.
func waitServiceAccount(ctx context.Context, api kubernetes.Interface, namespace string) error {
	return every(ctx, 50*time.Millisecond, func() (bool, error) {
		_, err := api.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

func (b *baseline) close() { removeNamespace(b.api, b.namespace) }

func removeNamespace(api kubernetes.Interface, name string) {
	_ = api.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
}

// run creates the pod of `kubectl run NAME --image=...` and returns how long
// it took to be Ready.
func (b *baseline) run(ctx context.Context, name string) (time.Duration, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"run": name}},
		Spec: corev1.PodSpec{
			DNSPolicy:     corev1.DNSClusterFirst,
			RestartPolicy: corev1.RestartPolicyAlways,
			Containers:    []corev1.Container{{Name: name, Image: image}},
		},
	}
	start := time.Now()
	created, err := b.api.CoreV1().Pods(b.namespace).Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("create: %w", err)
	}
	watch, err := b.api.CoreV1().Pods(b.namespace).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + name, ResourceVersion: created.ResourceVersion,
	})
	if err != nil {
		return 0, fmt.Errorf("watch: %w", err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && isReady(pod) {
			return time.Since(start), nil
		}
	}
	return 0, errors.New("the watch ended before the pod was ready")
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// remove deletes a pod and waits until it is gone.
func (b *baseline) remove(ctx context.Context, namespace, name string) error {
	err := b.api.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete: %w", err)
	}
	return waitGone(ctx, b.api, namespace, name)
}

// waitGone waits until a pod is gone.
func waitGone(ctx context.Context, api kubernetes.Interface, namespace, name string) error {
	return every(ctx, 50*time.Millisecond, func() (bool, error) {
		_, err := api.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}
