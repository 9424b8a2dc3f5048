package podstest

import (
	"context"
	"os"
	"testing"

	"github.com/pods-service/pods/shared/servers"
)

// ServersDir returns a new folder for servers.Config, removed after the test
// with whatever still runs in it. Unlike those of T.TempDir, the users that
// servers run as can reach it when the test runs as root.
func ServersDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pods-servers-")
	if err != nil {
		t.Fatalf("make a folder for servers: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := servers.Remove(ctx, dir); err != nil {
			t.Errorf("remove the servers' folder: %v", err)
		}
	})
	return dir
}

// Servers starts a Postgres and a Redis of the test's own, to be stopped and
// started at will. Both are stopped after the test.
func Servers(t testing.TB) *servers.Servers {
	t.Helper()
	running, err := servers.Start(t.Context(), servers.Config{Dir: ServersDir(t), Scratch: true})
	if err != nil {
		t.Fatalf("start servers: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := running.Stop(ctx); err != nil {
			t.Errorf("stop servers: %v", err)
		}
	})
	return running
}
