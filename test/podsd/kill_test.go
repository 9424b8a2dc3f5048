package podsd

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// deed is something a user asks for, and how it must end whatever happens on
// the way.
type deed struct {
	status pods.Status // of the pod when it is asked for
	ask    func(context.Context, *client.Client) error
	// recorded reports whether what was asked for had been committed. Nil means
	// that the points of the deed are passed only after that.
	recorded func(context.Context, *client.Client) bool
	check    func(*testing.T, *suite.Suite, *client.Client)
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
		check: func(t *testing.T, s *suite.Suite, c *client.Client) {
			suite.WaitFor(t, c, victim, pods.StatusAvailable)
			s.WaitRunning(t, victim)
			// The container runs; its program may need a moment more to listen.
			suite.WaitPage(t, s.Browser(t), suite.Address(victim), http.StatusOK)
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
		check: func(t *testing.T, s *suite.Suite, c *client.Client) {
			suite.WaitFor(t, c, victim, pods.StatusStopped)
			s.WaitGone(t, victim)
		},
	},
	"restart": {
		status: pods.StatusAvailable,
		ask: func(ctx context.Context, c *client.Client) error {
			_, err := c.RestartPod(ctx, victim)
			return err
		},
		check: func(t *testing.T, s *suite.Suite, c *client.Client) {
			suite.WaitWanted(t, c, victim)
			s.WaitRunning(t, victim)
		},
	},
	"delete": {
		status: pods.StatusAvailable,
		ask:    func(ctx context.Context, c *client.Client) error { return c.DeletePod(ctx, victim) },
		recorded: func(ctx context.Context, c *client.Client) bool {
			_, err := c.Pod(ctx, victim)
			return err != nil
		},
		check: func(t *testing.T, s *suite.Suite, _ *client.Client) { s.WaitGone(t, victim) },
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
	s := program.Run(t, "PODS_KILL_FILE="+trap)
	alice := s.User(t, "alice")
	if deed.status != "" {
		suite.Create(t, alice, victim, nil)
		suite.WaitFor(t, alice, victim, deed.status)
	}
	if err := os.WriteFile(trap, []byte(point), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := deed.ask(t.Context(), alice)
	select {
	case <-s.Process.Ended():
	case <-time.After(suite.Patience):
		t.Fatal("the process never came to " + point)
	}
	if err := os.Remove(trap); err != nil {
		t.Fatal(err)
	}
	if err := s.Process.Start(t.Context()); err != nil {
		t.Fatalf("start after the kill: %v\n%s", err, s.Log())
	}
	alice = s.User(t, "alice")
	// What was committed must come about even if its answer was cut off. Work of
	// the service's own may have come to the point first: then the user, who got
	// an error, asks again.
	if asked != nil && deed.recorded != nil && !deed.recorded(t.Context(), alice) {
		if err := deed.ask(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
	}
	deed.check(t, s.Suite, alice)
	s.WaitSettled(t)
}
