package lifecycle

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithoutCondition(t *testing.T) {
	t.Parallel()

	const answer = `{"items": [
		{"metadata": {"name": "webhook"}, "status": {"conditions": [{"type": "Progressing", "status": "True"}, {"type": "Available", "status": "True"}]}},
		{"metadata": {"name": "activator"}, "status": {"conditions": [{"type": "Available", "status": "False"}]}},
		{"metadata": {"name": "new"}, "status": {}}
	]}`
	var list conditionList
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"activator", "new"}, list.without("Available")); diff != "" {
		t.Errorf("without (-want +got):\n%s", diff)
	}
}

func TestWebhooksKnown(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		answer string
		want   string
	}{
		"Known":      {`{"items": [{"webhooks": [{"name": "webhook.serving.knative.dev", "clientConfig": {"caBundle": "Zm9v"}}]}]}`, ""},
		"Unknown":    {`{"items": [{"webhooks": [{"name": "webhook.serving.knative.dev", "clientConfig": {}}]}]}`, "nothing is known yet of webhook.serving.knative.dev"},
		"OfOthers":   {`{"items": [{"webhooks": [{"name": "policy.example.org", "clientConfig": {}}]}]}`, ""},
		"NoWebhooks": {`{"items": []}`, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var list webhookList
			if err := json.Unmarshal([]byte(tc.answer), &list); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := list.known(); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("known = %q, want %q", got, tc.want)
			}
		})
	}
}
