package knative

import (
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/test/suite"
)

// clients is how many clients call while a function is rolled out.
const clients = 4

// TestRollout gives each function a new revision while clients create, read and
// delete pods. Each call succeeds at once or when it is repeated once.
func TestRollout(t *testing.T) {
	for _, name := range []string{"api", "spawner", "health", "logs"} {
		t.Run(name, func(t *testing.T) {
			alice := newUser(t, 2)
			stop := make(chan struct{})
			var callers sync.WaitGroup
			end := sync.OnceFunc(func() {
				close(stop)
				callers.Wait()
			})
			defer end()
			for range clients {
				callers.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if err := call(t, alice); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			started := time.Now()
			before, err := revise(t.Context(), name, map[string]any{"pods.io/rolled-out": suite.NewID("")})
			if err != nil {
				t.Error(err)
			} else {
				revision(before).waitNone(t)
			}
			took := time.Since(started)
			end()
			t.Logf("rolled out in %s under %d calls: %d repeated, none failed",
				took.Round(100*time.Millisecond), alice.calls.Load(), alice.repeats.Load())
		})
	}
}

// call uses the API as a client does that has one short task.
func call(t *testing.T, alice *user) error {
	podID := suite.NewID("rollout")
	if err := alice.create(t.Context(), podID); err != nil {
		return err
	}
	if err := alice.await(t.Context(), podID); err != nil {
		return err
	}
	err := alice.do(t.Context(), func(bool) error {
		_, err := alice.api.Pods(t.Context())
		return err
	})
	if err != nil {
		return err
	}
	err = alice.do(t.Context(), func(bool) error {
		_, err := alice.api.PodLogs(t.Context(), podID)
		return err
	})
	if err != nil {
		return err
	}
	return alice.remove(t.Context(), podID)
}
