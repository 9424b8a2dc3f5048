package postgres_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

// TestOutage stops the database under a store and starts it again.
func TestOutage(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	running := podstest.Servers(t)
	pool := podstest.Open(t, running.DatabaseURL)
	if err := postgres.Migrate(ctx, pool); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	store := postgres.New(pool, postgres.Options{Key: podstest.Key, Now: podstest.NewClock().Now})
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)

	// A change that is under way when the database goes.
	_, err := store.ChangePod(ctx, pod.TenantID, pod.ID, podstest.Caller(),
		func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) {
			return postgres.Change{Wish: pods.DesiredOff}, running.StopPostgres(ctx)
		})
	wantUnavailable(t, "a change under way", err)
	again := podstest.Pod(podstest.ID("again"))
	calls := map[string]func() error{
		"Ping":     func() error { return store.Ping(ctx) },
		"Pod":      func() error { _, _, err := store.Pod(ctx, pod.TenantID, pod.ID); return err },
		"ListPods": func() error { _, err := store.ListPods(ctx, pod.TenantID, "alice"); return err },
		"Pods": func() (last error) {
			for _, err := range store.Pods(ctx, pod.TenantID, []postgres.ListedPod{{UID: pod.UID}}) {
				last = err
			}
			return last
		},
		"CreatePod": func() error { _, err := store.CreatePod(ctx, again, pods.Credentials{}, "alice"); return err },
		"DeletePod": func() error { return store.DeletePod(ctx, pod.TenantID, pod.ID, allow) },
		"ClaimPod":  func() error { _, _, err := store.ClaimPod(ctx, pod.Ref()); return err },
		"Overview":  func() error { _, err := store.Overview(ctx); return err },
		"Credentials": func() error {
			_, err := store.Credentials(ctx, pod.TenantID, pod.ID)
			return err
		},
		"UnsentEvents": func() error { _, err := store.UnsentEvents(ctx, 0, 1); return err },
		"TryLead":      func() error { _, err := store.TryLead(ctx, "health", nil); return err },
		"Migrate":      func() error { return postgres.Migrate(ctx, pool) },
	}
	for name, call := range calls {
		wantUnavailable(t, name, call())
	}

	if err := running.StartPostgres(ctx); err != nil {
		t.Fatalf("start Postgres again: %v", err)
	}
	stored, _, err := store.Pod(ctx, pod.TenantID, pod.ID)
	if err != nil {
		t.Fatalf("the first call after the outage: %v", err)
	}
	wantSame(t, "the pod after the outage", stored, pod)
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, pods.KindUnavailable)
	var shown *pods.Error
	if want := "The database cannot be reached. Try again in a moment."; errors.As(err, &shown) && shown.Message != want {
		t.Errorf("%s: the user sees %q, want %q", what, shown.Message, want)
	}
}

// TestTranslate has the server send errors of all kinds.
func TestTranslate(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		statement string // run while the pod's row is locked by somebody else
		want      pods.Kind
	}{
		"ShutDown":         {"SELECT pg_terminate_backend(pg_backend_pid())", pods.KindUnavailable},
		"Cancelled":        {"SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)", pods.KindTimeout},
		"StatementTimeout": {"SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)", pods.KindTimeout},
		"LockTimeout":      {"SET LOCAL lock_timeout = 1; SELECT * FROM pods FOR UPDATE", pods.KindUnavailable},
		"Serialization":    {"DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", pods.KindUnavailable},
		"Deadlock":         {"DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", pods.KindUnavailable},
		"DiskFull":         {"DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", pods.KindUnavailable},
		"TooManyClients":   {"DO $$ BEGIN RAISE SQLSTATE '53300'; END $$", pods.KindUnavailable},
		"StartingUp":       {"DO $$ BEGIN RAISE SQLSTATE '57P03'; END $$", pods.KindUnavailable},
		"IdleTransaction":  {"DO $$ BEGIN RAISE SQLSTATE '25P03'; END $$", pods.KindUnavailable},
		"KnownConstraint":  {"INSERT INTO pods SELECT * FROM pods", pods.KindConflict},
		"OtherConstraint":  {"INSERT INTO pod_actions SELECT * FROM pod_actions", pods.KindInternal},
		"Mistake":          {"SELECT nonsense", pods.KindInternal},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			store := podstest.Store(t)
			pool := podstest.Pool(t, store)
			podstest.Create(t, store)
			blocker, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatalf("begin: %v", err)
			}
			defer func() { _ = blocker.Rollback(context.Background()) }()
			if _, err := blocker.Exec(t.Context(), "SELECT FROM pods FOR UPDATE"); err != nil {
				t.Fatalf("lock the pod: %v", err)
			}
			conn, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatalf("acquire: %v", err)
			}
			defer conn.Release()
			results := conn.Conn().PgConn().Exec(t.Context(), "BEGIN; "+tc.statement)
			_, err = results.ReadAll()

			wantKind(t, tc.statement, postgres.Translate(err), tc.want)
		})
	}
}

// TestDeadline has a caller's time run out while the database is at work, and
// while it waits for a connection.
func TestDeadline(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pool := podstest.Pool(t, store)
	pod := podstest.Create(t, store)
	blocker, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	defer func() { _ = blocker.Rollback(context.Background()) }()
	if _, err := blocker.Exec(t.Context(), "SELECT FROM pods FOR UPDATE"); err != nil {
		t.Fatalf("lock the pod: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantKind(t, "waiting for a row", store.DeletePod(ctx, pod.TenantID, pod.ID, allow), pods.KindTimeout)
	wantKind(t, "a call whose time was over before", store.Ping(ctx), pods.KindTimeout)

	gone, leave := context.WithCancel(t.Context())
	leave()
	_, _, err = store.Pod(gone, pod.TenantID, pod.ID)
	wantKind(t, "a caller who has left", err, pods.KindTimeout)
}

func TestOpen(t *testing.T) {
	t.Parallel()

	for name, url := range map[string]string{
		"Nonsense": "postgres://%zz", "BadPort": "host=localhost port=none", "Secret": "postgres://u:hunter2@host:port/db",
	} {
		_, err := postgres.Open(t.Context(), url, 4)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Open = %v, want an error that shows no password", name, err)
		}
	}
	// No server there, and none needed yet.
	pool := podstest.Open(t, "postgres://u:hunter2@/db?host="+filepath.Join(t.TempDir(), "none"))
	err := postgres.New(pool, postgres.Options{Now: time.Now}).Ping(t.Context())
	wantUnavailable(t, "Ping", err)
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the error shows the password")
	}
}
