package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pods-service/pods/shared/manifests"
)

// Ensure makes the objects of one run of a pod. Objects of that run that exist
// already are left as they are, so it may be called again after half of it.
//
// Errors: KindInvalid and KindForbidden when Kubernetes will never take them,
// KindExhausted when a quota is used up, KindUnavailable and KindTimeout when
// it may work later; *OccupiedError, of KindUnavailable, when something else
// holds the name.
func (c *Client) Ensure(ctx context.Context, objects manifests.Objects) error {
	// The scheduler would try the pod in vain before its claims exist.
	for _, claim := range objects.Claims {
		if err := c.EnsureClaim(ctx, claim); err != nil {
			return err
		}
	}
	if objects.Service == nil {
		return c.EnsurePod(ctx, objects.Pod)
	}
	// At once, for a user waits; neither is called off when the other fails,
	// for then nobody would know whether it was made.
	service := make(chan error, 1)
	go func() { service <- c.EnsureService(ctx, objects.Service) }()
	err := c.EnsurePod(ctx, objects.Pod)
	return errors.Join(err, <-service)
}

// EnsurePod makes pod. Errors: see Ensure.
func (c *Client) EnsurePod(ctx context.Context, pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	api := c.api.CoreV1().Pods(c.namespace)
	_, err := api.Create(ctx, pod, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return translate(err, "create pod "+pod.Name)
	}
	existing, err := api.Get(ctx, pod.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err): // went away in between
		return &OccupiedError{Name: pod.Name}
	case err != nil:
		return translate(err, "get pod "+pod.Name)
	case sameRun(existing, pod) && existing.DeletionTimestamp == nil:
		return nil
	}
	return &OccupiedError{Name: pod.Name, Pod: new(observed(existing))}
}

// EnsureService makes service. Errors: see Ensure.
func (c *Client) EnsureService(ctx context.Context, service *corev1.Service) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	api := c.api.CoreV1().Services(c.namespace)
	_, err := api.Create(ctx, service, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return translate(err, "create service "+service.Name)
	}
	existing, err := api.Get(ctx, service.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err): // went away in between
		return &OccupiedError{Name: service.Name}
	case err != nil:
		return translate(err, "get service "+service.Name)
	case sameRun(existing, service) && existing.DeletionTimestamp == nil:
		return nil
	}
	return &OccupiedError{Name: service.Name}
}

// EnsureClaim makes claim, or finds the one an earlier run of the pod left.
// Errors: see Ensure.
func (c *Client) EnsureClaim(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	api := c.api.CoreV1().PersistentVolumeClaims(c.namespace)
	_, err := api.Create(ctx, claim, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return translate(err, "create claim "+claim.Name)
	}
	existing, err := api.Get(ctx, claim.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err): // went away in between
		return &OccupiedError{Name: claim.Name}
	case err != nil:
		return translate(err, "get claim "+claim.Name)
	case sameLife(existing, claim) && existing.DeletionTimestamp == nil:
		return nil
	}
	return &OccupiedError{Name: claim.Name}
}

// EnsureNamespace makes namespace when it does not exist. One that is there is
// left as it is, but for the security level that an earlier version or another
// kind of storage has given it.
func (c *Client) EnsureNamespace(ctx context.Context, namespace *corev1.Namespace) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	api := c.api.CoreV1().Namespaces()
	_, err := api.Create(ctx, namespace, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return translate(err, fmt.Sprintf("create namespace %s", namespace.Name))
	}
	existing, err := api.Get(ctx, namespace.Name, metav1.GetOptions{})
	if err != nil {
		return translate(err, fmt.Sprintf("get namespace %s", namespace.Name))
	}
	want, have := namespace.Labels[manifests.LabelSecurity], existing.Labels[manifests.LabelSecurity]
	isOurs := existing.Labels[manifests.LabelManagedBy] == manifests.ManagedBy && slices.Contains(manifests.SecurityLevels, have)
	if !isOurs || have == want {
		return nil
	}
	patch := fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, manifests.LabelSecurity, want)
	_, err = api.Patch(ctx, namespace.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return translate(err, fmt.Sprintf("label namespace %s", namespace.Name))
}

func sameRun(one, other metav1.Object) bool {
	return sameLife(one, other) && one.GetLabels()[manifests.LabelInstance] == other.GetLabels()[manifests.LabelInstance]
}

func sameLife(one, other metav1.Object) bool {
	return one.GetLabels()[manifests.LabelUID] == other.GetLabels()[manifests.LabelUID]
}
