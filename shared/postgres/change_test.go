package postgres_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func setPermissions(t *testing.T, store *postgres.Store, tenantID, podID string, set permissions.Set) {
	t.Helper()
	caller := pods.Caller{TenantID: tenantID, Username: "alice"}
	if _, err := store.ChangePod(t.Context(), tenantID, podID, caller, change(postgres.Change{Permissions: set})); err != nil {
		t.Fatalf("set permissions of pod %s: %v", podID, err)
	}
}

func wantEmptyTables(t *testing.T, pool *pgxpool.Pool, tables ...string) {
	t.Helper()
	for _, table := range tables {
		var rows int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%s holds %d rows (%v), want none", table, rows, err)
		}
	}
}

func TestChangePodSpec(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	now := clock.Advance(time.Minute)
	stopAt := now.Add(time.Hour)
	set := permissions.Set{{User: "zoe", Level: permissions.User}, {User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}}

	changed, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(),
		func(_ context.Context, shown pods.Pod, _ permissions.Set) (postgres.Change, error) {
			wantSame(t, "the pod shown to change", shown, pod)
			next := shown
			next.Spec = shown.Clone()
			next.Description, next.EnvironmentVariables = "new", nil
			next.Command = []string{"serve"}
			next.Modified = []string{"command"}
			// None of these is the user's to set.
			next.UID, next.Status, next.K8sName, next.Instance = "other", pods.StatusError, "other", 99
			next.Address, next.StatusRequested = "1.2.3.4", pods.DesiredOff
			return postgres.Change{
				Pod: next, TimeToStopTS: pods.Some(&stopAt), Permissions: set, Actions: []string{"one", "two"},
			}, nil
		})
	if err != nil {
		t.Fatalf("ChangePod: %v", err)
	}
	want := pod
	want.Spec = pod.Clone()
	want.Description, want.EnvironmentVariables, want.Command = "new", nil, []string{"serve"}
	want.Modified, want.TimeToStopTS, want.UpdateTS = []string{"command"}, &stopAt, now
	wantSame(t, "the returned pod", changed, want)

	got := stateOf(t, store, pod.TenantID, pod.ID)
	wantSame(t, "the stored pod", got.Pod, want)
	wantSame(t, "the permissions", got.Permissions, set)
	wantSame(t, "the newest actions", got.Actions[len(got.Actions)-2:], []string{pods.ActionLine(now, "one"), pods.ActionLine(now, "two")})
	outbox := podstest.Outbox(t, store)
	wantSame(t, "the last event", outbox[len(outbox)-1].Type(), events.TypePodUpdated)

	// A change that brings no pod leaves the spec, and can end the time.
	changed, err = store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(),
		change(postgres.Change{TimeToStopTS: pods.Some[*time.Time](nil)}))
	if err != nil {
		t.Fatalf("ChangePod: %v", err)
	}
	want.TimeToStopTS = nil
	wantSame(t, "the pod after an empty change", changed, want)
}

func TestChangePodRefused(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Create(t, store)
	before := stateOf(t, store, pod.TenantID, pod.ID)
	refuse := errors.New("no")

	_, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(),
		func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) {
			return postgres.Change{Wish: pods.DesiredOff, Actions: []string{"x"}}, refuse
		})
	if err != refuse { //nolint:errorlint // it is to come back as it is
		t.Errorf("ChangePod = %v, want change's error as it is", err)
	}
	wantSame(t, "the pod after a refused change", stateOf(t, store, pod.TenantID, pod.ID), before)
}

// TestWish takes every wish to a pod in every status.
func TestWish(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for _, from := range pods.Statuses {
		for _, wish := range []pods.Desired{pods.DesiredOn, pods.DesiredOff, pods.DesiredRestart} {
			t.Run(string(from)+"/"+string(wish), func(t *testing.T) {
				t.Parallel()

				pod := podstest.CreateIn(t, store, from, tenantFor("wish", string(from), string(wish)))
				changed := podstest.Wish(t, store, pod, wish)

				want, event := pod, events.TypePodUpdated
				want.StatusRequested = wish
				switch {
				case wish == pods.DesiredOn && from == pods.StatusStopped:
					want.Status, want.Instance, event = pods.StatusRequested, pod.Instance+1, events.TypePodRequested
				case wish == pods.DesiredRestart, wish == pods.DesiredOff && from != pods.StatusStopped:
					event = events.TypePodStopRequested
				}
				wantSame(t, "the pod", changed, want)
				var last string
				query := `SELECT event ->> 'type' FROM outbox WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1`
				if err := podstest.Pool(t, store).QueryRow(t.Context(), query, pod.TenantID).Scan(&last); err != nil || last != event {
					t.Errorf("the event is %s (%v), want %s", last, err, event)
				}
			})
		}
	}
}

// TestWishesAtOnce checks that two wishes at the same time end as one after
// the other would: the action log tells which came last.
func TestWishesAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	wishes := map[pods.Desired]postgres.Change{
		pods.DesiredOn:      {Wish: pods.DesiredOn, Actions: []string{pods.ActionStarted("alice")}},
		pods.DesiredOff:     {Wish: pods.DesiredOff, Actions: []string{pods.ActionStopped("alice")}},
		pods.DesiredRestart: {Wish: pods.DesiredRestart, Actions: []string{pods.ActionRestarted("alice")}},
	}
	pairs := [][2]pods.Desired{
		{pods.DesiredOn, pods.DesiredOff}, {pods.DesiredOff, pods.DesiredRestart}, {pods.DesiredOn, pods.DesiredRestart},
	}
	for _, from := range []pods.Status{pods.StatusStopped, pods.StatusAvailable, pods.StatusDeleting} {
		for _, pair := range pairs {
			t.Run(string(from)+"/"+string(pair[0])+string(pair[1]), func(t *testing.T) {
				t.Parallel()

				pod := podstest.CreateIn(t, store, from, tenantFor("race", string(from), string(pair[0]), string(pair[1])))
				caller := pods.Caller{TenantID: pod.TenantID, Username: "alice"}
				wish := func(w pods.Desired) func() error {
					return func() error {
						_, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, caller, change(wishes[w]))
						return err
					}
				}
				if errs := atOnce(wish(pair[0]), wish(pair[1])); errs[0] != nil || errs[1] != nil {
					t.Fatalf("ChangePod: %v", errs)
				}
				got := stateOf(t, store, pod.TenantID, pod.ID)
				texts := actionTexts(t, store, pod)
				last := pair[0]
				if texts[len(texts)-1] == wishes[pair[1]].Actions[0] {
					last = pair[1]
				}
				if got.Pod.StatusRequested != last {
					t.Errorf("the pod is wanted %s, but the last to ask wanted %s", got.Pod.StatusRequested, last)
				}
				started := from == pods.StatusStopped && slices.Contains(pair[:], pods.DesiredOn)
				if want := pod.Instance; started && got.Pod.Instance != want+1 || !started && got.Pod.Instance != want {
					t.Errorf("the pod is in instance %d after %d, from %s with %v", got.Pod.Instance, pod.Instance, from, pair)
				}
			})
		}
	}
}

// TestChangePodIsAlone has a second request come while the first is being
// decided: it waits, and sees what the first has made.
func TestChangePodIsAlone(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	request := func(decide func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error)) error {
		_, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(), decide)
		return err
	}
	seen, second := make(chan pods.Desired, 1), make(chan error, 1)
	err := request(func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) {
		go func() {
			second <- request(func(_ context.Context, shown pods.Pod, _ permissions.Set) (postgres.Change, error) {
				seen <- shown.StatusRequested
				return postgres.Change{}, nil
			})
		}()
		waitForLock(t, store, seen)
		return postgres.Change{Wish: pods.DesiredOff}, nil
	})
	if err := errors.Join(err, <-second); err != nil {
		t.Fatalf("ChangePod: %v", err)
	}
	if wish := <-seen; wish != pods.DesiredOff {
		t.Errorf("the second request saw the wish %s, want the first one's OFF", wish)
	}
}

// waitForLock returns once a connection waits for a row, or something is seen
// without waiting.
func waitForLock(t *testing.T, store *postgres.Store, seen <-chan pods.Desired) {
	t.Helper()
	const query = `
		SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`

	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for waiting := false; !waiting && len(seen) == 0; {
		if err := podstest.Pool(t, store).QueryRow(t.Context(), query).Scan(&waiting); err != nil {
			t.Errorf("look for a lock: %v", err)
			return
		}
		select {
		case <-again.C:
		case <-t.Context().Done():
			return
		}
	}
}

func TestActionLog(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Create(t, store)
	log := func(texts ...string) {
		t.Helper()
		_, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(), change(postgres.Change{Actions: texts}))
		if err != nil {
			t.Fatalf("ChangePod: %v", err)
		}
	}
	log("same", "same")
	log("same")
	wantSame(t, "a repeated line", actionTexts(t, store, pod), []string{pods.ActionCreated("alice"), "same"})

	var all []string
	for i := range pods.MaxActionLogs + 50 {
		all = append(all, time.Duration(i).String())
	}
	log(all[:200]...)
	log(all[200:]...)
	want := append([]string{pods.ActionCreated("alice")}, all[len(all)-pods.MaxActionLogs+1:]...)
	wantSame(t, "a full log", actionTexts(t, store, pod), want)
}
