package e2e

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"testing"
)

// TestTypeScriptClient calls every operation by the published TypeScript
// client. The checks are in test/typescript.
func TestTypeScriptClient(t *testing.T) {
	t.Parallel()
	target, err := url.Parse(shared.At().API)
	if err != nil {
		t.Fatal(err)
	}
	// Node.js knows neither the names of the service nor the ways to it.
	near := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: shared.API().Transport,
	})
	t.Cleanup(near.Close)
	environment := append(os.Environ(), "PODS_URL="+near.URL,
		"PODS_TOKEN="+shared.User(t, "alice").Token(), "PODS_ADMIN_TOKEN="+shared.User(t, "admin").Token())

	for _, args := range [][]string{{"ci", "--no-audit", "--no-fund"}, {"test"}} {
		npm := exec.CommandContext(t.Context(), "npm", args...)
		npm.Dir, npm.Env = "../typescript", environment
		if output, err := npm.CombinedOutput(); err != nil {
			t.Fatalf("npm %v (scripts/install.sh node installs what it needs): %v\n%s", args, err, output)
		}
	}
}
