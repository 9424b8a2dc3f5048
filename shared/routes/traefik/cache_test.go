package traefik_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/traefik"
)

// TestRenderer follows one Renderer through changes of pods and of a tenant's
// address.
func TestRenderer(t *testing.T) {
	t.Parallel()

	now, base, asked := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "https://dev.example.org", 0
	o := options()
	o.AuthBase = func(string) string { asked++; return base }
	var log bytes.Buffer
	renderer, err := traefik.NewRenderer(o, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	render := func(table *routes.Table) *traefik.Configuration {
		t.Helper()
		configuration, err := renderer.Render(table)
		if err != nil {
			t.Fatal(err)
		}
		return configuration
	}

	table := routes.Build([]pods.Pod{newPod("web", only(func(n *pods.Networking) { n.TapisAuth = true }))})
	first := render(table)
	if again := render(table); again != first || asked != 1 {
		t.Errorf("an unchanged table is rendered %d times", asked)
	}
	base = "https://elsewhere.example.org"
	now = now.Add(time.Minute)
	moved := render(table)
	if moved.ETag == first.ETag || !strings.Contains(string(moved.JSON), base) {
		t.Errorf("a minute later the document is still %s", moved.JSON)
	}
	bad := table.With(newPod("bad", only(func(n *pods.Networking) { n.CORSAllowOrigins = []string{"\x7f"} })))
	if got := render(bad); got.ETag != moved.ETag {
		t.Errorf("a pod that cannot be rendered changes the document to %s", got.JSON)
	}
	now = now.Add(time.Minute)
	render(bad)
	if got := strings.Count(log.String(), "cors_allow_origins"); got != 1 {
		t.Errorf("one problem is logged %d times:\n%s", got, log.String())
	}
	if got := render(table.Without("dev", "web")); got.ETag == moved.ETag {
		t.Error("a pod that has gone leaves the document as it was")
	}
	base = ""
	if got := render(table); bytes.Contains(got.JSON, []byte("web.pods")) {
		t.Error("a pod with a login is routed without one")
	}
}
