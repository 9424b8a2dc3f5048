package knative

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// repeatAfter is how long a client waits before it repeats a call, and pollEvery
// how long until it looks again what has become of a pod.
const (
	repeatAfter = 200 * time.Millisecond
	pollEvery   = time.Second
)

// user is a client of the API that repeats calls which fail for no fault of
// its own. It is safe for concurrent use.
type user struct {
	api      *client.Client
	attempts int // of each call at most; 0 means as many as it takes
	calls    atomic.Int64
	repeats  atomic.Int64
}

func newUser(t *testing.T, attempts int) *user {
	t.Helper()
	return &user{api: deployed.User(t, "alice"), attempts: attempts}
}

// do calls until that succeeds, up to the user's attempts. Again says that an
// earlier attempt may have had its effect without an answer.
func (u *user) do(ctx context.Context, call func(again bool) error) error {
	u.calls.Add(1)
	ctx, cancel := context.WithTimeout(ctx, suite.Patience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := call(attempt > 1)
		if err == nil || !isPassing(err) || attempt == u.attempts {
			return err
		}
		u.repeats.Add(1)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(repeatAfter):
		}
	}
}

// isPassing reports whether a call failed for a reason that may pass: no answer,
// or one that says so.
func isPassing(err error) bool {
	code := statusOf(err)
	return code == 0 || code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
}

// statusOf returns the status of the answer that err is about, 0 if there was
// none.
func statusOf(err error) int {
	if answer, ok := errors.AsType[*client.Error](err); ok {
		return answer.StatusCode
	}
	return 0
}

// create makes a pod that ends by itself at once.
func (u *user) create(ctx context.Context, podID string) error {
	err := u.do(ctx, func(again bool) error {
		_, err := u.api.CreatePod(ctx, map[string]any{"pod_id": podID, "template": "hello",
			"environment_variables": map[string]string{"HELLO_EXIT_CODE": "0"}})
		if again && statusOf(err) == http.StatusConflict {
			return nil // the first attempt had been recorded
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", podID, err)
	}
	return nil
}

// await waits until a pod is COMPLETE.
func (u *user) await(ctx context.Context, podID string) error {
	var pod client.Pod
	err := suite.Poll(ctx, pollEvery, func() error {
		err := u.do(ctx, func(bool) (err error) {
			pod, err = u.api.Pod(ctx, podID)
			return err
		})
		switch {
		case err != nil:
			return suite.Fatal(err)
		case pod.Status == pods.StatusError:
			return suite.Fatal(errors.New("it is in ERROR: " + pod.StatusContainer.Message))
		case pod.Status != pods.StatusComplete:
			return fmt.Errorf("it is %s", pod.Status)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", podID, err)
	}
	return nil
}

// remove deletes a pod.
func (u *user) remove(ctx context.Context, podID string) error {
	err := u.do(ctx, func(again bool) error {
		err := u.api.DeletePod(ctx, podID)
		if again && statusOf(err) == http.StatusNotFound {
			return nil // the first attempt had been recorded
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", podID, err)
	}
	return nil
}
