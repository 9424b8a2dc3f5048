package main

import (
	"testing"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// TestShippedTemplates makes a pod of every template as a user would who names
// nothing but the template.
func TestShippedTemplates(t *testing.T) {
	t.Parallel()

	rules := pods.NewRules()
	catalog, err := document.LoadTemplates(assets.Templates(), rules)
	if err != nil {
		t.Fatal(err)
	}
	deriver := templates.NewDeriver(catalog, catalog, func(string) string { return "pods.localhost" })
	for _, template := range catalog.Templates() {
		t.Run(template.ID, func(t *testing.T) {
			t.Parallel()

			patch := pods.Patch{ID: pods.Some("docpod"), Template: pods.Some(template.ID)}
			pod, err := pods.New(pods.Caller{TenantID: "dev", SiteID: "dev"}, pods.Tenant{PodsDomain: "pods.localhost"}, patch, rules, "u", pods.Pod{}.CreationTS)
			if err != nil {
				t.Fatal(err)
			}
			derived, err := deriver.Derive(t.Context(), pod)
			if err != nil {
				t.Fatal(err)
			}
			if err := rules.CheckMerged(derived.Pod.Spec); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()

	triggers, err := events.ParseTriggers(assets.Triggers)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, trigger := range triggers {
		names[trigger.Subscriber] = true
	}
	for _, function := range []string{"spawner", "health", "logs"} {
		if !names[function] {
			t.Errorf("no Trigger leads to %s", function)
		}
	}
}
