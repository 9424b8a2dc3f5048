package server_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/rest"
)

// access is what the documentation says of a route: who may use it, and how a
// request looks that is allowed.
type access struct {
	least  string // open, token, a level, site admin, or admin mode
	body   string // %d is a number that no other request has
	status int    // of an answer when allowed; zero means 200
}

// levels are those a user can have on an object, in their order.
var levels = []string{"NONE", "READ", "USER", "ADMIN"}

// documented is the permission table of the documentation, and what the other
// routes need.
var documented = map[string]access{
	"GET /healthcheck":                                        {least: "open"},
	"GET /error-handler/{status}":                             {least: "open", status: 404},
	"GET /pods":                                               {least: "token"},
	"POST /pods":                                              {least: "token", body: `{"pod_id":"new%d","image":"nginx"}`},
	"GET /pods/{pod_id}":                                      {least: "READ"},
	"PUT /pods/{pod_id}":                                      {least: "USER", body: `{"description":"change %d"}`},
	"DELETE /pods/{pod_id}":                                   {least: "ADMIN"},
	"GET /pods/{pod_id}/derived":                              {least: "READ"},
	"GET /pods/{pod_id}/start":                                {least: "ADMIN", status: 400}, // it is not STOPPED
	"GET /pods/{pod_id}/stop":                                 {least: "ADMIN"},
	"GET /pods/{pod_id}/restart":                              {least: "ADMIN"},
	"GET /pods/{pod_id}/logs":                                 {least: "READ"},
	"GET /pods/{pod_id}/credentials":                          {least: "USER"},
	"GET /pods/{pod_id}/permissions":                          {least: "USER"},
	"POST /pods/{pod_id}/permissions":                         {least: "ADMIN", body: `{"user":"dave","level":"READ"}`},
	"DELETE /pods/{pod_id}/permissions/{user}":                {least: "ADMIN"},
	"POST /pods/{pod_id}/save_pod_as_template_tag":            {least: "ADMIN", body: `{"template_id":"target","commit_message":"x","tag":"t%d"}`},
	"POST /pods/{pod_id}/exec":                                {least: "ADMIN", body: `{"commands":["ls"]}`, status: 400}, // it does not run
	"POST /pods/{pod_id}/upload_to_pod":                       {least: "ADMIN", status: 404},
	"GET /pods/{pod_id_net}/auth":                             {least: "open", status: 404},
	"GET /pods/{pod_id_net}/auth/login":                       {least: "open", status: 404},
	"GET /pods/{pod_id_net}/auth/callback":                    {least: "open", status: 404},
	"GET /pods/jupyter/ensure":                                {least: "token"},
	"POST /pods/jupyter/{pod_id}/upload":                      {least: "USER", status: 400},
	"GET /pods/templates":                                     {least: "token"},
	"POST /pods/templates":                                    {least: "token", body: `{"template_id":"new%d"}`},
	"GET /pods/templates/tags":                                {least: "token"},
	"GET /pods/templates/{template_id}":                       {least: "READ"},
	"PUT /pods/templates/{template_id}":                       {least: "USER", body: `{"description":"change %d"}`},
	"DELETE /pods/templates/{template_id}":                    {least: "ADMIN"},
	"GET /pods/templates/{template_id}/tags":                  {least: "READ"},
	"POST /pods/templates/{template_id}/tags":                 {least: "USER", body: `{"pod_definition":{"image":"nginx"},"commit_message":"x","tag":"t%d"}`},
	"GET /pods/templates/{template_id}/tags/{tag_id}":         {least: "READ"},
	"DELETE /pods/templates/{template_id}/tags/{tag_id}":      {least: "ADMIN"},
	"GET /pods/templates/{template_id}/permissions":           {least: "USER"},
	"POST /pods/templates/{template_id}/permissions":          {least: "ADMIN", body: `{"user":"dave","level":"READ"}`},
	"DELETE /pods/templates/{template_id}/permissions/{user}": {least: "ADMIN"},
	"GET /pods/images":                                        {least: "token"},
	"GET /pods/images/{image_id...}":                          {least: "token"},
	"POST /pods/images":                                       {least: "admin mode", body: `{"image":"new%d"}`},
	"POST /pods/images/bulk":                                  {least: "admin mode", body: `[{"image":"newer%d"}]`},
	"PUT /pods/images/{image_id...}":                          {least: "admin mode", body: `{"description":"change %d"}`},
	"DELETE /pods/images/{image_id...}":                       {least: "admin mode"},
	"GET /pods/volumes":                                       {least: "token"},
	"POST /pods/volumes":                                      {least: "token", body: `{"volume_id":"new%d"}`},
	"GET /pods/volumes/{volume_id}":                           {least: "READ"},
	"PUT /pods/volumes/{volume_id}":                           {least: "USER", body: `{"description":"change %d"}`},
	"DELETE /pods/volumes/{volume_id}":                        {least: "ADMIN"},
	"GET /pods/volumes/{volume_id}/list":                      {least: "READ"},
	"GET /pods/volumes/{volume_id}/contents/{path...}":        {least: "USER"},
	"GET /pods/volumes/{volume_id}/download/{path...}":        {least: "USER"},
	"GET /pods/volumes/{volume_id}/permissions":               {least: "READ"},
	"POST /pods/volumes/{volume_id}/permissions":              {least: "ADMIN", body: `{"user":"dave","level":"READ"}`},
	"DELETE /pods/volumes/{volume_id}/permissions/{user}":     {least: "ADMIN"},
	"GET /pods/snapshots":                                     {least: "token"},
	"POST /pods/snapshots":                                    {least: "token", body: `{"snapshot_id":"new%d","source_volume_id":"target","source_volume_path":"/"}`},
	"GET /pods/snapshots/{snapshot_id}":                       {least: "READ"},
	"PUT /pods/snapshots/{snapshot_id}":                       {least: "USER", body: `{"description":"change %d"}`},
	"DELETE /pods/snapshots/{snapshot_id}":                    {least: "ADMIN"},
	"GET /pods/snapshots/{snapshot_id}/list":                  {least: "READ"},
	"GET /pods/snapshots/{snapshot_id}/contents/{path...}":    {least: "USER"},
	"GET /pods/snapshots/{snapshot_id}/download/{path...}":    {least: "USER"},
	"GET /pods/snapshots/{snapshot_id}/permissions":           {least: "READ"},
	"POST /pods/snapshots/{snapshot_id}/permissions":          {least: "ADMIN", body: `{"user":"dave","level":"READ"}`},
	"DELETE /pods/snapshots/{snapshot_id}/permissions/{user}": {least: "ADMIN"},
	"POST /pods/volumes/{volume_id}/upload/{path...}":         {least: "USER", status: 400}, // it is no form
	"POST /pods/snapshots/{snapshot_id}/restore":              {least: "USER", body: `{"volume_id":"target"}`},
	"GET /traefik-config":                                     {least: "open"},
	"GET /pods/traefik-config":                                {least: "site admin"},
	"GET /pods/dead-letters":                                  {least: "site admin"},
	"POST /pods/dead-letters/{event_id}/resend":               {least: "site admin"},
	"DELETE /pods/dead-letters/{event_id}":                    {least: "site admin"},
}

// TestAccess drives every route with every level, the wrong tenant and bad
// tokens. A route that the documentation knows nothing of fails it.
func TestAccess(t *testing.T) {
	t.Parallel()

	for _, route := range server.New(server.Config{}).Routes() {
		row, found := documented[route.Pattern]
		if !found {
			t.Errorf("route %s has no row here", route.Pattern)
			continue
		}
		t.Run(strings.NewReplacer(" ", "_", "/", "_").Replace(route.Pattern), func(t *testing.T) {
			t.Parallel()

			a := newAccessTest(t, route, row)
			switch {
			case row.least == "open":
				a.want("anybody", a.service.call, "", a.row.status)
				return
			case slices.Contains(levels, row.least):
				a.testLevels()
			case row.least == "token":
				a.want("a user", a.service.call, a.token("bob"), a.row.status)
			default:
				a.testAdmins()
			}
			a.testTokens()
		})
	}
}

// accessTest has what one route is about: a pod, a template with a tag, an
// image, a volume and a snapshot with a file, and a dead letter.
type accessTest struct {
	t       *testing.T
	service *service
	alice   *client.Client
	route   rest.Route
	row     access
	path    string
	count   int
}

func newAccessTest(t *testing.T, route rest.Route, row access) *accessTest {
	t.Helper()
	s := newService(t)
	a := &accessTest{t: t, service: s, alice: s.as("alice"), route: route, row: row}
	a.row.status = cmp.Or(row.status, http.StatusOK)
	_, path, _ := strings.Cut(route.Pattern, " ")
	event := s.addDeadLetter("spawner").Event.ID()
	a.path = strings.NewReplacer("{pod_id}", "shared", "{pod_id_net}", "none", "{template_id}", "shared", "{user}", "erin", "{tag_id}", "latest",
		"{status}", "404", "{image_id...}", "stored",
		"{volume_id}", "shared", "{snapshot_id}", "shared", "{path...}", "file", "{event_id}", event).Replace(path)
	if strings.HasPrefix(a.path, "/pods/dead-letters/") {
		a.path += "?trigger=spawner"
	}
	s.addTemplate(s.as("bob"), "target", `{"image":"nginx"}`)
	if err := s.as("bob").Do(t.Context(), "POST", "/v3/pods/volumes", json.RawMessage(`{"volume_id":"target"}`), nil); err != nil {
		t.Fatal(err)
	}
	if got := s.asAdmin("POST", "/v3/pods/images", a.token("admin"), `{"image":"stored","tenants":["**"]}`); got.status != 200 {
		t.Fatalf("add an image = %d %s", got.status, got.envelope["message"])
	}
	return a
}

func (a *accessTest) token(user string) string { return a.service.as(user).Token() }

// want sends the route's request by send and compares the status.
func (a *accessTest) want(who string, send func(method, path, token, body string) answer, token string, status int) answer {
	a.t.Helper()
	method, _, _ := strings.Cut(a.route.Pattern, " ")
	body := a.row.body
	if strings.Contains(body, "%d") {
		a.count++
		body = fmt.Sprintf(body, a.count)
	}
	got := send(method, a.path, token, body)
	if got.status != status {
		a.t.Errorf("%s for %s = %d %s, want %d", a.route.Pattern, who, got.status, got.envelope["message"], status)
	}
	return got
}

// testLevels has a user with each level try.
func (a *accessTest) testLevels() {
	bob := a.token("bob")
	for i, level := range levels {
		a.makeObjects(level) // anew for every level: some requests remove them
		status := a.row.status
		switch {
		case level == "NONE":
			status = http.StatusNotFound
		case i < slices.Index(levels, a.row.least):
			status = http.StatusForbidden
		}
		got := a.want("one with "+level, a.service.call, bob, status)
		if level == "NONE" {
			a.path = strings.Replace(a.path, "shared", "absent", 1)
			hidden := a.want("one who asks for what is not there", a.service.call, bob, status)
			a.path = strings.Replace(a.path, "absent", "shared", 1)
			if string(got.envelope["message"]) != strings.ReplaceAll(string(hidden.envelope["message"]), "absent", "shared") {
				a.t.Errorf("%s tells hidden from absent: %s and %s", a.route.Pattern, got.envelope["message"], hidden.envelope["message"])
			}
		}
		a.removeObjects()
	}
	a.makeObjects("NONE")
	a.want("a site admin who does not say so", a.service.call, a.token("admin"), http.StatusNotFound)
	if !strings.HasSuffix(a.path, "/save_pod_as_template_tag") { // its template is in another tenant's reach too
		a.want("a site admin in admin mode", a.service.asAdmin, a.token("admin"), a.row.status)
	}
}

// makeObjects makes what the route is about, on which bob has level.
func (a *accessTest) makeObjects(level string) {
	a.t.Helper()
	ctx := a.t.Context()
	if err := a.alice.Do(ctx, "POST", "/v3/pods", json.RawMessage(`{"pod_id":"shared","image":"nginx"}`), nil); err != nil {
		a.t.Fatal(err)
	}
	a.service.addTemplate(a.alice, "shared", `{"image":"nginx"}`)
	if err := a.alice.Do(ctx, "POST", "/v3/pods/volumes", json.RawMessage(`{"volume_id":"shared"}`), nil); err != nil {
		a.t.Fatal(err)
	}
	a.service.write("shared", "file", "{}")
	snapshot := json.RawMessage(`{"snapshot_id":"shared","source_volume_id":"shared","source_volume_path":"/"}`)
	if err := a.alice.Do(ctx, "POST", "/v3/pods/snapshots", snapshot, nil); err != nil {
		a.t.Fatal(err)
	}
	for _, object := range []string{"/v3/pods/shared", "/v3/pods/templates/shared", "/v3/pods/volumes/shared", "/v3/pods/snapshots/shared"} {
		for user, level := range map[string]string{"bob": level, "erin": "READ"} {
			if level == "NONE" {
				continue
			}
			if err := a.alice.Do(ctx, "POST", object+"/permissions", map[string]string{"user": user, "level": level}, nil); err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

func (a *accessTest) removeObjects() {
	_ = a.alice.DeletePod(a.t.Context(), "shared") // gone already after a request that deletes it
	for _, object := range []string{"templates", "volumes", "snapshots"} {
		_ = a.alice.Do(a.t.Context(), "DELETE", "/v3/pods/"+object+"/shared", nil, nil)
	}
}

// testAdmins has site admins and others try.
func (a *accessTest) testAdmins() {
	a.want("a user", a.service.call, a.token("alice"), http.StatusForbidden)
	a.want("a user who sends the header", a.service.asAdmin, a.token("alice"), http.StatusForbidden)
	foreign := a.service.at(a.service.otherTenant(), "admin").Token()
	a.want("an admin at another tenant's address", a.service.asAdmin, foreign, http.StatusForbidden)
	if a.row.least == "admin mode" {
		a.want("a site admin without the header", a.service.call, a.token("admin"), http.StatusForbidden)
		a.want("a site admin", a.service.asAdmin, a.token("admin"), a.row.status)
		return
	}
	a.want("a site admin", a.service.call, a.token("admin"), a.row.status)
}

// testTokens tries without a token and with bad ones.
func (a *accessTest) testTokens() {
	bob := a.token("bob")
	if got := a.want("nobody", a.service.call, "", http.StatusUnauthorized); got.messages()[0] != "No access token found in the request." {
		a.t.Errorf("%s without a token says %s", a.route.Pattern, got.envelope["message"])
	}
	a.want("one with half a token", a.service.call, bob[:40], http.StatusUnauthorized)
	a.want("one with a changed token", a.service.call, bob[:len(bob)-4]+"AAAA", http.StatusUnauthorized)
	foreign := a.service.at(a.service.otherTenant(), "bob").Token()
	if got := a.want("a user of another tenant", a.service.call, foreign, http.StatusForbidden); !strings.Contains(got.messages()[0], "does not match the URL tenant") {
		a.t.Errorf("%s with another tenant's token says %s", a.route.Pattern, got.envelope["message"])
	}
}
