package events_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/events"
)

type sinkFunc func(ctx context.Context, event cloudevents.Event) error

func (f sinkFunc) Send(ctx context.Context, event cloudevents.Event) error { return f(ctx, event) }

func TestTick(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		start := time.Now()
		var at []time.Duration
		sink := sinkFunc(func(_ context.Context, event cloudevents.Event) error {
			at = append(at, time.Since(start))
			if event.Type() != events.TypeTick || event.Source() != "/apis/v1/namespaces/pods/pingsources/tick" || event.Validate() != nil {
				t.Errorf("sent %v", event)
			}
			if len(at) == 3 {
				time.Sleep(25 * time.Second) // the third tick is slow: two are left out
			}
			return errors.New("health is down") // ticks go on
		})
		events.Tick(ctx, sink, events.TickOptions{Namespace: "pods", Interval: 10 * time.Second, Logger: silent})

		want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 50 * time.Second, 60 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("ticks after the start (-want +got):\n%s", diff)
		}
	})
}
