package manifests

import (
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/pods-service/pods/shared/pods"
)

// ephemeralRequestMiB is the disk the scheduler sets aside for a container:
// most write next to nothing, and without a request the limit would count.
const ephemeralRequestMiB = 64

// requirements returns what the container may use and what the scheduler sets
// aside for it. Whatever a pod leaves open has the published default.
func requirements(pod pods.Pod, options Options) (corev1.ResourceRequirements, error) {
	asked := pod.Resources.Over(pods.NewRules().Defaults)
	storage := options.ephemeralStorageMiB()
	limits := corev1.ResourceList{
		corev1.ResourceCPU:              millis(*asked.CPULimit),
		corev1.ResourceMemory:           mebibytes(*asked.MemLimit),
		corev1.ResourceEphemeralStorage: mebibytes(storage),
	}
	requests := corev1.ResourceList{
		corev1.ResourceCPU:              millis(options.share(*asked.CPURequest)),
		corev1.ResourceMemory:           mebibytes(options.share(*asked.MemRequest)),
		corev1.ResourceEphemeralStorage: mebibytes(min(storage, ephemeralRequestMiB)),
	}
	left := *asked.GPUs
	for _, gpus := range options.queue(pod.ComputeQueue).GPUs {
		if take := min(left, gpus.Max); take > 0 {
			limits[corev1.ResourceName(gpus.Resource)] = *resource.NewQuantity(take, resource.DecimalSI)
			left -= take
		}
	}
	if left > 0 {
		return corev1.ResourceRequirements{}, pods.Invalid("The compute queue %q has no %d GPUs for a pod.", pod.ComputeQueue, *asked.GPUs)
	}
	return corev1.ResourceRequirements{Limits: limits, Requests: requests}, nil
}

// share returns the part of a request that the scheduler is told of, at least 1.
func (o Options) share(request int64) int64 {
	if o.Overcommit <= 1 {
		return request
	}
	return max(1, int64(math.Ceil(float64(request)/o.Overcommit)))
}

func millis(n int64) resource.Quantity {
	return *resource.NewMilliQuantity(n, resource.DecimalSI)
}

func mebibytes(n int64) resource.Quantity {
	return *resource.NewQuantity(n<<20, resource.BinarySI)
}
