package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestTryLead(t *testing.T) {
	t.Parallel()

	url := podstest.DatabaseURL(t)
	options := postgres.Options{Now: podstest.NewClock().Now}
	store, other := postgres.New(podstest.Open(t, url), options), postgres.New(podstest.Open(t, url), options)
	lead := func(ctx context.Context, store *postgres.Store, name string, fn func(context.Context) error) bool {
		t.Helper()
		led, err := store.TryLead(ctx, name, fn)
		if err != nil {
			t.Fatalf("TryLead: %v", err)
		}
		return led
	}
	nothing := func(context.Context) error { return nil }
	ran := false
	led := lead(t.Context(), store, "health", func(ctx context.Context) error {
		ran = true
		if lead(ctx, store, "health", nothing) || lead(ctx, other, "health", nothing) {
			t.Error("two lead at once")
		}
		if !lead(ctx, other, "another", nothing) {
			t.Error("one name keeps others from leading under another")
		}
		return nil
	})
	if !led || !ran {
		t.Errorf("led %v, ran %v; want both", led, ran)
	}
	if !lead(t.Context(), other, "health", nothing) {
		t.Error("nobody leads after the first has ended")
	}
}

func TestTryLeadGivesWay(t *testing.T) {
	t.Parallel()

	url := podstest.DatabaseURL(t)
	options := postgres.Options{Now: podstest.NewClock().Now}
	store, other := postgres.New(podstest.Open(t, url), options), postgres.New(podstest.Open(t, url), options)
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	led, err := store.TryLead(ctx, "health", func(context.Context) error { cancel(); return broken })
	if !led || !errors.Is(err, broken) {
		t.Errorf("TryLead = %v, %v; want to have led, and the error", led, err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = store.TryLead(t.Context(), "health", func(context.Context) error { panic("broken") })
	}()
	led, err = other.TryLead(t.Context(), "health", func(context.Context) error { return nil })
	if !led || err != nil {
		t.Errorf("after a cancelled and a panicking leader: %v, %v; want to lead", led, err)
	}
}
