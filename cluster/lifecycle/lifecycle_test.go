//go:build cluster

package lifecycle_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/images"
	"github.com/pods-service/pods/cluster/lifecycle"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/process"
)

// runFolder holds the sockets: its path must be short.
var runFolder = fmt.Sprintf("/run/pods-cluster-test-%d", os.Getppid())

// upLimit is how long a start from nothing may take. It took 12 to 15 seconds
// on two idle cores when the limit was set; other tests may run beside it.
const upLimit = 60 * time.Second

// bench is a cluster of this test's own.
type bench struct {
	layout  components.Layout
	out     *bytes.Buffer
	cluster *lifecycle.Cluster
}

// newBench returns a cluster that is not up yet. CLUSTER_BIN names the folder
// with the programs that cluster build has built.
func newBench(t *testing.T) *bench {
	t.Helper()
	bin := os.Getenv("CLUSTER_BIN")
	if bin == "" {
		t.Fatal("CLUSTER_BIN must name the folder that cluster build has filled")
	}
	b := &bench{layout: components.Layout{State: filepath.Join(t.TempDir(), "state"), Run: runFolder, Bin: bin}, out: &bytes.Buffer{}}
	var err error
	if b.cluster, err = lifecycle.New(b.layout, io.MultiWriter(b.out, testWriter{t})); err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := b.cluster.Down(context.Background()); err != nil {
			t.Errorf("Down after the test: %v", err)
		}
	})
	return b
}

// The whole life of a cluster, with a death in the middle.
func TestLifecycle(t *testing.T) {
	b := newBench(t)
	before := look(t)

	b.up(t, "ready")
	b.up(t, "running already")
	b.runPod(t, "first")
	b.checkDNS(t)
	b.checkOutage(t, "first")

	bystander := b.killAll(t)
	if b.status(t).Up() {
		t.Error("Up after everything was killed")
	}
	b.up(t, "removed what was left")
	b.runPod(t, "second")

	if err := b.cluster.Down(t.Context()); err != nil {
		t.Fatalf("Down: %v", err)
	}
	if !bystander.Running() {
		t.Error("a process whose number a component once had was killed")
	}
	if err := bystander.Stop(t.Context(), 0); err != nil {
		t.Error(err)
	}
	// The kernel takes a moment to forget killed processes and their links.
	waitUntil(t, "nothing is left", func() bool { return cmp.Equal(before, look(t)) }, func() string {
		return cmp.Diff(before, look(t))
	})
	if err := b.cluster.Down(t.Context()); err != nil {
		t.Errorf("Down of nothing: %v", err)
	}
}

// Two commands at once: one starts the cluster, the other finds it running.
func TestUpTwiceAtOnce(t *testing.T) {
	b := newBench(t)
	outs := [2]bytes.Buffer{}
	results := make(chan error, len(outs))
	for i := range outs {
		cluster, err := lifecycle.New(b.layout, &outs[i])
		if err != nil {
			t.Fatal(err)
		}
		go func() { results <- cluster.Up(t.Context(), lifecycle.DefaultTimeout) }()
	}
	for range outs {
		if err := <-results; err != nil {
			t.Errorf("Up: %v", err)
		}
	}
	both := outs[0].String() + outs[1].String()
	if strings.Count(both, "running already") != 1 || strings.Count(both, "CoreDNS answers") != 1 {
		t.Errorf("want one start and one that finds it running:\n%s", both)
	}
}

// A start that fails says why and leaves only the logs.
func TestUpFails(t *testing.T) {
	b := newBench(t)
	broken := b.layout
	broken.Bin = t.TempDir()
	for _, file := range []string{"coredns.tar", "pause.tar"} {
		if err := os.Symlink(filepath.Join(b.layout.Bin, file), filepath.Join(broken.Bin, file)); err != nil {
			t.Fatal(err)
		}
	}
	// An API server that ends at once; everything else is real.
	script := fmt.Sprintf("#!/bin/sh\ncase $1 in kube-apiserver) echo no room for me >&2; exit 1;; esac\nexec %s/kube \"$@\"\n", b.layout.Bin)
	if err := os.WriteFile(filepath.Join(broken.Bin, "kube"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	before := look(t)
	cluster, err := lifecycle.New(broken, testWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	err = cluster.Up(t.Context(), lifecycle.DefaultTimeout)
	if err == nil || !strings.Contains(err.Error(), "no room for me") {
		t.Errorf("Up: %v, want the API server's last words", err)
	}
	waitUntil(t, "nothing is left", func() bool { return cmp.Equal(before, look(t)) }, func() string {
		return cmp.Diff(before, look(t))
	})
	if _, err := os.Stat(broken.Log(components.APIServer)); err != nil {
		t.Errorf("the log is gone: %v", err)
	}
	b.up(t, "ready")
}

func (b *bench) up(t *testing.T, want string) {
	t.Helper()
	b.out.Reset()
	started := time.Now()
	if err := b.cluster.Up(t.Context(), lifecycle.DefaultTimeout); err != nil {
		t.Fatalf("Up: %v", err)
	}
	if elapsed := time.Since(started); elapsed > upLimit {
		t.Errorf("Up took %s, want at most %s", elapsed, upLimit)
	}
	if !strings.Contains(b.out.String(), want) {
		t.Errorf("Up said %q, want %q in it", b.out, want)
	}
	if status := b.status(t); !status.Up() {
		t.Errorf("not up after Up: %+v", status)
	}
}

func (b *bench) status(t *testing.T) lifecycle.Status {
	t.Helper()
	status, err := b.cluster.Status(t.Context())
	if err != nil {
		t.Fatalf("Status: %v", err)
	}
	return status
}

// loadProgram builds an image of a program in testdata and loads it.
func (b *bench) loadProgram(t *testing.T, name string) {
	t.Helper()
	folder := t.TempDir()
	program, image := filepath.Join(folder, name), filepath.Join(folder, name+".tar")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the pod's program: %v\n%s", err, output)
	}
	spec := images.Spec{
		Name: "dev.local/" + name + ":1", Entrypoint: []string{"/" + name}, User: "65532",
		Files: []images.File{{Source: program, Destination: "/" + name}},
	}
	if err := images.Write(spec, image); err != nil {
		t.Fatalf("build the image: %v", err)
	}
	names, err := b.cluster.Load(t.Context(), image)
	if err != nil || !cmp.Equal(names, []string{spec.Name}) {
		t.Fatalf("Load = %v, %v", names, err)
	}
}

// runPod runs a pod, and uses all that a pod is used for.
func (b *bench) runPod(t *testing.T, name string) {
	t.Helper()
	b.loadProgram(t, "hello")
	b.kubectl(t, "run", name, "--image=dev.local/hello:1", "--image-pull-policy=IfNotPresent", "--port=80", "--expose")
	b.kubectl(t, "wait", "--for=condition=Ready", "--timeout=60s", "pod/"+name)
	if got := b.kubectl(t, "logs", name); got != "hello is up\n" {
		t.Errorf("logs = %q", got)
	}
	if got := b.kubectl(t, "exec", name, "--", "/hello", "from exec"); got != "said from exec\n" {
		t.Errorf("exec printed %q", got)
	}
	service := b.kubectl(t, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
	waitUntil(t, "the service answers", func() bool { return fetch(t, "http://"+service) == "hello" }, nil)
}

// checkDNS asks the cluster's DNS server for a service.
func (b *bench) checkDNS(t *testing.T) {
	t.Helper()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "10.96.0.10:53")
	}}
	addresses, err := resolver.LookupHost(t.Context(), "kubernetes.default.svc.cluster.local.")
	if err != nil || !cmp.Equal(addresses, []string{"10.96.0.1"}) {
		t.Errorf("the API server's service is at %v, %v", addresses, err)
	}
}

// checkOutage stops the API server for a while. Pods do not notice.
func (b *bench) checkOutage(t *testing.T, pod string) {
	t.Helper()
	address := b.kubectl(t, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
	if err := b.cluster.StopComponent(t.Context(), components.APIServer, 0); err != nil {
		t.Fatalf("StopComponent: %v", err)
	}
	status := b.status(t)
	for _, component := range status.Components {
		if running := component.PID != 0; running != (component.Name != components.APIServer) {
			t.Errorf("%s runs: %t", component.Name, running)
		}
	}
	if got := fetch(t, "http://"+address); got != "hello" {
		t.Errorf("the pod answers %q while the API server is down", got)
	}
	for range 2 { // the second time it runs already
		if err := b.cluster.StartComponent(t.Context(), components.APIServer); err != nil {
			t.Fatalf("StartComponent: %v", err)
		}
	}
	if got := b.kubectl(t, "get", "pod", pod, "-o", "jsonpath={.status.phase}"); got != "Running" {
		t.Errorf("the pod is %q after the outage", got)
	}
	if err := b.cluster.RestartComponent(t.Context(), components.Containerd, 5*time.Second); err != nil {
		t.Errorf("RestartComponent: %v", err)
	}
}

// killAll ends every process of the cluster but those in containers, without a
// warning, and makes one record name a process that has nothing to do with it.
func (b *bench) killAll(t *testing.T) process.Identity {
	t.Helper()
	group, err := machine.NewCgroup(b.layout.Cgroup())
	if err != nil {
		t.Fatal(err)
	}
	pids := group.Child("system").PIDs()
	var shims int
	for _, pid := range pids {
		if arguments := process.Arguments(pid); len(arguments) > 0 && strings.Contains(arguments[0], "containerd-shim") {
			shims++
		}
	}
	if shims == 0 {
		t.Errorf("no shim among %v", pids)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("kill %d: %v", pid, err)
		}
	}
	waitUntil(t, "all are dead", func() bool { return len(group.Child("system").PIDs()) == 0 }, nil)

	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	bystander, err := process.Start(process.Command{Path: sleep, Args: []string{"600"}, Dir: "/", Log: os.DevNull})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bystander.Stop(context.Background(), 0) })
	stale := bystander.Identity
	stale.StartTicks--
	if err := stale.Save(b.layout.Record(components.Kubelet)); err != nil {
		t.Fatal(err)
	}
	return bystander.Identity
}

func (b *bench) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), b.layout.Kube(), append([]string{"kubectl"}, args...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+b.layout.Kubeconfig(), "HOME="+t.TempDir())
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(output)
}

// fetch returns the page at url, or why there is none.
func fetch(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(request)
}

// do returns the page that answers the request, or why there is none.
func do(request *http.Request) string {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// waitUntil polls a condition that nothing announces, for 20 seconds at most.
func waitUntil(t *testing.T, what string, condition func() bool, explain func() string) {
	t.Helper()
	waitFor(t, 20*time.Second, what, condition, explain)
}

// waitFor is waitUntil for what may take longer.
func waitFor(t *testing.T, limit time.Duration, what string, condition func() bool, explain func() string) {
	t.Helper()
	deadline := time.After(limit)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline:
			if explain != nil {
				t.Fatalf("waited too long until %s:\n%s", what, explain())
			}
			t.Fatalf("waited too long until %s", what)
		case <-ticker.C:
		}
	}
}

// testWriter passes what the cluster says on to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(line []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}
