// Package e2e tests the whole service as its users meet it: podsd as a process
// of its own, on a real cluster, through REST and the gateway.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/service"
)

// patience is how long a test waits for what takes a second or two on a quiet
// machine.
const patience = 2 * time.Minute

var (
	podsd   string // the program under test, built with race detector and kill points
	cluster kubernetes.Interface
	shared  *suite // for tests that do not disturb it
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pods-e2e-")
	if err != nil {
		return failed("make a folder: %v", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o711); err != nil { // the database runs as another user
		return failed("open the folder: %v", err)
	}
	kubeconfig := os.Getenv("TEST_KUBECONFIG")
	if kubeconfig == "" {
		return failed("TEST_KUBECONFIG names no cluster; run: make test")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return failed("read TEST_KUBECONFIG: %v", err)
	}
	config.QPS, config.Burst = 200, 400
	cluster = kubernetes.NewForConfigOrDie(config)

	podsd = filepath.Join(dir, "podsd")
	build := exec.Command("go", "build", "-race", "-tags", "faults", "-o", podsd, "../../cmd/podsd")
	if output, err := build.CombinedOutput(); err != nil {
		return failed("build podsd: %v\n%s", err, output)
	}
	running, err := service.New(podsd, dir, env()...)
	if err != nil {
		return failed("%v", err)
	}
	shared = &suite{running}
	if err := shared.Start(context.Background()); err != nil {
		return failed("start the service: %v\n%s", err, shared.Log())
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		return failed("stop the service: %v\n%s", err, shared.Log())
	}
	removeNamespace(shared.Namespace)
	if code != 0 {
		fmt.Fprintln(os.Stderr, shared.Log())
	}
	return code
}

func failed(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "e2e: "+format+"\n", args...)
	return 1
}

// env is what every service under test needs.
func env() []string {
	return []string{"KUBECONFIG=" + os.Getenv("TEST_KUBECONFIG"), "PODS_TICK=2s"}
}

func removeNamespace(name string) {
	now := int64(0)
	_ = cluster.CoreV1().Pods(name).DeleteCollection(context.Background(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	_ = cluster.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
}

// suite is a running service with what tests ask of it.
type suite struct{ *service.Service }

// newService starts a service that only t uses.
func newService(t *testing.T, extra ...string) *suite {
	t.Helper()
	s, err := service.New(podsd, os.TempDir(), append(env(), extra...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Log(s.Log())
		}
		removeNamespace(s.Namespace)
		_ = os.RemoveAll(s.State)
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start: %v\n%s", err, s.Log())
	}
	return &suite{s}
}

// as returns a client logged in as user of the tenant dev.
func (s *suite) as(t *testing.T, user string) *client.Client {
	t.Helper()
	c, err := s.As(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// web is a client that reaches every pod of s by name and trusts its CA.
func (s *suite) web(t *testing.T) *http.Client {
	t.Helper()
	web, err := s.Web(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	return web
}

type page struct {
	status int
	proto  string
	header http.Header
	body   string
}

func (s *suite) get(t *testing.T, web *http.Client, url string) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Proto, resp.Header, string(body)}
}

// waitPage waits until url answers with status. The gateway hears of a change
// right after its commit, so this takes milliseconds.
func (s *suite) waitPage(t *testing.T, web *http.Client, url string, status int) {
	t.Helper()
	err := eventually(t.Context(), func() error {
		if page := s.get(t, web, url); page.status != status {
			return fmt.Errorf("%s answers %d, want %d", url, page.status, status)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// create makes a pod of the template hello.
func create(t *testing.T, c *client.Client, podID string, environment map[string]string) client.Pod {
	t.Helper()
	pod, err := c.CreatePod(t.Context(), map[string]any{"pod_id": podID, "template": "hello", "environment_variables": orEmpty(environment)})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// waitFor waits until the pod has the status and returns it. It fails at once
// when the pod ends as ERROR and that is not what is waited for.
func waitFor(t *testing.T, c *client.Client, podID string, want pods.Status) client.Pod {
	t.Helper()
	var pod client.Pod
	err := eventually(t.Context(), func() error {
		var err error
		if pod, err = c.Pod(t.Context(), podID); err != nil {
			return err
		}
		switch pod.Status {
		case want:
			return nil
		case pods.StatusError:
			return errFatal{fmt.Errorf("pod %s is in ERROR: %s", podID, pod.StatusContainer.Message)}
		}
		return fmt.Errorf("pod %s is %s", podID, pod.Status)
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v", want, err)
	}
	return pod
}

// errFatal ends eventually at once.
type errFatal struct{ error }

// eventually calls check until it returns nil or patience is over.
func eventually(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if fatal, ok := errors.AsType[errFatal](err); err == nil || ok {
			if ok {
				return fatal.error
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// objects lists what is left of a pod id in the cluster.
func (s *suite) objects(ctx context.Context) ([]string, error) {
	var names []string
	podList, err := cluster.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, pod := range podList.Items {
		names = append(names, "pod/"+pod.Name)
	}
	services, err := cluster.CoreV1().Services(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, service := range services.Items {
		names = append(names, "service/"+service.Name)
	}
	claims, err := cluster.CoreV1().PersistentVolumeClaims(s.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, claim := range claims.Items {
		names = append(names, "claim/"+claim.Name)
	}
	return names, nil
}

// waitObjects waits until exactly want is in the namespace.
func (s *suite) waitObjects(t *testing.T, want ...string) {
	t.Helper()
	err := eventually(t.Context(), func() error {
		got, err := s.objects(t.Context())
		if err != nil {
			return err
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			return fmt.Errorf("the namespace holds %v, want %v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// metrics reads one counter or gauge without labels.
func (s *suite) metrics(t *testing.T) string {
	t.Helper()
	return s.get(t, http.DefaultClient, s.At().API+"/metrics").body
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}
