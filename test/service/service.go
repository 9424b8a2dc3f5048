// Package service reaches a running service from outside, for tests and
// measurements: podsd as a process of its own, with a state folder and a
// namespace of its own, or what is deployed on Knative.
package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pods-service/pods/shared/client"
)

// StopTimeout is how long a service may take to start or to end.
const StopTimeout = 2 * time.Minute

// Service is one podsd. Make one with New.
type Service struct {
	Access
	State     string // folder
	Namespace string
	binary    string
	env       []string
	process   *exec.Cmd
	ended     chan struct{} // closed when process has ended
}

// New returns a service that runs binary with a fresh folder below parent and
// a fresh namespace. The variables in env come on top of its own settings.
func New(binary, parent string, env ...string) (*Service, error) {
	state, err := os.MkdirTemp(parent, "pods-")
	if err != nil {
		return nil, fmt.Errorf("make a state folder: %w", err)
	}
	if err := os.Chmod(state, 0o711); err != nil { //nolint:gosec // the database runs as another user and passes through
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	return &Service{State: state, Namespace: "pods-test-" + strings.ToLower(rand.Text()[:8]), binary: binary, env: env}, nil
}

// Start starts the process and waits until it is healthy.
//
// Errors: when it ends before that; Log has its last lines.
func (s *Service) Start(ctx context.Context) error {
	if err := s.spawn(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, StopTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if s.healthy(ctx) {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("podsd has ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("podsd does not become healthy: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

func (s *Service) spawn() error {
	if err := os.Remove(s.addressFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	process := exec.Command(s.binary, "serve") //nolint:gosec // the program under test
	process.Env = append(os.Environ(), "PODS_STATE="+s.State, "PODS_NAMESPACE="+s.Namespace, "PODS_LISTEN=localhost:0",
		"PODS_GATEWAY_HTTP=localhost:0", "PODS_GATEWAY_HTTPS=localhost:0", "DATABASE_URL=", "REDIS_URL=",
		// Tests and measurements ask more often than people.
		"PODS_RATE_USER=100000", "PODS_RATE_TENANT=100000", "PODS_RATE_VISITOR=100000", "PODS_RATE_FAILURES=100000")
	process.Env = append(process.Env, s.env...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return fmt.Errorf("start podsd: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = process.Wait() // Stop looks at the exit code
		close(ended)
	}()
	s.process, s.ended = process, ended
	return nil
}

func (s *Service) healthy(ctx context.Context) bool {
	data, err := os.ReadFile(s.addressFile())
	if err != nil || json.Unmarshal(data, &s.at) != nil {
		return false
	}
	return client.New(s.at.API, http.DefaultClient).Do(ctx, http.MethodGet, "/healthcheck", nil, nil) == nil
}

func (s *Service) addressFile() string { return filepath.Join(s.State, "addresses.json") }
func (s *Service) logFile() string     { return filepath.Join(s.State, "podsd.log") }

// PID returns the number of the process.
func (s *Service) PID() int { return s.process.Process.Pid }

// Ended is closed when the process has ended.
func (s *Service) Ended() <-chan struct{} { return s.ended }

// Stop ends the process gently. One that has been killed is fine.
func (s *Service) Stop() error {
	if s.process == nil {
		return nil
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
		if code := s.process.ProcessState.ExitCode(); code > 0 {
			return fmt.Errorf("podsd ended with exit code %d", code)
		}
		return nil
	case <-time.After(StopTimeout):
		_ = s.process.Process.Kill()
		return errors.New("podsd does not end on SIGTERM")
	}
}

// Kill ends the process as a power cut would.
func (s *Service) Kill() {
	_ = s.process.Process.Kill()
	<-s.ended
}

// Log returns the last lines of what the process has printed.
func (s *Service) Log() string {
	data, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(data), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// Unsent returns how many events wait in the outbox.
func (s *Service) Unsent(ctx context.Context) (int, error) {
	metrics, err := s.read(ctx, "/metrics")
	if err != nil {
		return 0, fmt.Errorf("ask for the outbox: %w", err)
	}
	_, rest, found := strings.Cut(string(metrics), "\npods_outbox_events ")
	value, _, _ := strings.Cut(rest, "\n")
	count, err := strconv.Atoi(value)
	if !found || err != nil {
		return 0, fmt.Errorf("the outbox is not counted: %q", value)
	}
	return count, nil
}
