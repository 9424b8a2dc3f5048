package kube

import (
	"context"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// State is what the container of a pod does.
type State string

// The states of a container.
const (
	StateWaiting   State = "waiting" // not started, Reason says what for
	StateRunning   State = "running"
	StateSucceeded State = "succeeded" // ended with exit code 0
	StateFailed    State = "failed"    // ended otherwise, or was put out by the node
)

// Observed is what Kubernetes says of one pod.
type Observed struct {
	Name     string
	TenantID string
	PodID    string
	UID      string // the life it belongs to, as manifests.LabelValue has it
	Instance int64  // the run it belongs to

	ObjectUID       types.UID // of the Kubernetes object itself
	ResourceVersion string
	CreatedAt       time.Time // whole seconds
	// TerminatingSince is when its removal was asked for, zero when it was not.
	TerminatingSince time.Time

	// Traceparent and RequestedAt tell of the request for the run: its trace
	// and its time. They are empty when the pod does not say.
	Traceparent string
	RequestedAt time.Time

	Phase     string
	PodIP     string
	State     State
	StartedAt time.Time // when the container started; zero before. Whole seconds
	ExitCode  int32     // of a container that ended
	// Reason and Message say why the container waits or failed, in Kubernetes'
	// words; both may be empty.
	Reason       string
	Message      string
	Ready        bool
	RestartCount int32
}

// IsRun reports whether o belongs to that run of a pod.
func (o *Observed) IsRun(ref pods.Ref) bool {
	return o.IsLife(ref.UID) && o.Instance == ref.Instance
}

// IsLife reports whether o belongs to that life of a pod.
func (o *Observed) IsLife(uid string) bool { return o.UID == manifests.LabelValue(uid) }

// IsTerminating reports whether o is being removed.
func (o *Observed) IsTerminating() bool { return !o.TerminatingSince.IsZero() }

// Observe returns what the API server knows of the pod of that name right now,
// nil when there is none.
func (c *Client) Observe(ctx context.Context, name string) (*Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pod, err := c.api.CoreV1().Pods(c.namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, translate(err, "get pod "+name)
	}
	seen := observed(pod)
	return &seen, nil
}

// Listing is every pod of the service, as of a version of the API server.
type Listing struct {
	Pods    []Observed
	Version string
}

// List returns every pod of the service. It is answered from the API server's
// cache: it may be some moments old, and a pod that is not in it may exist.
func (c *Client) List(ctx context.Context) (Listing, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.api.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{
		LabelSelector:   manifests.Selector,
		ResourceVersion: "0",
	})
	if err != nil {
		return Listing{}, translate(err, "list pods")
	}
	listing := Listing{Pods: make([]Observed, len(list.Items)), Version: list.ResourceVersion}
	for i := range list.Items {
		listing.Pods[i] = observed(&list.Items[i])
	}
	return listing, nil
}

func observed(pod *corev1.Pod) Observed {
	o := Observed{
		Name:             pod.Name,
		TenantID:         pod.Annotations[manifests.AnnotationTenant],
		PodID:            pod.Annotations[manifests.AnnotationPodID],
		UID:              pod.Labels[manifests.LabelUID],
		Instance:         instanceOf(pod),
		ObjectUID:        pod.UID,
		ResourceVersion:  pod.ResourceVersion,
		CreatedAt:        pod.CreationTimestamp.UTC(),
		TerminatingSince: terminatingSince(pod),
		Traceparent:      pod.Annotations[manifests.AnnotationTraceparent],
		RequestedAt:      requestedAt(pod),
		Phase:            string(pod.Status.Phase),
		PodIP:            pod.Status.PodIP,
		State:            StateWaiting,
		Reason:           pod.Status.Reason,
		Message:          pod.Status.Message,
	}
	o.readScheduling(pod.Status.Conditions)
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == manifests.ContainerName {
			o.readContainer(status)
		}
	}
	o.readPhase(pod.Status)
	return o
}

// readScheduling takes down why no node has taken the pod.
func (o *Observed) readScheduling(conditions []corev1.PodCondition) {
	for _, condition := range conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			o.Reason, o.Message = condition.Reason, condition.Message
		}
	}
}

func (o *Observed) readContainer(status corev1.ContainerStatus) {
	o.Ready, o.RestartCount = status.Ready, status.RestartCount
	switch state := status.State; {
	case state.Waiting != nil:
		o.Reason, o.Message = state.Waiting.Reason, state.Waiting.Message
	case state.Running != nil:
		o.StartedAt = state.Running.StartedAt.UTC()
		if o.PodIP != "" { // one without an address cannot be reached yet
			o.State = StateRunning
		}
	case state.Terminated != nil:
		o.readEnd(*state.Terminated)
	}
}

func (o *Observed) readEnd(end corev1.ContainerStateTerminated) {
	o.StartedAt, o.ExitCode = end.StartedAt.UTC(), end.ExitCode
	o.Reason, o.Message = end.Reason, end.Message
	o.State = StateFailed
	if end.ExitCode == 0 {
		o.State = StateSucceeded
	}
}

// readPhase lets the pod's own end overrule its container's: a node that puts a
// pod out may never report on the container again.
func (o *Observed) readPhase(status corev1.PodStatus) {
	switch status.Phase {
	case corev1.PodSucceeded:
		o.State = StateSucceeded
	case corev1.PodFailed:
		o.State = StateFailed
		if status.Reason != "" {
			o.Reason, o.Message = status.Reason, status.Message
		}
	}
}

// terminatingSince turns the time by which a pod is to be gone, which is what
// Kubernetes keeps, into the time at which that was decided.
func terminatingSince(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp == nil {
		return time.Time{}
	}
	var grace time.Duration
	if pod.DeletionGracePeriodSeconds != nil {
		grace = time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
	}
	return pod.DeletionTimestamp.Add(-grace).UTC()
}

// requestedAt reads when the run was asked for, zero when the pod does not say.
func requestedAt(pod *corev1.Pod) time.Time {
	at, err := time.Parse(time.RFC3339Nano, pod.Annotations[manifests.AnnotationRequestedAt])
	if err != nil {
		return time.Time{}
	}
	return at
}

// instanceOf returns the run an object belongs to, 0 when it does not say.
func instanceOf(object metav1.Object) int64 {
	instance, err := strconv.ParseInt(object.GetLabels()[manifests.LabelInstance], 10, 64)
	if err != nil {
		return 0
	}
	return instance
}
