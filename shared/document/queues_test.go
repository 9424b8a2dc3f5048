package document_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
)

func TestQueues(t *testing.T) {
	t.Parallel()

	got, err := document.Queues([]byte(`
compute_queues:
  - queue_name: default
  - queue_name: gpu
    node_selector: "accelerator,a100"
    tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
    gpu_resources:
      - {activation_resource: nvidia.com/gpu, max_gpu_request: 2}
      - {activation_resource: nvidia.com/mig-1g.5gb, max_gpu_request: 4}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []pods.Queue{{Name: "default"}, {
		Name: "gpu", NodeSelector: map[string]string{"accelerator": "a100"},
		Tolerations: []pods.Toleration{{Key: "gpu", Operator: "Exists", Effect: "NoSchedule"}},
		GPUs:        []pods.GPUs{{Resource: "nvidia.com/gpu", Max: 2}, {Resource: "nvidia.com/mig-1g.5gb", Max: 4}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	for text, problem := range map[string]string{
		"compute_queues: [{queue_name: Big}]":                                                       "lowercase alphanumeric",
		"compute_queues: [{queue_name: a}, {queue_name: a}]":                                        "there once",
		"compute_queues: [{queue_name: a, node_selector: key}]":                                     "key,value",
		"compute_queues: [{queue_name: a, gpu_resources: [{activation_resource: gpu}]}]":            "nvidia.com/gpu",
		"compute_queues: [{queue_name: a, tolerations: [{operator: Maybe}]}]":                       "unknown operator",
		"compute_queues: [{queue_name: a, nodes: 3}]":                                               "unknown field",
		"compute_queues: [{queue_name: a, gpu_resources: [{activation_resource: nvidia.com/gpu}]}]": "at least 1",
	} {
		if _, err := document.Queues([]byte(text)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s = %v, want %q", text, err, problem)
		}
	}
}

// A pod that asks for what its queue has not is refused when it is created.
func TestQueuesHaveGPUs(t *testing.T) {
	t.Parallel()

	rules := pods.NewRules().WithQueues([]pods.Queue{{Name: "gpu", GPUs: []pods.GPUs{{Resource: "nvidia.com/gpu", Max: 2}, {Resource: "x/gpu", Max: 1}}}})
	for body, problem := range map[string]string{
		`{"pod_id":"abc","image":"i","compute_queue":"gpu","resources":{"gpus":3}}`: "",
		`{"pod_id":"abc","image":"i","compute_queue":"gpu","resources":{"gpus":4}}`: "resources.gpus out of bounds",
		`{"pod_id":"abc","image":"i","resources":{"gpus":1}}`:                       "compute queue 'default' can have 0",
		`{"pod_id":"abc","image":"i","compute_queue":"other"}`:                      "compute_queue must be in compute_queues list: [default gpu]",
	} {
		patch, err := document.Pod([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		pod, err := pods.New(pods.Caller{TenantID: "dev"}, pods.Tenant{}, patch, rules, "u", time.Unix(0, 0))
		if err == nil {
			err = rules.CheckMerged(pod.Spec)
		}
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s = %v, want %q", body, err, problem)
		}
	}
}
