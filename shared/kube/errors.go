package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pods-service/pods/shared/pods"
)

// What users are told when the cluster cannot be reached, or not in time.
const (
	unavailable = "Kubernetes cannot be reached right now."
	tooSlow     = "Kubernetes took too long to answer."
)

// translate returns what an answer of the API server means to the domain, nil
// for nil. Action says what was tried, for the log.
func translate(err error, action string) error {
	if err == nil {
		return nil
	}
	cause := fmt.Errorf("%s: %w", action, err)
	switch answer, isAnswer := errors.AsType[*apierrors.StatusError](err); {
	case isAnswer:
		return &pods.Error{Kind: kindOf(err), Message: messageOf(answer), Err: cause}
	case isTimeout(err):
		return pods.Timeout(tooSlow, cause)
	}
	return pods.Unavailable(unavailable, cause) // the connection failed
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

func kindOf(err error) pods.Kind {
	switch {
	case apierrors.IsNotFound(err):
		return pods.KindNotFound
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err):
		return pods.KindConflict
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return pods.KindInvalid
	case apierrors.IsForbidden(err):
		return forbiddenKind(err)
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return pods.KindTimeout
	}
	return pods.KindUnavailable // busy, overloaded, starting, or our credentials are not known there yet
}

// forbiddenKind tells apart what Kubernetes forbids. Admission has one reason
// for all of it, so only the text says which. What is not known to be about the
// pod is taken for a state of the cluster that passes: a namespace being
// removed, a service account not made yet, rights not granted yet.
func forbiddenKind(err error) pods.Kind {
	text := err.Error()
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return pods.KindUnavailable
	case strings.Contains(text, "exceeded quota"):
		return pods.KindExhausted
	case strings.Contains(text, "violates PodSecurity"), strings.Contains(text, "usage per "):
		return pods.KindForbidden
	}
	return pods.KindUnavailable
}

// maxMessage bounds what users are shown of the API server's own words.
const maxMessage = 500

// messageOf returns the API server's words where they are about the pod, and
// ours where they are about the cluster.
func messageOf(answer *apierrors.StatusError) string {
	switch kindOf(answer) {
	case pods.KindUnavailable:
		return unavailable
	case pods.KindTimeout:
		return tooSlow
	}
	text := answer.ErrStatus.Message
	if _, after, found := strings.Cut(text, " is forbidden: "); found {
		text = after
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return "Kubernetes refused the pod: " + text
}

// OccupiedError says that a name is held by an object of another run or of
// another life of a pod, or by one that is being removed. Its kind is
// KindUnavailable: it passes.
type OccupiedError struct {
	Name string
	// Pod is what holds the name of a pod; nil when a service's is held.
	Pod *Observed
}

// Error says which name is held.
func (e *OccupiedError) Error() string {
	return "the name " + e.Name + " is still held by an older object"
}

// Unwrap returns what the rest of the service makes of it.
func (e *OccupiedError) Unwrap() error {
	return pods.Unavailable("An earlier run of this pod is still being removed.", nil)
}
