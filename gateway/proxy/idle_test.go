package proxy_test

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"github.com/pods-service/pods/shared/pods"
)

const (
	idleSockets  = 2000
	maxIdleBytes = 200 << 20

	// gatewayFor tells this test, started as a program of its own, that it is
	// to be a gateway for the pod at that address.
	gatewayFor = "TEST_GATEWAY_FOR"
)

// TestIdleWebSockets: a gateway with 2,000 WebSockets over TLS on which nothing
// is said takes less than 200 MiB. It is a process of its own, so that neither
// clients nor the pod count.
func TestIdleWebSockets(t *testing.T) {
	if address := os.Getenv(gatewayFor); address != "" {
		beGateway(t, address)
		return
	}
	if raceDetector || testing.Short() {
		t.Skip("what is measured here is the memory of a program as it is shipped: run it without -race")
	}
	allowFiles(t, 2*idleSockets+500)
	pod := httptest.NewServer(http.HandlerFunc(echo))
	defer pod.Close()
	gateway := startGateway(t, pod.Listener.Addr().String())

	sockets := make([]*websocket.Conn, idleSockets)
	slots := make(chan struct{}, 16)
	var group sync.WaitGroup
	for i := range sockets {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			var err error
			sockets[i], _, err = websocket.Dial(t.Context(), "wss://db.pods.localhost/", &websocket.DialOptions{HTTPClient: gateway.client})
			if err != nil {
				t.Errorf("dial: %v", err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	defer func() {
		for _, socket := range sockets {
			_ = socket.CloseNow()
		}
	}()
	for _, socket := range sockets { // each works, and is silent again
		if err := socket.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatalf("send: %v", err)
		}
		if _, got, err := socket.Read(t.Context()); string(got) != "hello" || err != nil {
			t.Fatalf("receive: %q, %v", got, err)
		}
	}
	peak := gateway.memory(t, "VmHWM")
	t.Logf("%d idle WebSockets: %d MiB now, %d MiB at most", idleSockets, gateway.memory(t, "VmRSS")>>20, peak>>20)
	if peak > maxIdleBytes {
		t.Errorf("the gateway has taken %d MiB, want at most %d", peak>>20, maxIdleBytes>>20)
	}
}

// allowFiles lets this process, and those that it starts, have n files open.
func allowFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur >= n {
		return
	}
	raised := syscall.Rlimit{Cur: n, Max: max(n, limit.Max)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		t.Fatalf("this test needs %d open files, and this process may have %d and raise that to %d: run it after ulimit -Hn %d (%v)",
			n, limit.Cur, limit.Max, n, err)
	}
}

// beGateway serves until the one that has started it is gone.
func beGateway(t *testing.T, pod string) {
	s := newSite(t)
	address, err := net.ResolveTCPAddr("tcp", pod)
	if err != nil {
		t.Fatal(err)
	}
	s.put("db", pods.StatusAvailable, address)
	fmt.Printf("%s\n%s", s.secure, s.authority)
	_ = os.Stdout.Close()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// otherGateway is a gateway in a process of its own.
type otherGateway struct {
	process *os.Process
	client  *http.Client
}

func startGateway(t *testing.T, pod string) *otherGateway {
	t.Helper()
	program := exec.Command(os.Args[0], "-test.run=^TestIdleWebSockets$")
	program.Env = append(os.Environ(), gatewayFor+"="+pod)
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	input, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = program.Wait()
	})
	said := bufio.NewReader(output)
	address, err := said.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	authority, err := io.ReadAll(said)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, trusted: x509.NewCertPool()}
	s.trusted.AppendCertsFromPEM(authority)
	return &otherGateway{process: program.Process, client: s.client(strings.TrimSpace(address), false)}
}

// memory returns a figure of the process's memory, in bytes.
func (g *otherGateway) memory(t *testing.T, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.Pid))
	if err != nil {
		t.Fatalf("the memory of a process is read from /proc, as Linux has it: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	var kilobytes int
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return kilobytes << 10
}
