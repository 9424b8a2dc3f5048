package suite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
)

// cleanupTimeout bounds what is done after a test has ended.
const cleanupTimeout = 10 * time.Second

// Create makes a pod of the template hello. It is deleted after the test unless
// the test does.
func Create(t *testing.T, c *client.Client, podID string, environment map[string]string) client.Pod {
	t.Helper()
	if environment == nil {
		environment = map[string]string{}
	}
	return CreateOf(t, c, map[string]any{"pod_id": podID, "template": "hello", "environment_variables": environment})
}

// CreateOf makes a pod of fields. It is deleted after the test unless the test
// does.
func CreateOf(t *testing.T, c *client.Client, fields map[string]any) client.Pod {
	t.Helper()
	pod, err := c.CreatePod(t.Context(), fields)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		_ = c.DeletePod(ctx, pod.PodID) // it, or the service, may be gone
	})
	return pod
}

// WaitFor waits until the pod has the status and returns it. It fails at once
// when the pod ends as ERROR and that is not what is waited for.
func WaitFor(t *testing.T, c *client.Client, podID string, want pods.Status) client.Pod {
	t.Helper()
	var pod client.Pod
	err := Eventually(t.Context(), func() error {
		var err error
		if pod, err = c.Pod(t.Context(), podID); err != nil {
			return err
		}
		switch pod.Status {
		case want:
			return nil
		case pods.StatusError:
			return Fatal(fmt.Errorf("pod %s is in ERROR: %s", podID, pod.StatusContainer.Message))
		}
		return fmt.Errorf("pod %s is %s", podID, pod.Status)
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v", want, err)
	}
	return pod
}

// WaitWanted waits until the pod is AVAILABLE and wanted ON, as after a restart.
func WaitWanted(t *testing.T, c *client.Client, podID string) {
	t.Helper()
	err := Eventually(t.Context(), func() error {
		pod, err := c.Pod(t.Context(), podID)
		if err == nil && (pod.Status != pods.StatusAvailable || pod.StatusRequested != pods.DesiredOn) {
			err = fmt.Errorf("pod %s is %s and wanted %s", podID, pod.Status, pod.StatusRequested)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// WaitLogs waits until the log of a pod has all the parts, and returns it. An
// answer may leave out the newest lines when the node is busy.
func WaitLogs(t *testing.T, c *client.Client, podID string, parts ...string) client.Logs {
	t.Helper()
	var logs client.Logs
	err := Eventually(t.Context(), func() (err error) {
		if logs, err = c.PodLogs(t.Context(), podID); err != nil {
			return err
		}
		for _, part := range parts {
			if !strings.Contains(logs.Logs, part) {
				return fmt.Errorf("the log of %s lacks %q: %q", podID, part, logs.Logs)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return logs
}
