package manifests

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/pods"
)

// The labels of every object. Objects are matched to pods by LabelUID and
// LabelInstance, never by name.
const (
	LabelApp       = "app" // the name of the objects
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelTenant    = "pods.io/tenant" // shortened where a label cannot hold it
	LabelPodID     = "pods.io/pod-id" // shortened where a label cannot hold it
	LabelUID       = "pods.io/uid"
	// LabelInstance is the run the object belongs to. Claims have none: they
	// outlive runs and go with the pod.
	LabelInstance = "pods.io/instance"
)

// The annotations that hold what a label may have to shorten.
const (
	AnnotationTenant = "pods.io/tenant"
	AnnotationPodID  = "pods.io/pod-id"
)

// The annotations of a Kubernetes pod that say where its run comes from. Both
// may be missing.
const (
	AnnotationTraceparent = "pods.io/traceparent"  // trace of the request for it
	AnnotationRequestedAt = "pods.io/requested-at" // time of the request, RFC 3339
)

// ManagedBy is the value of LabelManagedBy on every object of the service.
const ManagedBy = "pods-service"

// Selector selects the objects of every pod, as a label selector.
const Selector = LabelManagedBy + "=" + ManagedBy + "," + LabelUID

// SelectorOf selects the objects of one life of a pod.
func SelectorOf(uid string) string {
	return LabelManagedBy + "=" + ManagedBy + "," + LabelUID + "=" + LabelValue(uid)
}

// Identity returns the labels that tell the objects of one run of one pod from
// all others.
func Identity(ref pods.Ref) map[string]string {
	return map[string]string{
		LabelUID:      LabelValue(ref.UID),
		LabelInstance: strconv.FormatInt(ref.Instance, 10),
	}
}

func meta(pod pods.Pod, options Options) metav1.ObjectMeta {
	labels := Identity(pod.Ref())
	labels[LabelApp] = pod.K8sName
	labels[LabelManagedBy] = ManagedBy
	labels[LabelTenant] = LabelValue(pod.TenantID)
	labels[LabelPodID] = LabelValue(pod.ID)
	return metav1.ObjectMeta{
		Name:      pod.K8sName,
		Namespace: options.Namespace,
		Labels:    labels,
		Annotations: map[string]string{
			AnnotationTenant: pod.TenantID,
			AnnotationPodID:  pod.ID,
		},
	}
}

// maxLabel is the most a label value or a DNS label may hold.
const maxLabel = 63

// LabelValue returns text as a label value: as it is when it can be one, else
// what can be kept of it and a hash, so that two texts never share a value.
func LabelValue(text string) string {
	if len(text) <= maxLabel && isLabelValue(text) {
		return text
	}
	kept := strings.Map(func(r rune) rune {
		if isLabelRune(r) {
			return r
		}
		return '-'
	}, text)
	return shorten(kept, text)
}

// shorten returns the start of kept and a hash of whole, at most maxLabel bytes.
func shorten(kept, whole string) string {
	suffix := shortHash(whole)
	if keep := maxLabel - len(suffix) - 1; len(kept) > keep {
		kept = kept[:keep]
	}
	kept = strings.Trim(kept, "-_.")
	if kept == "" {
		return suffix
	}
	return kept + "-" + suffix
}

func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:10]
}

func isLabelValue(text string) bool {
	inner := strings.Trim(text, "-_.") == text
	return inner && !strings.ContainsFunc(text, func(r rune) bool { return !isLabelRune(r) })
}

func isLabelRune(r rune) bool {
	return isAlphanumeric(r) || r == '-' || r == '_' || r == '.'
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
