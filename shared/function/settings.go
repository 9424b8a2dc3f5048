package function

import (
	"fmt"
	"time"

	"github.com/caarlos0/env/v11"
)

// Process is what an operator can choose for every program. Each program has a
// struct of settings of its own, which holds this and what else it needs.
type Process struct {
	// Port takes events, REST and GET /healthz; 0 means any free one.
	Port int `env:"PORT" envDefault:"8080"`
	// MetricsPort answers GET /metrics; 0 means any free one. Ports 9090 and
	// 9091, which come to mind, are taken by Knative's container beside ours.
	MetricsPort int    `env:"PODS_METRICS_PORT" envDefault:"9464"`
	LogLevel    string `env:"PODS_LOG_LEVEL" envDefault:"info"` // debug, info, warn or error
	// DrainTimeout is how long the process may go on after it is told to end.
	// It must be less than the termination grace of its pod.
	DrainTimeout time.Duration `env:"PODS_DRAIN_TIMEOUT" envDefault:"25s"`
	// DrainQuiet is how long no request must have come before the process,
	// once told to end, takes no more.
	DrainQuiet time.Duration `env:"PODS_DRAIN_QUIET" envDefault:"1s"`
}

// Storage says where the state is.
type Storage struct {
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty"`
	RedisURL    string `env:"REDIS_URL,required,notEmpty"`
	// Connections is how many to the database one instance opens. They multiply
	// by the instances, so they are few.
	Connections int32 `env:"PODS_DATABASE_CONNECTIONS" envDefault:"4"`
}

// Encryption says with which key credentials are encrypted. Only programs that
// read or write credentials need it.
type Encryption struct {
	KeyFile string `env:"PODS_ENCRYPTION_KEY_FILE,required,notEmpty"` // holds 32 bytes
}

// Sink says where events go. A SinkBinding sets both variables.
type Sink struct {
	URL       string `env:"K_SINK"`
	Overrides string `env:"K_CE_OVERRIDES"` // JSON: {"extensions": {"name": "value"}}
}

// Cluster says where the users' pods are.
type Cluster struct {
	Kubeconfig string `env:"KUBECONFIG"` // empty: the cluster that this process runs in
	Namespace  string `env:"PODS_NAMESPACE" envDefault:"pods"`
}

// ReadSettings reads T, a struct of settings, from the environment.
//
// Errors: naming every variable that is missing or makes no sense.
func ReadSettings[T any]() (T, error) {
	settings, err := env.ParseAs[T]()
	if err != nil {
		return settings, fmt.Errorf("read the environment: %w", err)
	}
	return settings, nil
}
