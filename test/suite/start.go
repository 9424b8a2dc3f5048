package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pods-service/pods/test/service"
)

// Start makes the service ready that TEST_TARGET names: podsd, which is the
// default, is built and started; knative runs already. Stop ends what was
// started.
func Start(ctx context.Context) (s *Suite, stop func() error, err error) {
	switch target := os.Getenv("TEST_TARGET"); target {
	case "", "podsd":
		return startPodsd(ctx)
	case "knative":
		s, err := Deployed(ctx)
		return s, func() error { return nil }, err
	default:
		return nil, nil, fmt.Errorf("TEST_TARGET is podsd or knative, not %q", target)
	}
}

// Deployed returns the service that is deployed on Knative.
func Deployed(ctx context.Context) (*Suite, error) {
	cluster, err := connect()
	if err != nil {
		return nil, err
	}
	deployed, err := service.NewKnative(ctx, cluster)
	if err != nil {
		return nil, err
	}
	return &Suite{Service: deployed, Cluster: cluster, Namespace: service.PodsNamespace}, nil
}

func connect() (kubernetes.Interface, error) {
	config, err := Config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

func startPodsd(ctx context.Context) (*Suite, func() error, error) {
	cluster, err := connect()
	if err != nil {
		return nil, nil, err
	}
	program, err := Build()
	if err != nil {
		return nil, nil, err
	}
	running, err := service.New(program.path, program.dir, program.environment()...)
	if err != nil {
		return nil, nil, errors.Join(err, program.Remove())
	}
	if err := running.Start(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w\n%s", err, running.Log()), program.Remove())
	}
	stop := func() error {
		err := running.Stop()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, running.Log())
		}
		removeNamespace(cluster, running.Namespace)
		return errors.Join(err, program.Remove())
	}
	return &Suite{Service: running, Cluster: cluster, Namespace: running.Namespace}, stop, nil
}

// Program is podsd, built with race detector and kill points.
type Program struct{ dir, path string }

// Build builds podsd into a temporary folder, which Remove removes.
func Build() (*Program, error) {
	dir, err := os.MkdirTemp("", "pods-test-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	program := &Program{dir, filepath.Join(dir, "podsd")}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // the database runs as another user and passes through
		return nil, errors.Join(err, program.Remove())
	}
	if err := os.WriteFile(program.queues(), []byte(queues), 0o600); err != nil {
		return nil, errors.Join(err, program.Remove())
	}
	build := exec.Command("go", "build", "-race", "-tags", "faults", "-o", program.path, "github.com/pods-service/pods/cmd/podsd") //nolint:gosec // the program under test
	if output, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build podsd: %w\n%s", err, output), program.Remove())
	}
	return program, nil
}

// Remove removes the folder.
func (p *Program) Remove() error { return os.RemoveAll(p.dir) }

// Podsd is a podsd that one test has to itself.
type Podsd struct {
	*Suite
	Process *service.Service
}

// Run starts a podsd that only t uses, with the variables in extra on top of
// its own settings.
func (p *Program) Run(t *testing.T, extra ...string) *Podsd {
	t.Helper()
	cluster, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.New(p.path, os.TempDir(), append(p.environment(), extra...)...)
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
		removeNamespace(cluster, s.Namespace)
		_ = os.RemoveAll(s.State)
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("start: %v\n%s", err, s.Log())
	}
	return &Podsd{&Suite{Service: s, Cluster: cluster, Namespace: s.Namespace, Alone: true}, s}
}

// Nowhere is a compute queue whose pods fit on no node: they stay CREATING.
const Nowhere = "nowhere"

const queues = `compute_queues: [{queue_name: ` + Nowhere + `, node_selector: "pods.io/nowhere,true"}]`

func (p *Program) queues() string { return filepath.Join(p.dir, "queues.yaml") }

// environment is what every podsd under test needs. Pods can have the images of
// scripts/databases.sh, and a Traefik on this machine can serve them.
func (p *Program) environment() []string {
	return []string{
		"KUBECONFIG=" + os.Getenv("TEST_KUBECONFIG"), "PODS_TICK=2s", "PODS_SNAPSHOT_INTERVAL=1s", "PODS_QUEUES_FILE=" + p.queues(),
		"PODS_IMAGES=dev.local/postgres,dev.local/redis",
		"PODS_TRAEFIK_ENTRYPOINTS=websecure", "PODS_TRAEFIK_BACKENDS=address",
	}
}

func removeNamespace(cluster kubernetes.Interface, name string) {
	now := int64(0)
	_ = cluster.CoreV1().Pods(name).DeleteCollection(context.Background(), metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	_ = cluster.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
}
