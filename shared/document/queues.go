package document

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/pods-service/pods/shared/pods"
)

// queueFile is the form of a file of compute queues.
type queueFile struct {
	ComputeQueues []struct {
		QueueName    string       `json:"queue_name"`
		NodeSelector string       `json:"node_selector"` // "key,value"
		Tolerations  []toleration `json:"tolerations"`
		GPUResources []struct {
			ActivationResource string `json:"activation_resource"`
			MaxGPURequest      int64  `json:"max_gpu_request"`
		} `json:"gpu_resources"`
	} `json:"compute_queues"`
}

type toleration struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
	Effect   string `json:"effect"`
}

var (
	queueNamePattern = regexp.MustCompile(`^[a-z0-9]{1,64}$`)
	resourcePattern  = regexp.MustCompile(`^[a-z0-9.-]+/[a-zA-Z0-9._-]+$`)
)

// Queues reads the compute queues of an installation, JSON or YAML.
//
// Errors: naming the queue and what is wrong with it.
func Queues(data []byte) ([]pods.Queue, error) {
	var file queueFile
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return nil, fmt.Errorf("read compute queues: %w", err)
	}
	var queues []pods.Queue
	names := map[string]bool{}
	for _, entry := range file.ComputeQueues {
		queue := pods.Queue{Name: entry.QueueName}
		if !queueNamePattern.MatchString(queue.Name) || names[queue.Name] {
			return nil, fmt.Errorf("compute queue %q: queue_name must be lowercase alphanumeric and there once", queue.Name)
		}
		names[queue.Name] = true
		if entry.NodeSelector != "" {
			key, value, found := strings.Cut(entry.NodeSelector, ",")
			if !found || key == "" {
				return nil, fmt.Errorf("compute queue %q: node_selector must be \"key,value\"", queue.Name)
			}
			queue.NodeSelector = map[string]string{key: value}
		}
		for _, t := range entry.Tolerations {
			if !slices.Contains([]string{"", "Equal", "Exists"}, t.Operator) ||
				!slices.Contains([]string{"", "NoSchedule", "PreferNoSchedule", "NoExecute"}, t.Effect) {
				return nil, fmt.Errorf("compute queue %q: a toleration has an unknown operator or effect", queue.Name)
			}
			queue.Tolerations = append(queue.Tolerations, pods.Toleration(t))
		}
		for _, gpus := range entry.GPUResources {
			if !resourcePattern.MatchString(gpus.ActivationResource) || gpus.MaxGPURequest < 1 {
				return nil, fmt.Errorf("compute queue %q: gpu_resources need an activation_resource, such as nvidia.com/gpu, and a max_gpu_request of at least 1", queue.Name)
			}
			queue.GPUs = append(queue.GPUs, pods.GPUs{Resource: gpus.ActivationResource, Max: gpus.MaxGPURequest})
		}
		queues = append(queues, queue)
	}
	return queues, nil
}
