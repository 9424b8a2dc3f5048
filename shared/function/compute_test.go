package function_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/pods"
)

func TestComputeRules(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "compute_queues: [{queue_name: gpu, gpu_resources: [{activation_resource: nvidia.com/gpu, max_gpu_request: 4}]}]")
	rules, err := function.Compute{QueuesFile: good}.Rules(pods.NewRules())
	if err != nil {
		t.Fatal(err)
	}
	if queue, found := rules.Queue("gpu"); !found || queue.MaxGPUs() != 4 || *rules.Max.GPUs != 4 {
		t.Errorf("queue %+v, at most %d GPUs", queue, *rules.Max.GPUs)
	}
	if _, found := rules.Queue(pods.DefaultQueue); !found {
		t.Error("there is no default queue")
	}
	for _, path := range []string{filepath.Join(dir, "none.yaml"), write("bad.yaml", "compute_queues: {}")} {
		if _, err := (function.Compute{QueuesFile: path}).Rules(pods.NewRules()); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
	if rules, err := (function.Compute{}).Rules(pods.NewRules()); err != nil || len(rules.Queues) != 1 {
		t.Errorf("without a file: %d queues, %v", len(rules.Queues), err)
	}
}
