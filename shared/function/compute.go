package function

import (
	"fmt"
	"os"

	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
)

// Compute says on which nodes pods can run. Programs that check or make pods
// need it.
type Compute struct {
	QueuesFile string `env:"PODS_QUEUES_FILE" help:"file of the compute queues, as docs/operations.md shows; without one there is the queue default, without GPUs"`
}

// Rules returns rules with the compute queues of the file.
//
// Errors: for a file that cannot be read or makes no sense.
func (c Compute) Rules(rules pods.Rules) (pods.Rules, error) {
	if c.QueuesFile == "" {
		return rules, nil
	}
	data, err := os.ReadFile(c.QueuesFile)
	if err != nil {
		return rules, fmt.Errorf("PODS_QUEUES_FILE: %w", err)
	}
	queues, err := document.Queues(data)
	if err != nil {
		return rules, fmt.Errorf("PODS_QUEUES_FILE %s: %w", c.QueuesFile, err)
	}
	return rules.WithQueues(queues), nil
}
