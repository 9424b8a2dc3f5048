package e2e

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// TestBrowser visits pods that ask for a login with a real browser. What it does
// there is in test/browser. It runs by itself: when links of the machine come and
// go, as they do with pods, browsers break off what they are at.
func TestBrowser(t *testing.T) {
	s := shared
	alice := s.User(t, "alice")
	visited := func(name string, allowed ...string) string {
		podID := suite.NewID(name)
		suite.CreateOf(t, alice, map[string]any{
			"pod_id": podID, "template": "hello",
			"networking": map[string]any{"default": map[string]any{
				"protocol": "http", "port": 5000, "tapis_auth": true, "tapis_auth_allowed_users": allowed,
				"tapis_auth_response_headers": map[string]string{"X-Visitor": "<<tapisusername>>@<<tapistenantid>>"},
			}},
		})
		suite.WaitFor(t, alice, podID, pods.StatusAvailable)
		return suite.Address(podID)
	}
	_, port, err := net.SplitHostPort(s.At().GatewayHTTPS)
	if err != nil {
		t.Fatal(err)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("scripts/install.sh browser installs what this needs: %v", err)
	}
	api, err := url.Parse(s.At().API)
	if err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "CHROMIUM="+chromium, "POD="+visited("open", "*"), "PRIVATE="+visited("private", "alice"),
		"RESOLVE=MAP *.pods.localhost 127.0.0.1:"+port+", MAP localhost 127.0.0.1:"+api.Port())
	for _, args := range [][]string{{"ci", "--no-audit", "--no-fund"}, {"test"}} {
		npm := exec.CommandContext(t.Context(), "npm", args...)
		npm.Dir, npm.Env = "../browser", environment
		if output, err := npm.CombinedOutput(); err != nil {
			t.Fatalf("npm %v: %v\n%s", args, err, output)
		}
	}
}
