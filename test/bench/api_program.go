package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pods-service/pods/shared/servers"
)

// apiStage is the API function with the database that it needs, a user, and the
// handler that it is compared with. Whatever is nil has not been started.
type apiStage struct {
	servers  *servers.Servers
	dir      string // of the servers
	identity *identity
	program  *apiProgram
	handler  *child
}

func (s *apiStage) close() error {
	var errs []error
	if s.handler != nil {
		errs = append(errs, s.handler.stop())
	}
	if s.program != nil {
		errs = append(errs, s.program.stop())
	}
	if s.identity != nil {
		errs = append(errs, os.Remove(s.identity.tenantsFile))
	}
	if s.servers != nil {
		errs = append(errs, stopServers(s.servers, s.dir))
	}
	return errors.Join(errs...)
}

// apiProgram is the API function, running as it does where it is deployed.
type apiProgram struct {
	process *exec.Cmd
	dir     string // its files
	log     *os.File
	broker  *httptest.Server
	address string // IP and port on this machine
	metrics string // the same of its metrics
}

// startAPI starts the program at path and waits until it serves. Its Broker
// takes every event at once; there is no cluster, which neither reads nor
// creates need. More settings are lines of its environment.
func startAPI(ctx context.Context, path string, running *servers.Servers, tenantsFile string, settings ...string) (_ *apiProgram, err error) {
	p := &apiProgram{broker: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	}))}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	if p.dir, err = os.MkdirTemp("", "pods-bench-api-"); err != nil {
		return nil, err
	}
	keyFile, kubeconfig := filepath.Join(p.dir, "key"), filepath.Join(p.dir, "kubeconfig")
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return nil, err
	}
	if err := writeKubeconfig(kubeconfig); err != nil {
		return nil, err
	}
	if p.log, err = os.Create(filepath.Join(p.dir, "log")); err != nil {
		return nil, err
	}
	p.process = exec.Command(path)
	p.process.Stderr = p.log
	p.process.Env = append(os.Environ(),
		"PORT=0", "PODS_METRICS_PORT=0", "DATABASE_URL="+running.DatabaseURL, "REDIS_URL="+running.RedisURL,
		fmt.Sprintf("PODS_DATABASE_CONNECTIONS=%d", connections),
		"PODS_ENCRYPTION_KEY_FILE="+keyFile, "PODS_LOGIN_KEY_FILE="+keyFile, "PODS_TENANTS_FILE="+tenantsFile, "K_SINK="+p.broker.URL,
		"KUBECONFIG="+kubeconfig, "PODS_SITE="+fleetTenant.SiteID, "PODS_DRAIN_QUIET=1ms",
		// Rates are counted and never reached: all load is one user's.
		"PODS_RATE_USER=1000000000", "PODS_RATE_TENANT=1000000000",
	)
	p.process.Env = append(p.process.Env, settings...)
	if err := p.process.Start(); err != nil {
		p.process = nil
		return nil, fmt.Errorf("start the API: %w", err)
	}
	return p, p.waitServing(ctx)
}

// writeKubeconfig writes the address of a cluster that does not exist.
func writeKubeconfig(path string) error {
	config := api.NewConfig()
	config.Clusters["none"] = &api.Cluster{Server: "http://127.0.0.1:1"}
	config.Contexts["none"] = &api.Context{Cluster: "none"}
	config.CurrentContext = "none"
	return clientcmd.WriteToFile(*config, path)
}

// waitServing reads the addresses from the log: the ports are some that were
// free.
func (p *apiProgram) waitServing(ctx context.Context) error {
	var tail []byte
	err := every(ctx, 20*time.Millisecond, func() (bool, error) {
		var err error
		if tail, err = os.ReadFile(p.log.Name()); err != nil {
			return false, err
		}
		for line := range bytes.Lines(tail) {
			var entry struct{ Msg, Address, Metrics string }
			if json.Unmarshal(line, &entry) != nil || entry.Msg != "serving" {
				continue
			}
			var err1, err2 error
			p.address, err1 = onLoopback(entry.Address)
			p.metrics, err2 = onLoopback(entry.Metrics)
			return true, errors.Join(err1, err2)
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("the API does not start: %w\n%s", err, tail)
	}
	return nil
}

// onLoopback returns where this machine reaches a port that is open to all.
func onLoopback(address string) (string, error) {
	_, port, err := net.SplitHostPort(address)
	return net.JoinHostPort("127.0.0.1", port), err
}

func (p *apiProgram) pid() int { return p.process.Process.Pid }

// stop ends the program as Kubernetes does, and removes its files.
func (p *apiProgram) stop() error {
	var err error
	if p.process != nil {
		_ = p.process.Process.Signal(syscall.SIGTERM)
		overdue := time.AfterFunc(childTimeout, func() { _ = p.process.Process.Kill() })
		defer overdue.Stop()
		if err = p.process.Wait(); err != nil {
			err = fmt.Errorf("the API: %w", err)
		}
	}
	p.broker.Close()
	if p.log != nil {
		_ = p.log.Close()
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}
