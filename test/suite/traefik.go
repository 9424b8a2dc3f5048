package suite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pods-service/pods/test/service"
)

// StartTraefik starts the program that TEST_TRAEFIK names, with the settings of
// config/traefik but for addresses, and has it poll endpoint. It stops with the
// test, and says what it has said when that has failed.
func StartTraefik(t *testing.T, endpoint, certFile, keyFile string) *service.Traefik {
	t.Helper()
	program := os.Getenv("TEST_TRAEFIK")
	if program == "" {
		t.Fatal("TEST_TRAEFIK must be the path of the program traefik: make bin/traefik builds it")
	}
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	running, err := service.StartTraefik(t.Context(), service.TraefikOptions{
		Program: program, Repository: repository, Endpoint: endpoint, CertFile: certFile, KeyFile: keyFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("Traefik says:\n%s", running.Output)
		}
	})
	return running
}
