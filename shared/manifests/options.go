// Package manifests builds the Kubernetes objects of a pod from the domain's
// description of it. Builders are pure: the same input gives the same object,
// nothing is read or called. Users' values reach an object only through the
// fields set here; no raw specification is ever passed on.
package manifests

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
)

// ContainerName names the one container of every pod.
const ContainerName = "main"

// Options are the operator's choices. The zero value is usable: it means the
// default that each field names.
type Options struct {
	// Namespace is where the objects go; empty leaves it to the client.
	Namespace string
	// PullPolicy is Always when empty. Images below "dev.local/" exist on
	// the node alone and are always IfNotPresent.
	PullPolicy corev1.PullPolicy
	// Overcommit divides what users request of CPU and memory before the
	// scheduler sees it; values below 1 count as 1. Limits stay as they are.
	Overcommit float64
	// EphemeralStorageMiB is how much a container may write outside its
	// volumes; 5120 when 0.
	EphemeralStorageMiB int64
	// GraceSeconds is how long a container has between SIGTERM and SIGKILL;
	// 30 when 0.
	GraceSeconds int64
	// RunAsNonRoot refuses images that would start as root, and those that name
	// their user by anything but a number, unless the profile is "root".
	RunAsNonRoot bool
	// Queues holds the compute queues by name. A pod of a queue that is not there
	// runs where those of the default one do.
	Queues map[string]Queue
	// Storage is where volumes and snapshots are; the zero value makes pods that
	// mount any fail.
	Storage storage.Source
	// StorageClass is that of the claims made for pvc mounts; empty means the
	// cluster's default.
	StorageClass string
}

// Queue says where the pods of a compute queue run.
type Queue struct {
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	GPUs         []pods.GPUs // taken in their order
}

// Queues returns queues by their names.
func Queues(queues []pods.Queue) map[string]Queue {
	byName := make(map[string]Queue, len(queues))
	for _, queue := range queues {
		built := Queue{NodeSelector: queue.NodeSelector, GPUs: queue.GPUs}
		for _, t := range queue.Tolerations {
			built.Tolerations = append(built.Tolerations, corev1.Toleration{
				Key: t.Key, Operator: corev1.TolerationOperator(t.Operator), Value: t.Value, Effect: corev1.TaintEffect(t.Effect),
			})
		}
		byName[queue.Name] = built
	}
	return byName
}

// Objects are all that one run of a pod needs.
type Objects struct {
	Pod     *corev1.Pod
	Service *corev1.Service // nil for a pod without ports
	Claims  []*corev1.PersistentVolumeClaim
}

// Build returns the objects for the current run of pod, which is the merged
// one: templates applied.
//
// Errors: KindInvalid when the pod asks for what this installation does not
// have.
func Build(pod pods.Pod, creds pods.Credentials, profile templates.Profile, options Options) (Objects, error) {
	built, err := Pod(pod, creds, profile, options)
	if err != nil {
		return Objects{}, err
	}
	return Objects{Pod: built, Service: Service(pod, options), Claims: Claims(pod, options)}, nil
}

// queue returns the queue of that name, the default one if it is gone.
func (o Options) queue(name string) Queue {
	if queue, found := o.Queues[name]; found {
		return queue
	}
	return o.Queues[pods.DefaultQueue]
}

func (o Options) pullPolicy(image string) corev1.PullPolicy {
	switch {
	case isLocalImage(image):
		return corev1.PullIfNotPresent
	case o.PullPolicy != "":
		return o.PullPolicy
	}
	return corev1.PullAlways
}

func (o Options) graceSeconds() int64 {
	if o.GraceSeconds > 0 {
		return o.GraceSeconds
	}
	return 30
}

func (o Options) ephemeralStorageMiB() int64 {
	if o.EphemeralStorageMiB > 0 {
		return o.EphemeralStorageMiB
	}
	return 5 << 10
}
