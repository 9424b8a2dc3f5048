package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
)

// removePods deletes every pod of s from the cluster, as an operator might.
func removePods(t *testing.T, s *suite) {
	t.Helper()
	now := int64(0)
	err := cluster.CoreV1().Pods(s.Namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// deed is something a user asks for, and how it must end whatever happens on
// the way.
type deed struct {
	status pods.Status // of the pod when it is asked for
	ask    func(context.Context, *client.Client) error
	// recorded reports whether what was asked for had been committed. Nil means
	// that the points of the deed are passed only after that.
	recorded func(context.Context, *client.Client) bool
	check    func(*testing.T, *suite, *client.Client)
}

const victim = "victim"

var deeds = map[string]deed{
	"create": {
		ask: func(ctx context.Context, c *client.Client) error {
			_, err := c.CreatePod(ctx, map[string]any{"pod_id": victim, "template": "hello"})
			return err
		},
		recorded: func(ctx context.Context, c *client.Client) bool {
			_, err := c.Pod(ctx, victim)
			return err == nil
		},
		check: func(t *testing.T, s *suite, c *client.Client) {
			waitFor(t, c, victim, pods.StatusAvailable)
			s.waitObjects(t, "pod/pods-dev-dev-"+victim, "service/pods-dev-dev-"+victim)
			if page := s.get(t, s.web(t), "https://"+victim+".pods.localhost/"); page.status != 200 {
				t.Errorf("its address answers %d", page.status)
			}
		},
	},
	"stop": {
		status: pods.StatusAvailable,
		ask: func(ctx context.Context, c *client.Client) error {
			_, err := c.StopPod(ctx, victim)
			return err
		},
		recorded: func(ctx context.Context, c *client.Client) bool {
			pod, err := c.Pod(ctx, victim)
			return err == nil && pod.StatusRequested == pods.DesiredOff
		},
		check: func(t *testing.T, s *suite, c *client.Client) {
			waitFor(t, c, victim, pods.StatusStopped)
			s.waitObjects(t)
		},
	},
	"restart": {
		status: pods.StatusAvailable,
		ask: func(ctx context.Context, c *client.Client) error {
			_, err := c.RestartPod(ctx, victim)
			return err
		},
		check: func(t *testing.T, s *suite, c *client.Client) {
			err := eventually(t.Context(), func() error {
				pod, err := c.Pod(t.Context(), victim)
				if err == nil && (pod.Status != pods.StatusAvailable || pod.StatusRequested != pods.DesiredOn) {
					err = fmt.Errorf("the pod is %s and wanted %s", pod.Status, pod.StatusRequested)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			s.waitObjects(t, "pod/pods-dev-dev-"+victim, "service/pods-dev-dev-"+victim)
		},
	},
	"delete": {
		status: pods.StatusAvailable,
		ask:    func(ctx context.Context, c *client.Client) error { return c.DeletePod(ctx, victim) },
		recorded: func(ctx context.Context, c *client.Client) bool {
			_, err := c.Pod(ctx, victim)
			return err != nil
		},
		check: func(t *testing.T, s *suite, _ *client.Client) { s.waitObjects(t) },
	},
}

// TestKilled kills the service with SIGKILL at each marked point between
// commit, publication and the call to the cluster. After a new start the pod
// reaches the state that was asked for, and nothing is left over.
func TestKilled(t *testing.T) {
	t.Parallel()
	points := map[string][]string{
		"create":  {"store.after_commit", "relay.enqueued", "spawner.claimed", "spawner.created", "spawner.moved", "health.observed", "relay.delivered"},
		"stop":    {"store.after_commit", "spawner.deleting", "spawner.deleted"},
		"restart": {"spawner.deleting", "spawner.claimed"},
		"delete":  {"store.after_commit", "spawner.deleting", "spawner.deleted"},
	}
	for name, deed := range deeds {
		for _, point := range points[name] {
			t.Run(name+"/"+point, func(t *testing.T) {
				t.Parallel()
				killAt(t, deed, point)
			})
		}
	}
}

func killAt(t *testing.T, deed deed, point string) {
	trap := filepath.Join(t.TempDir(), "point")
	s := newService(t, "PODS_KILL_FILE="+trap)
	alice := s.as(t, "alice")
	if deed.status != "" {
		create(t, alice, victim, nil)
		waitFor(t, alice, victim, deed.status)
	}
	if err := os.WriteFile(trap, []byte(point), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := deed.ask(t.Context(), alice)
	select {
	case <-s.Ended():
	case <-time.After(patience):
		t.Fatal("the process never came to " + point)
	}
	if err := os.Remove(trap); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start after the kill: %v\n%s", err, s.Log())
	}
	alice = s.as(t, "alice")
	// What was committed must come about even if its answer was cut off. Work of
	// the service's own may have come to the point first: then the user, who got
	// an error, asks again.
	if asked != nil && deed.recorded != nil && !deed.recorded(t.Context(), alice) {
		if err := deed.ask(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
	}
	deed.check(t, s, alice)
	s.waitSettled(t)
}

// waitSettled waits until the outbox is empty: every event has been delivered.
func (s *suite) waitSettled(t *testing.T) {
	t.Helper()
	err := eventually(t.Context(), func() error {
		if metrics := s.metrics(t); !strings.Contains(metrics, "\npods_outbox_events 0\n") {
			return errors.New("the outbox is not empty, or is not counted")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
