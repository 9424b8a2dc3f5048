package pods_test

import (
	"slices"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

// TestTransitionsLeadOut checks the promise that nothing can be stuck: every
// passing status has a limit, every status a way to STOPPED, and every limit a
// move that ends it.
func TestTransitionsLeadOut(t *testing.T) {
	t.Parallel()

	next := map[pods.Status][]pods.Status{}
	for _, transition := range pods.Transitions {
		next[transition.From] = append(next[transition.From], transition.To)
	}
	for _, status := range pods.Statuses {
		seen := map[pods.Status]bool{}
		queue := []pods.Status{status}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			if !seen[at] {
				seen[at] = true
				queue = append(queue, next[at]...)
			}
		}
		if !seen[pods.StatusStopped] {
			t.Errorf("%s never leads to STOPPED", status)
		}
		if !seen[pods.StatusRequested] {
			t.Errorf("%s never leads back to REQUESTED", status)
		}
	}
	for status := range pods.Limits {
		if status != pods.StatusDeleting && !pods.MayMove(pods.ActorHealth, status, pods.StatusError) {
			t.Errorf("health cannot end %s when its time is over", status)
		}
	}
	for _, passing := range []pods.Status{pods.StatusRequested, pods.StatusSpawnerSetup, pods.StatusCreating, pods.StatusDeleting} {
		if _, found := pods.Limits[passing]; !found {
			t.Errorf("%s has no limit", passing)
		}
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()

	got := pods.From(pods.ActorSpawner, pods.StatusDeleting)
	want := []pods.Status{
		pods.StatusRequested, pods.StatusSpawnerSetup, pods.StatusCreating, pods.StatusAvailable, pods.StatusComplete, pods.StatusError,
	}
	if !slices.Equal(got, want) {
		t.Errorf("From(spawner, DELETING) = %v, want %v: a stop works in every status but STOPPED", got, want)
	}
	if pods.MayMove(pods.ActorAPI, pods.StatusAvailable, pods.StatusDeleting) {
		t.Error("the API may delete objects, want only the spawner to")
	}
}
