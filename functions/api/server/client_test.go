package server_test

import (
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/client/api"
)

// TestGeneratedClient calls the service by the client that is generated from
// its description.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	c, err := api.NewClientWithResponses(s.url+"/v3", api.WithToken(s.as("alice").Token()))
	if err != nil {
		t.Fatal(err)
	}

	created, err := c.CreatePodWithResponse(ctx, api.NewPod{
		PodID: "docpod", Template: new("postgres"), Resources: &api.ModelsPodsResources{MemLimit: new(4096)},
	})
	if err != nil || created.JSON200 == nil {
		t.Fatalf("create = %s, %v", created.Body, err)
	}
	pod := created.JSON200.Result
	if pod.Status != "REQUESTED" || *pod.Resources.MemLimit != 4096 || pod.CreationTS.IsZero() || pod.TimeToStopTS != nil {
		t.Errorf("created %+v", pod)
	}
	list, err := c.ListPodsWithResponse(ctx, &api.ListPodsParams{Derived: new(true)})
	if err != nil || list.JSON200 == nil || len(list.JSON200.Result) != 1 {
		t.Errorf("list = %s, %v", list.Body, err)
	}
	restarted, err := c.RestartPodWithResponse(ctx, "docpod", &api.RestartPodParams{GrabLatestTemplateTag: new(true)})
	if err != nil || restarted.JSON200 == nil || restarted.JSON200.Result.StatusRequested != "RESTART" {
		t.Errorf("restart = %s, %v", restarted.Body, err)
	}
	set, err := c.SetPodPermissionWithResponse(ctx, "docpod", api.SetPermission{User: "bob", Level: "READ"})
	if err != nil || set.JSON200 == nil || strings.Join(set.JSON200.Result.Permissions, " ") != "alice:ADMIN bob:READ" {
		t.Errorf("set permission = %s, %v", set.Body, err)
	}
	logs, err := c.GetPodLogsWithResponse(ctx, "docpod")
	if err != nil || logs.JSON200 == nil || len(logs.JSON200.Result.ActionLogs) != 3 {
		t.Errorf("logs = %s, %v", logs.Body, err)
	}

	taken, err := c.CreatePodWithResponse(ctx, api.NewPod{PodID: "docpod", Image: new("nginx")})
	if err != nil || taken.JSON409 == nil {
		t.Fatalf("create again = %s, %v", taken.Body, err)
	}
	if message, err := taken.JSON409.Message.AsFailureMessage0(); err != nil || !strings.Contains(message, "Duplicate key found") {
		t.Errorf("create again says %q, %v", message, err)
	}
	invalid, err := c.UpdatePodWithResponse(ctx, "docpod", api.UpdatePod{Description: new("ä"), TimeToStopDefault: new(5)})
	if err != nil || invalid.JSON400 == nil {
		t.Fatalf("invalid update = %s, %v", invalid.Body, err)
	}
	if messages, err := invalid.JSON400.Message.AsFailureMessage1(); err != nil || len(messages) != 2 {
		t.Errorf("invalid update says %q, %v; want a line for each field", messages, err)
	}
	refused, err := c.ListDeadLettersWithResponse(ctx, nil)
	if err != nil || refused.JSONDefault == nil || refused.StatusCode() != 403 {
		t.Errorf("dead letters for a user = %s, %v", refused.Body, err)
	}

	deleted, err := c.DeletePodWithResponse(ctx, "docpod")
	if err != nil || deleted.JSON200 == nil {
		t.Errorf("delete = %s, %v", deleted.Body, err)
	}
	if gone, err := c.GetPodWithResponse(ctx, "docpod", nil); err != nil || gone.JSON404 == nil {
		t.Errorf("get after delete = %s, %v", gone.Body, err)
	}
}
