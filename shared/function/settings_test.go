package function_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/function"
)

type settings struct {
	function.Process
	function.Storage
	function.Sink
}

func TestReadSettings(t *testing.T) {
	for name, value := range map[string]string{
		"PORT": "8181", "DATABASE_URL": "postgres://db/pods", "REDIS_URL": "redis://cache",
		"K_SINK": "http://broker", "K_CE_OVERRIDES": `{"extensions":{}}`, "PODS_DRAIN_TIMEOUT": "5s",
	} {
		t.Setenv(name, value)
	}
	got, err := function.ReadSettings[settings]()
	want := settings{
		Process: function.Process{Port: 8181, MetricsPort: 9464, LogLevel: "info", DrainTimeout: 5 * time.Second, DrainQuiet: time.Second},
		Storage: function.Storage{DatabaseURL: "postgres://db/pods", RedisURL: "redis://cache", Connections: 4},
		Sink:    function.Sink{URL: "http://broker", Overrides: `{"extensions":{}}`},
	}
	if err != nil || got != want {
		t.Errorf("settings = %+v, %v", got, err)
	}
	if got.OfProcess() != want.Process {
		t.Errorf("those of the process = %+v", got.OfProcess())
	}
	t.Setenv("DATABASE_URL", "")
	if _, err := function.ReadSettings[settings](); err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("without a database: %v", err)
	}
}
