package acme

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

// replicaWith tells TestReplicas, started as a program of its own, that it is to
// be a gateway with these settings.
const replicaWith = "TEST_REPLICA_WITH"

// TestReplicas: gateways that share one folder order one certificate for a host
// once, whichever of them is visited and whichever the CA comes to. The second
// is a process of its own: in one process certmagic orders nothing twice anyhow.
func TestReplicas(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"replicas": pods.ProtocolHTTP})
	if text := os.Getenv(replicaWith); text != "" {
		beReplica(t, s, text)
		return
	}
	s.serve(t)
	other := &site{authority: s.authority, secure: startReplica(t, s.settings), log: s.log}
	sites, leafs := []*site{s, other, s, other}, make([]*x509.Certificate, 4)
	var group sync.WaitGroup
	for i, at := range sites {
		group.Go(func() { leafs[i] = at.wantIssued(t, "replicas.pods.localhost") })
	}
	group.Wait()
	for _, leaf := range leafs {
		if leaf == nil || !leaf.Equal(leafs[0]) {
			t.Error("the gateways have different certificates")
		}
	}
	s.wantOrders(t, 1)
}

// beReplica serves until the one that has started it is gone.
func beReplica(t *testing.T, s *site, settings string) {
	if err := json.Unmarshal([]byte(settings), &s.settings); err != nil {
		t.Fatal(err)
	}
	s.serve(t)
	fmt.Println(s.secure.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// elsewhere is a listener of another process.
type elsewhere struct {
	net.Listener
	address net.Addr
}

func (e *elsewhere) Addr() net.Addr { return e.address }

func startReplica(t *testing.T, settings Settings) net.Listener {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	program := exec.Command(os.Args[0], "-test.run=^TestReplicas$")
	program.Env = append(os.Environ(), replicaWith+"="+string(text))
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
	said, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(said))
	if err != nil {
		t.Fatal(err)
	}
	return &elsewhere{address: address}
}
