package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// TestSharedTemplate has one user run what another has made a template of, and
// the pod outlive the template.
func TestSharedTemplate(t *testing.T) {
	t.Parallel()
	alice, bob, web := shared.User(t, "alice"), shared.User(t, "bob"), shared.Browser(t)
	templateID, podID := suite.NewID("tpl"), suite.NewID("ofbob")
	path := "/v3/pods/templates/" + templateID

	do := func(c *client.Client, method, path string, body, result any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, body, result); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	do(alice, http.MethodPost, "/v3/pods/templates", map[string]any{"template_id": templateID}, nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = alice.Do(ctx, http.MethodDelete, path, nil, nil) // gone already unless the test has failed
	})
	tag := map[string]any{
		"commit_message": "a greeting", "tag": "v1",
		"pod_definition": map[string]any{"template": "hello", "environment_variables": map[string]string{"HELLO_FINAL_LINE": "so says the template"}},
	}
	do(alice, http.MethodPost, path+"/tags", tag, nil)
	if _, err := bob.CreatePod(t.Context(), map[string]any{"pod_id": podID, "template": templateID + ":v1"}); err == nil {
		t.Error("a template that is not shared can be used")
	}
	do(alice, http.MethodPost, path+"/permissions", map[string]string{"user": "TENANT", "level": "READ"}, nil)

	created := suite.CreateOf(t, bob, map[string]any{"pod_id": podID, "template": templateID + ":v1"})
	if !strings.HasPrefix(created.Template, templateID+":v1@") {
		t.Errorf("created from %s", created.Template)
	}
	suite.WaitFor(t, bob, podID, pods.StatusAvailable)
	if page := suite.Get(t, web, suite.Address(podID)); page.Status != http.StatusOK {
		t.Errorf("its page answers %d", page.Status)
	}
	var ran client.ExecResult
	do(bob, http.MethodPost, "/v3/pods/"+podID+"/exec", map[string]any{"commands": []string{"sh", "-c", "echo $HELLO_FINAL_LINE"}}, &ran)
	if got := ran.ExecutionResults[0].Stdout; got != "so says the template\n" {
		t.Errorf("the variable of the template is %q in the container", got)
	}
	do(alice, http.MethodDelete, path, nil, nil)
	if page := suite.Get(t, web, suite.Address(podID)); page.Status != http.StatusOK {
		t.Errorf("once its template is gone, the page of a running pod answers %d", page.Status)
	}
	if _, err := bob.StopPod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
	suite.WaitFor(t, bob, podID, pods.StatusStopped)
}
