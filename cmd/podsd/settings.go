package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/gateway/acme"
	"github.com/pods-service/pods/gateway/dataplane"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/ratelimit"
	"github.com/pods-service/pods/shared/storage"
)

// settings is all that an operator can choose, from the environment.
type settings struct {
	State        string        `env:"PODS_STATE" help:"folder for the database, keys and certificates"`
	Listen       string        `env:"PODS_LISTEN" envDefault:"localhost:8080" help:"address of the API; loopback only, as the development issuer serves it"`
	GatewayHTTP  string        `env:"PODS_GATEWAY_HTTP" envDefault:"localhost:8081" help:"address of the gateway without TLS"`
	GatewayHTTPS string        `env:"PODS_GATEWAY_HTTPS" envDefault:"localhost:8443" help:"address of the gateway with TLS"`
	Kubeconfig   string        `env:"KUBECONFIG" help:"the cluster that runs the pods; empty: the one this process runs in"`
	Namespace    string        `env:"PODS_NAMESPACE" envDefault:"pods" help:"namespace of the users' pods, made if it is missing"`
	DatabaseURL  string        `env:"DATABASE_URL" help:"Postgres to use instead of one started here"`
	RedisURL     string        `env:"REDIS_URL" help:"Redis to use instead of one started here"`
	Tick         time.Duration `env:"PODS_TICK" envDefault:"10s" help:"how often rows and cluster are compared as a whole"`
	Overcommit   float64       `env:"PODS_OVERCOMMIT" envDefault:"10" help:"divides what pods request of the cluster's CPU and memory; limits stay"`
	PullPolicy   string        `env:"PODS_IMAGE_PULL_POLICY" envDefault:"Always" help:"Always or IfNotPresent; images named dev.local/ are never pulled"`
	dataplane.Visitors
	acme.Settings
	server.Choices
	function.Compute
	function.SharedStorage
	ratelimit.Rates
	LogLevel string `env:"PODS_LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`

	storage storage.Source // of volumes and snapshots, for pods
}

// readSettings reads the environment and fills in what is empty.
func readSettings() (settings, error) {
	s, err := env.ParseAs[settings]()
	if err != nil {
		return settings{}, fmt.Errorf("read the environment: %w", err)
	}
	if s.State == "" {
		if s.State, err = defaultState(); err != nil {
			return settings{}, err
		}
	}
	if s.State, err = filepath.Abs(s.State); err != nil {
		return settings{}, fmt.Errorf("PODS_STATE: %w", err)
	}
	return s, s.findStorage()
}

// findStorage fills in where volumes and snapshots are: in a folder here, which
// pods find as one of their node's unless another source is named.
func (s *settings) findStorage() (err error) {
	if s.StoragePath == "" {
		s.StoragePath = filepath.Join(s.State, "storage")
	}
	if s.StoragePath, err = filepath.Abs(s.StoragePath); err != nil {
		return fmt.Errorf("PODS_STORAGE_PATH: %w", err)
	}
	if s.storage, err = s.SharedSource(); err != nil {
		return err
	}
	if s.storage.IsZero() {
		s.storage = storage.Source{HostPath: s.StoragePath}
	}
	return nil
}

func defaultState() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/lib/pods", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "pods"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a state folder: %w; set PODS_STATE", err)
	}
	return filepath.Join(home, ".local", "state", "pods"), nil
}

// settingsHelp lists the variables with their defaults.
func settingsHelp() string {
	var text strings.Builder
	for _, field := range reflect.VisibleFields(reflect.TypeFor[settings]()) {
		if field.Anonymous || !field.IsExported() {
			continue // its own fields follow, or it is none of them
		}
		fmt.Fprintf(&text, "  %-27s %s", field.Tag.Get("env"), field.Tag.Get("help"))
		if value := field.Tag.Get("envDefault"); value != "" {
			fmt.Fprintf(&text, " (%s)", value)
		}
		text.WriteByte('\n')
	}
	return text.String()
}
