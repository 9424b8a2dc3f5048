package podsd

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/servers"
	"github.com/pods-service/pods/test/suite"
)

// outage is how long each dependency stays away.
const outage = time.Minute

// TestOutage takes each dependency away for a minute while a pod runs. The pod
// goes on serving, the API says clearly what it cannot do, and all that was
// asked comes about afterwards. It runs alone: one of the dependencies is the
// cluster that the other tests use.
func TestOutage(t *testing.T) {
	t.Run("Servers", func(t *testing.T) {
		t.Run("Postgres", testPostgresOutage)
		t.Run("Redis", testRedisOutage)
	})
	t.Run("APIServer", testAPIServerOutage)
}

// newServers starts a database and a cache that the test can stop.
func newServers(t *testing.T) *servers.Servers {
	t.Helper()
	dir, err := os.MkdirTemp("", "pods-outage-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s, err := servers.Start(t.Context(), servers.Config{Dir: filepath.Join(dir, "servers"), Scratch: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

// steady starts a pod that must not notice the outage, and another that is
// told to stop just before.
func steady(t *testing.T, alice *client.Client) client.Pod {
	t.Helper()
	suite.Create(t, alice, "steady", nil)
	suite.Create(t, alice, "leaving", nil)
	suite.WaitFor(t, alice, "leaving", pods.StatusAvailable)
	pod := suite.WaitFor(t, alice, "steady", pods.StatusAvailable)
	if _, err := alice.StopPod(t.Context(), "leaving"); err != nil {
		t.Fatal(err)
	}
	return pod
}

// during calls check twice a second for as long as the outage lasts; the pod
// steady must answer each time.
func during(t *testing.T, s *suite.Suite, check func() error) {
	t.Helper()
	web := s.Browser(t)
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(outage); time.Now().Before(end); <-ticker.C {
		if page := suite.Get(t, web, suite.Address("steady")); page.Status != http.StatusOK {
			t.Fatalf("the running pod answers %d: %s", page.Status, page.Body)
		}
		if err := check(); err != nil {
			t.Fatal(err)
		}
	}
}

// converged checks that everything is as it was asked for and that the steady
// pod has not been started anew.
func converged(t *testing.T, s *suite.Suite, alice *client.Client, before client.Pod) {
	t.Helper()
	suite.WaitFor(t, alice, "leaving", pods.StatusStopped)
	after := suite.WaitFor(t, alice, "steady", pods.StatusAvailable)
	if !after.StartInstanceTS.Equal(before.StartInstanceTS.Time) {
		t.Error("the running pod has been started anew")
	}
	suite.Create(t, alice, "later", nil)
	suite.WaitFor(t, alice, "later", pods.StatusAvailable)
	s.WaitRunning(t, "later", "steady")
	s.WaitSettled(t)
}

func testPostgresOutage(t *testing.T) {
	t.Parallel()
	database := newServers(t)
	s := program.Run(t, "DATABASE_URL="+database.DatabaseURL, "REDIS_URL="+database.RedisURL)
	alice := s.User(t, "alice")
	before := steady(t, alice)

	if err := database.StopPostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	during(t, s.Suite, func() error {
		for _, path := range []string{"/v3/pods", "/v3/pods/steady", "/healthcheck"} {
			err := alice.Do(t.Context(), http.MethodGet, path, nil, nil)
			failure, ok := errors.AsType[*client.Error](err)
			if !ok || failure.StatusCode != http.StatusServiceUnavailable || !strings.Contains(failure.Error(), "database cannot be reached") {
				return errors.New(path + " without a database: " + errText(err))
			}
		}
		return nil
	})
	if err := database.StartPostgres(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := suite.Eventually(t.Context(), func() error { return alice.Do(t.Context(), http.MethodGet, "/healthcheck", nil, nil) }); err != nil {
		t.Fatal(err)
	}
	converged(t, s.Suite, alice, before)
}

func testRedisOutage(t *testing.T) {
	t.Parallel()
	cache := newServers(t)
	s := program.Run(t, "DATABASE_URL="+cache.DatabaseURL, "REDIS_URL="+cache.RedisURL)
	alice := s.User(t, "alice")
	before := steady(t, alice)

	if err := cache.StopRedis(t.Context()); err != nil {
		t.Fatal(err)
	}
	suite.Create(t, alice, "meanwhile", nil)
	suite.WaitFor(t, alice, "meanwhile", pods.StatusAvailable)
	suite.WaitPage(t, s.Browser(t), suite.Address("meanwhile"), http.StatusOK)
	if err := alice.DeletePod(t.Context(), "meanwhile"); err != nil {
		t.Error(err)
	}
	during(t, s.Suite, func() error {
		_, err := alice.Pods(t.Context())
		return err
	})
	if err := cache.StartRedis(t.Context()); err != nil {
		t.Fatal(err)
	}
	converged(t, s.Suite, alice, before)
}

func testAPIServerOutage(t *testing.T) {
	tool := os.Getenv("TEST_CLUSTER")
	if tool == "" {
		t.Log("TEST_CLUSTER is not set: the API server of a cluster that is not ours is left alone")
		return
	}
	s := program.Run(t)
	alice := s.User(t, "alice")
	before := steady(t, alice)

	control(t, tool, "stop")
	started := false
	defer func() {
		if !started {
			control(t, tool, "start")
		}
	}()
	created := suite.Create(t, alice, "waiting", nil)
	if created.Status != pods.StatusRequested {
		t.Errorf("a pod created without a cluster is %s", created.Status)
	}
	during(t, s.Suite, func() error {
		if _, err := alice.Pod(t.Context(), "steady"); err != nil {
			return err
		}
		_, err := alice.PodLogs(t.Context(), "steady") // the collected part
		return err
	})
	control(t, tool, "start")
	started = true
	suite.WaitFor(t, alice, "waiting", pods.StatusAvailable)
	if err := alice.DeletePod(t.Context(), "waiting"); err != nil {
		t.Error(err)
	}
	converged(t, s.Suite, alice, before)
}

// control stops or starts the API server of the local cluster.
func control(t *testing.T, tool, verb string) {
	t.Helper()
	args := []string{tool, verb, "kube-apiserver"}
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "--preserve-env"}, args...)
	}
	if output, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("cluster %s: %v\n%s", verb, err, output)
	}
}

func errText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}
