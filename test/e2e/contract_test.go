package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/openapi"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// call is one request of the contract test and what must come of it. In path and
// body $pod, $tpl, $img, $vol and $snap stand for ids that no other test uses.
type call struct {
	operation string // its name in the API's document
	as        string // a user, "nobody", or "root" for a site admin in admin mode
	request   string // method and path
	body      string
	status    int
	message   string // is part of the answer's
}

const (
	notFound  = "not found"
	forbidden = "Not authorized -- you do not have access to this endpoint."
	noToken   = "No access token found in the request."
)

// beforeRun are calls that need no container.
var beforeRun = []call{
	{"healthcheck", "nobody", "GET /v3/healthcheck", "", 200, ""},
	{"error_handler", "nobody", "GET /error-handler/404", "", 404, "not an Pods endpoint"},
	{"error_handler", "nobody", "GET /error-handler/none", "", 400, "status must be an integer"},
	{"traefik_config", "nobody", "GET /traefik-config", "", 200, ""},
	{"get_pod_splash", "nobody", "GET /pod-splash", "", 404, "There is no pod with this address."},
	{"get_pod_not_found", "nobody", "GET /pod-not-found", "", 404, "There is no pod with this address."},
	{"get_openapi", "nobody", "GET /v3/openapi.json", "", 200, ""},
	{"", "nobody", "GET /v3/nothing", "", 404, "does not match any Pods API route"},
	{"", "nobody", "GET /v3//pods", "", 401, noToken},

	{"add_template", "alice", "POST /v3/pods/templates", `{"template_id":"$tpl","description":"of a test"}`, 200, "Template added successfully."},
	{"add_template", "bob", "POST /v3/pods/templates", `{"template_id":"$tpl"}`, 409, "Duplicate key found"},
	{"add_template", "alice", "POST /v3/pods/templates", `{"template_id":"$tpl","x":1}`, 400, "x is not a known field"},
	{"get_template", "alice", "GET /v3/pods/templates/$tpl", "", 200, "Template retrieved successfully."},
	{"get_template", "bob", "GET /v3/pods/templates/$tpl", "", 404, "Template with identifier template_id: '$tpl' not found"},
	{"update_template", "alice", "PUT /v3/pods/templates/$tpl", `{"metatags":["test"]}`, 200, "Template updated successfully."},
	{"update_template", "alice", "PUT /v3/pods/templates/$tpl", `{"metatags":["test"]}`, 200, "made no changes to template"},
	{"list_templates", "alice", "GET /v3/pods/templates", "", 200, "Templates retrieved successfully."},
	{"add_template_tag", "alice", "POST /v3/pods/templates/$tpl/tags", `{"pod_definition":{"template":"hello"},"commit_message":"one","tag":"v1"}`, 200, "Template tag added successfully."},
	{"add_template_tag", "alice", "POST /v3/pods/templates/$tpl/tags", `{"pod_definition":{"template":"$tplx"},"commit_message":"one"}`, 400, "Template not found"},
	{"add_template_tag", "alice", "POST /v3/pods/templates/$tpl/tags", `{"pod_definition":{"template":"hello:none"},"commit_message":"one"}`, 400, "Template tag not found"},
	{"add_template_tag", "alice", "POST /v3/pods/templates/$tpl/tags", `{"pod_definition":{}}`, 400, "commit_message is required"},
	{"list_template_tags", "alice", "GET /v3/pods/templates/$tpl/tags?full=false", "", 200, "Template tags retrieved successfully."},
	{"get_template_tag", "alice", "GET /v3/pods/templates/$tpl/tags/v1", "", 200, "Template tags retrieved and filtered successfully."},
	{"list_templates_and_tags", "alice", "GET /v3/pods/templates/tags", "", 200, "Templates and tags retrieved successfully."},
	{"set_template_permission", "alice", "POST /v3/pods/templates/$tpl/permissions", `{"user":"bob","level":"READ"}`, 200, "Template permissions updated successfully."},
	{"set_template_permission", "alice", "POST /v3/pods/templates/$tpl/permissions", `{"user":"alice","level":"READ"}`, 400, "no ADMIN-capable user"},
	{"set_template_permission", "alice", "POST /v3/pods/templates/$tpl/permissions", `{"user":"**","level":"READ"}`, 403, "only site admins"},
	{"set_template_permission", "bob", "POST /v3/pods/templates/$tpl/permissions", `{"user":"bob","level":"ADMIN"}`, 403, forbidden},
	{"get_template_permissions", "alice", "GET /v3/pods/templates/$tpl/permissions", "", 200, "Template permissions retrieved successfully."},
	{"get_template_permissions", "bob", "GET /v3/pods/templates/$tpl/permissions", "", 403, forbidden},
	{"delete_template_permission", "alice", "DELETE /v3/pods/templates/$tpl/permissions/bob", "", 200, "Template permission deleted successfully."},
	{"delete_template_permission", "alice", "DELETE /v3/pods/templates/$tpl/permissions/bob", "", 400, "No permission found for user"},

	{"add_image", "alice", "POST /v3/pods/images", `{"image":"$img"}`, 403, "X-Pods-Admin"},
	{"add_image", "root", "POST /v3/pods/images", `{"image":"$img:1","tenants":["dev"]}`, 200, "Images added successfully."},
	{"add_image", "root", "POST /v3/pods/images", `{"image":"$img"}`, 409, `duplicate key value violates unique constraint "image_pkey"`},
	{"add_image", "root", "POST /v3/pods/images", `{"image":"a:b:c"}`, 400, "is not the name of an image"},
	{"add_images", "root", "POST /v3/pods/images/bulk", `[{"image":"$img/new"},{"image":"$img"}]`, 409, "skip_duplicates=True"},
	{"add_images", "root", "POST /v3/pods/images/bulk?skip_duplicates=true", `[{"image":"$img"}]`, 200, "No images added - all images were duplicates."},
	{"add_images", "root", "POST /v3/pods/images/bulk?skip_duplicates=true", `[{"image":"$img/new"},{"image":"$img"}]`, 200, "Image added successfully."},
	{"get_images", "alice", "GET /v3/pods/images", "", 200, "Images retrieved successfully."},
	{"get_image", "alice", "GET /v3/pods/images/$img", "", 200, "Image retrieved successfully."},
	{"get_image", "alice", "GET /v3/pods/images/docker.io%2Flibrary%2F$img", "", 200, "Image retrieved successfully."},
	{"get_image", "alice", "GET /v3/pods/images/docker.io/library/$img", "", 200, "Image retrieved successfully."},
	{"get_image", "alice", "GET /v3/pods/images/none/such", "", 404, "Image with id none/such not found"},
	{"update_image", "root", "PUT /v3/pods/images/$img", `{"description":"of a test"}`, 200, "Image updated successfully."},
	{"update_image", "root", "PUT /v3/pods/images/none/such", `{"description":"of a test"}`, 404, "Image with id none/such not found"},
	{"delete_image", "alice", "DELETE /v3/pods/images/$img", "", 403, "X-Pods-Admin"},
	{"delete_image", "root", "DELETE /v3/pods/images/$img/new", "", 200, "Image successfully deleted."},
	{"delete_image", "root", "DELETE /v3/pods/images/$img/new", "", 404, "not deleted."},

	{"create_pod", "nobody", "POST /v3/pods", `{"pod_id":"$pod","template":"hello"}`, 401, noToken},
	{"create_pod", "alice", "POST /v3/pods", `{"pod_id":"$pod","template":"$tplx"}`, 400, "Template not found"},
	{"create_pod", "bob", "POST /v3/pods", `{"pod_id":"$pod","template":"$tpl:v1"}`, 400, "Template not found"},
	{"create_pod", "alice", "POST /v3/pods", `{"pod_id":"$pod","template":"hello@2026-01-01-00:00:00"}`, 400, "User specified @timestamp without :tag"},
	{"create_pod", "alice", "POST /v3/pods", `{"pod_id":"$pod","image":"evil"}`, 400, "Custom pod.image images must be in allowlist."},
	{"create_pod", "alice", "POST /v3/pods", `{"pod_id":"$pod"}`, 400, "image is required if template is not provided"},
	{"create_pod", "alice", "POST /v3/pods", `{"pod_id":"$pod","template":"hello","compute_queue":"none"}`, 400, "compute_queue must be in compute_queues list"},
	{"create_pod", "alice", "POST /v3/pods", `[]`, 400, "expected a JSON object"},
	{"create_pod", "alice", "POST /v3/pods", `{"pod_id":"$pod","template":"$tpl:v1","environment_variables":{"SECRET":"<<TAPIS_user_password>>"}}`, 200, "Pod created successfully."},
	{"create_pod", "bob", "POST /v3/pods", `{"pod_id":"$pod","template":"hello"}`, 409, "Duplicate key found"},
}

// whileRunning are calls about a pod that is AVAILABLE.
var whileRunning = []call{
	{"list_pods", "alice", "GET /v3/pods", "", 200, "Pods retrieved successfully."},
	{"list_pods", "root", "GET /v3/pods?derived_lite=true", "", 200, "Pods retrieved successfully."},
	{"get_pod", "alice", "GET /v3/pods/$pod", "", 200, "Pod retrieved successfully."},
	{"get_pod", "bob", "GET /v3/pods/$pod", "", 404, "Pod with identifier pod_id: '$pod' not found"},
	{"get_pod", "alice", "GET /pods/$pod", "", 200, "Pod retrieved successfully."},
	{"get_derived_pod", "alice", "GET /v3/pods/$pod/derived", "", 200, "Final derived pod retrieved successfully."},
	{"get_pod_credentials", "alice", "GET /v3/pods/$pod/credentials", "", 200, "The request was successful"},
	{"get_pod_logs", "alice", "GET /v3/pods/$pod/logs", "", 200, "Pod logs retrieved successfully."},
	{"set_pod_permission", "alice", "POST /v3/pods/$pod/permissions", `{"user":"bob","level":"READ"}`, 200, "Pod permissions updated successfully."},
	{"set_pod_permission", "alice", "POST /v3/pods/$pod/permissions", `{"user":"bob","level":"OWNER"}`, 400, "level must be in"},
	{"set_pod_permission", "alice", "POST /v3/pods/$pod/permissions", `{"user":"alice","level":"USER"}`, 400, "Operation would leave the pod with no ADMIN-capable user. Rolling back."},
	{"get_pod_credentials", "bob", "GET /v3/pods/$pod/credentials", "", 403, forbidden},
	{"get_pod_permissions", "alice", "GET /v3/pods/$pod/permissions", "", 200, "Pod permissions retrieved successfully."},
	{"delete_pod_permission", "alice", "DELETE /v3/pods/$pod/permissions/bob", "", 200, "Pod permission deleted successfully."},
	{"delete_pod_permission", "alice", "DELETE /v3/pods/$pod/permissions/bob", "", 400, "No permission found for user"},
	{"delete_pod_permission", "alice", "DELETE /v3/pods/$pod/permissions/alice", "", 400, "no ADMIN-capable user"},
	{"update_pod", "alice", "PUT /v3/pods/$pod", `{"description":"changed"}`, 200, "Pod updated successfully."},
	{"update_pod", "alice", "PUT /v3/pods/$pod", `{"description":"changed"}`, 200, "Incoming data made no changes to pod. Is incoming data equal to current data?"},
	{"update_pod", "alice", "PUT /v3/pods/$pod", `{"resources":{"cpu_request":4000}}`, 400, "resources.cpu_x found cpu_request"},
	{"save_pod_as_template_tag", "alice", "POST /v3/pods/$pod/save_pod_as_template_tag", `{"template_id":"$tpl","commit_message":"saved","tag":"saved"}`, 200, "Template tag added successfully."},
	{"save_pod_as_template_tag", "alice", "POST /v3/pods/$pod-default/save_pod_as_template_tag", `{"template_id":"$tplx","commit_message":"saved"}`, 404, "Template with identifier template_id"},
	{"exec_pod_commands", "alice", "POST /v3/pods/$pod/exec", `{"commands":["sh","-c","true"]}`, 200, "All Commands Successful"},
	{"exec_pod_commands", "alice", "POST /v3/pods/$pod/exec", `{"commands":[["sh","-c","exit 1"],["sh"]]}`, 200, "0 of 2 commands successful - Execution stopped due to command failure on latest command."},
	{"exec_pod_commands", "alice", "POST /v3/pods/$pod/exec", `{"commands":[["sh","-c","sleep 9"],["sh"]],"total_timeout":1}`, 200, "Execution stopped due to total timeout."},
	{"exec_pod_commands", "alice", "POST /v3/pods/$pod/exec", `{"commands":[]}`, 400, "commands cannot be empty"},
	{"exec_pod_commands", "bob", "POST /v3/pods/$pod/exec", `{"commands":["sh"]}`, 404, notFound},
	{"upload_to_pod", "alice", "POST /v3/pods/$pod/upload_to_pod", form("", "file"), 400, "Destination path is required"},
	{"upload_to_pod", "alice", "POST /v3/pods/$pod/upload_to_pod", form("/tmp", "file"), 400, "Failed to upload file to pod"},
	{"upload_to_pod", "alice", "POST /v3/pods/$pod/upload_to_pod", form("/tmp/data", "file"), 200, "File uploaded to pod successfully."},
	{"upload_to_jupyter", "alice", "POST /v3/pods/jupyter/$pod/upload", form("x", "file"), 400, "'dest_path' too many"},
	{"pod_auth", "alice", "GET /v3/pods/$pod/auth", "", 403, "does not ask for a login"},
	{"pod_auth", "nobody", "GET /v3/pods/$pod-none/auth", "", 404, "has no networking entry"},
	{"pod_auth_login", "nobody", "GET /v3/pods/$pod/auth/login?state=none", "", 403, "does not ask for a login"},
	{"pod_auth_callback", "nobody", "GET /v3/pods/$pod/auth/callback?code=none", "", 403, "does not ask for a login"},
	{"start_pod", "alice", "GET /v3/pods/$pod/start", "", 400, "Pod must be in 'STOPPED' status to run 'start_pod'"},
	{"restart_pod", "alice", "GET /v3/pods/$pod/restart?grab_latest_template_tag=true", "", 200, "Updated pod's status_requested to RESTART."},
	{"stop_pod", "alice", "GET /v3/pods/$pod/stop", "", 200, "Updated pod's status_requested to OFF."},
}

// afterStop are calls about a pod that is STOPPED, and the end of everything.
var afterStop = []call{
	{"exec_pod_commands", "alice", "POST /v3/pods/$pod/exec", `{"commands":["sh"]}`, 400, "Can't find suitable running pod"},
	{"upload_to_pod", "alice", "POST /v3/pods/$pod/upload_to_pod", form("/tmp/data", "file"), 404, "Can't find suitable running pod for upload."},
	{"start_pod", "alice", "GET /v3/pods/$pod/start", "", 200, "Updated pod's status_requested to ON and requested pod."},
	{"delete_pod", "bob", "DELETE /v3/pods/$pod", "", 404, notFound},
	{"delete_pod", "alice", "DELETE /v3/pods/$pod", "", 200, "Pod successfully deleted."},
	{"delete_pod", "alice", "DELETE /v3/pods/$pod", "", 404, notFound},
	{"delete_template_tag", "bob", "DELETE /v3/pods/templates/$tpl/tags/saved", "", 404, notFound},
	{"delete_template_tag", "alice", "DELETE /v3/pods/templates/$tpl/tags/saved", "", 200, ""},
	{"delete_template_tag", "alice", "DELETE /v3/pods/templates/$tpl/tags/saved", "", 404, notFound},
	{"ensure_jupyter_pod", "carol", "GET /v3/pods/jupyter/ensure", "", 200, "Created new Jupyter pod successfully."},
	{"ensure_jupyter_pod", "carol", "GET /v3/pods/jupyter/ensure", "", 200, "Retrieved existing Jupyter pod successfully."},
	{"delete_pod", "carol", "DELETE /v3/pods/caroljupyter", "", 200, "Pod successfully deleted."},
	{"delete_template", "alice", "DELETE /v3/pods/templates/$tpl", "", 200, "Template and associated Template Tags successfully deleted."},
	{"delete_template", "alice", "DELETE /v3/pods/templates/$tpl", "", 404, notFound},
	{"delete_image", "root", "DELETE /v3/pods/images/$img", "", 200, "Image successfully deleted."},
	{"get_traefik_config", "alice", "GET /v3/pods/traefik-config", "", 403, "for site admins"},
	{"get_traefik_config", "root", "GET /v3/pods/traefik-config", "", 200, ""},
	{"list_dead_letters", "alice", "GET /v3/pods/dead-letters", "", 403, "for site admins"},
	{"list_dead_letters", "root", "GET /v3/pods/dead-letters", "", 200, "Dead letters retrieved successfully."},
	{"resend_dead_letter", "root", "POST /v3/pods/dead-letters/none/resend?trigger=spawner", "", 404, "There is no dead letter"},
	{"delete_dead_letter", "root", "DELETE /v3/pods/dead-letters/none", "", 400, "trigger is required"},
}

// boundary parts the forms of this test.
const boundary = "contract"

// form returns a form with a file and its destination.
func form(destination, content string) string {
	part := func(name, value string) string {
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	return part("dest_path", destination) + part("file", content) + "--" + boundary + "--\r\n"
}

// TestContract goes through the operations of the API, their successes and what
// the contract says of their failures, on a pod that really runs.
func TestContract(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	c.run(t, beforeRun)
	c.run(t, ofStorage)
	alice := shared.User(t, "alice")
	suite.WaitFor(t, alice, c.podID, pods.StatusAvailable)
	c.run(t, whileRunning)
	suite.WaitFor(t, alice, c.podID, pods.StatusStopped)
	c.run(t, afterStop)
}

// TestContractIsWhole keeps operations of the API's document from being left out
// of TestContract. The page of the documentation is no answer of the API.
func TestContractIsWhole(t *testing.T) {
	t.Parallel()
	called := map[string]bool{"get_docs": true}
	for _, call := range slices.Concat(beforeRun, ofStorage, whileRunning, afterStop) {
		called[call.operation] = true
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(openapi.JSON(), &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method, raw := range methods {
			var operation struct {
				ID string `json:"operationId"`
			}
			if json.Unmarshal(raw, &operation) == nil && operation.ID != "" && !called[operation.ID] {
				t.Errorf("%s %s, %s, is not called", method, path, operation.ID)
			}
		}
	}
}

type contract struct {
	podID  string
	ids    *strings.Replacer
	tokens map[string]string
}

func newContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{podID: suite.NewID("contract"), tokens: map[string]string{}}
	template, volume, snapshot := suite.NewID("tpl"), suite.NewID("vol"), suite.NewID("snap")
	c.ids = strings.NewReplacer("$pod", c.podID, "$tpl", template, "$img", suite.NewID("img"),
		"$vol", volume, "$snap", snapshot)
	for name, user := range map[string]string{"alice": "alice", "bob": "bob", "carol": "carol", "root": "admin"} {
		c.tokens[name] = shared.User(t, user).Token()
	}
	alice, carol := shared.User(t, "alice"), shared.User(t, "carol")
	t.Cleanup(func() { // what a test that has failed leaves
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = alice.DeletePod(ctx, c.podID)
		_ = alice.Do(ctx, http.MethodDelete, "/v3/pods/templates/"+template, nil, nil)
		_ = carol.DeletePod(ctx, "caroljupyter")
		_ = alice.Do(ctx, http.MethodDelete, "/v3/pods/snapshots/"+snapshot, nil, nil)
		_ = alice.Do(ctx, http.MethodDelete, "/v3/pods/volumes/"+volume, nil, nil)
	})
	return c
}

func (c *contract) run(t *testing.T, calls []call) {
	t.Helper()
	for _, call := range calls {
		headers := map[string]string{"Accept": "application/json"} // status pages have two forms
		if token := c.tokens[call.as]; token != "" {
			headers["X-Tapis-Token"] = token
		}
		if call.as == "root" {
			headers["X-Pods-Admin"] = "true"
		}
		if strings.HasPrefix(call.body, "--"+boundary) {
			headers["Content-Type"] = "multipart/form-data; boundary=" + boundary
		}
		method, path, _ := strings.Cut(c.ids.Replace(call.request), " ")
		got := shared.Call(t, method, path, c.ids.Replace(call.body), headers)
		if got.Status != call.status || !strings.Contains(got.Message, c.ids.Replace(call.message)) {
			t.Errorf("%s by %s: %s %s = %d %q, want %d %q", call.operation, call.as, method, path, got.Status, got.Message, call.status, call.message)
		}
	}
}
