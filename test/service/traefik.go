package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pods-service/pods/shared/podstest/logtest"
)

// traefikTimeout is how long Traefik may take to start or to end.
const traefikTimeout = 20 * time.Second

// TraefikOptions say what a Traefik is to serve. All are required.
type TraefikOptions struct {
	Program           string // its path; `make bin/traefik` builds it
	Repository        string // folder with config/traefik
	Endpoint          string // URL of its dynamic configuration
	CertFile, KeyFile string // of a certificate for all pods
}

// Traefik is a running Traefik with the static configuration of config/traefik.
// Make one with StartTraefik.
type Traefik struct {
	Plain  string       // address for visitors without TLS
	Secure string       // address for visitors with TLS
	Output fmt.Stringer // what the process has printed so far
	ping   string
	run    *exec.Cmd
	ended  chan struct{} // closed when the process has ended
}

// StartTraefik starts a Traefik at addresses of its own and waits until it
// answers. It asks for its configuration ten times a second.
//
// Errors: when it does not answer, with what it has said.
func StartTraefik(ctx context.Context, options TraefikOptions) (*Traefik, error) {
	settings, err := readEnvironment(filepath.Join(options.Repository, "config", "traefik", "traefik.env"))
	if err != nil {
		return nil, err
	}
	output := &logtest.Buffer{}
	t := &Traefik{Output: output, ended: make(chan struct{})}
	for _, address := range []*string{&t.Plain, &t.Secure, &t.ping} {
		if *address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
	}
	_, securePort, _ := net.SplitHostPort(t.Secure)
	t.run = exec.Command(options.Program) //nolint:gosec // the program under test
	t.run.Dir = options.Repository
	t.run.Env = append(settings,
		"TRAEFIK_ENTRYPOINTS_WEB_ADDRESS="+t.Plain,
		"TRAEFIK_ENTRYPOINTS_WEB_HTTP_REDIRECTIONS_ENTRYPOINT_TO=:"+securePort,
		"TRAEFIK_ENTRYPOINTS_WEBSECURE_ADDRESS="+t.Secure,
		"TRAEFIK_ENTRYPOINTS_PING_ADDRESS="+t.ping,
		"TRAEFIK_PROVIDERS_HTTP_ENDPOINT="+options.Endpoint,
		"TRAEFIK_PROVIDERS_HTTP_POLLINTERVAL=100ms",
		"TRAEFIK_PROVIDERS_PROVIDERSTHROTTLEDURATION=20ms",
		"PODS_TLS_CERT_FILE="+options.CertFile,
		"PODS_TLS_KEY_FILE="+options.KeyFile,
	)
	t.run.Stdout, t.run.Stderr = output, output
	if err := t.run.Start(); err != nil {
		return nil, fmt.Errorf("start Traefik, which `make bin/traefik` builds: %w", err)
	}
	go func() {
		_ = t.run.Wait() // however it ends
		close(t.ended)
	}()
	if err := t.waitHealthy(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, t.Output), t.Stop())
	}
	return t, nil
}

func (t *Traefik) waitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, traefikTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !t.healthy(ctx) {
		select {
		case <-t.ended:
			return errors.New("Traefik has ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("Traefik does not answer: %w", ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

func (t *Traefik) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.ping+"/ping", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode == http.StatusOK
}

// Stop ends the process gently, by force when that takes too long.
func (t *Traefik) Stop() error {
	_ = t.run.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-t.ended:
		return nil
	case <-time.After(traefikTimeout):
		_ = t.run.Process.Kill()
		<-t.ended
		return errors.New("Traefik does not end on SIGTERM")
	}
}

// readEnvironment reads a file of NAME=value lines.
func readEnvironment(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var variables []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			variables = append(variables, line)
		}
	}
	return variables, nil
}

// freeAddress returns an address on the loopback that nobody has: Traefik does
// not say which one it was given.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
