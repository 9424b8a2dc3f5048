package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// traefikProgram is a running Traefik.
type traefikProgram struct {
	process *exec.Cmd
	address string // of its entry point for TLS
}

// startTraefik starts the program at path with one route, from a file in dir. It
// writes no log of requests, and neither does the gateway.
func startTraefik(ctx context.Context, path, dir string, settings sideSettings) (*traefikProgram, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &traefikProgram{address: listener.Addr().String()}
	if err := listener.Close(); err != nil { // Traefik would not say which port it was given
		return nil, err
	}
	file := filepath.Join(dir, "traefik.yaml")
	content := fmt.Sprintf(`http:
  routers:
    open:
      rule: Host(%q)
      entryPoints: [websecure]
      service: open
      tls: {}
  services:
    open:
      loadBalancer:
        servers: [{url: "http://%s"}]
tls:
  certificates: [{certFile: %q, keyFile: %q}]
`, openHost, settings.Backend, settings.CertFile, settings.KeyFile)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		return nil, err
	}
	t.process = exec.Command(path, //nolint:gosec // what the user names
		"--entrypoints.websecure.address="+t.address, "--providers.file.filename="+file, "--log.level=ERROR",
		"--global.checknewversion=false", "--global.sendanonymoususage=false")
	t.process.Stderr = os.Stderr
	if err := t.process.Start(); err != nil {
		return nil, fmt.Errorf("start Traefik, which `make bin/traefik` builds: %w", err)
	}
	return t, nil
}

// stop ends the program gently.
func (t *traefikProgram) stop() error {
	if err := t.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end Traefik: %w", err)
	}
	_ = t.process.Wait() // however it ends
	return nil
}
