package pages_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/pages"
)

const host = "db.pods.localhost"

func get(t *testing.T, page pages.Page, method string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "http://"+host+"/secret-path?secret=query", nil)
	r.Header = header
	w := httptest.NewRecorder()
	pages.NewWriter("1.2.3").Write(w, r, page, host)
	return w.Result()
}

func read(t *testing.T, response *http.Response) string {
	t.Helper()
	var body strings.Builder
	if err := response.Write(&body); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
	return text
}

var (
	browser = http.Header{"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}}
	program = http.Header{"Accept": {"application/json"}}
)

func TestForState(t *testing.T) {
	t.Parallel()

	tests := map[routes.State]struct {
		title     string
		wantRetry string
	}{
		routes.StateStarting: {"Starting", "5"},
		routes.StateStopping: {"Stopping", "5"},
		routes.StateStopped:  {"Stopped", ""},
		routes.StateError:    {"Failed", ""},
		routes.StateComplete: {"Finished", ""},
	}
	for state, tc := range tests {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()

			for _, header := range []http.Header{browser, program} {
				response := get(t, pages.ForState(state), http.MethodGet, header)
				if response.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("status %d, want 503", response.StatusCode)
				}
				if got := response.Header.Get("Retry-After"); got != tc.wantRetry {
					t.Errorf("Retry-After %q, want %q", got, tc.wantRetry)
				}
				if got := response.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
			}
			html := read(t, get(t, pages.ForState(state), http.MethodGet, browser))
			if !strings.Contains(html, tc.title+" · "+host+"</title>") || !strings.Contains(html, `<p class="host">`+host+"</p>") {
				t.Errorf("page does not show %q and the host:\n%s", tc.title, html)
			}
			if got := strings.Contains(html, `<meta http-equiv="refresh" content="5">`); got != (tc.wantRetry != "") {
				t.Errorf("page refreshes itself: %t", got)
			}
			if strings.Contains(html, "secret") {
				t.Error("page shows the path or query")
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()

	response := get(t, pages.ForState(routes.StateStopped), http.MethodGet, program)
	if got := response.Header.Values("Content-Type"); !cmp.Equal(got, []string{"application/json"}) {
		t.Errorf("Content-Type %q, want exactly application/json", got)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(read(t, response)), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"message":  "The pod is stopped. Its owner can start it again.",
		"metadata": map[string]any{"state": "stopped", "host": host},
		"result":   nil, "status": "error", "version": "1.2.3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestForm(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		header   http.Header
		wantJSON bool
	}{
		"Browser":        {browser, false},
		"JSON":           {program, true},
		"NoHeader":       {nil, false},
		"Anything":       {http.Header{"Accept": {"*/*"}}, false},
		"Script":         {http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"cors"}}, true},
		"Navigation":     {http.Header{"Accept": {"*/*"}, "Sec-Fetch-Mode": {"navigate"}}, false},
		"NamedJSON":      {http.Header{"Accept": {"application/json, text/plain, */*"}}, true},
		"HTMLFirst":      {http.Header{"Accept": {"text/html, application/json;q=0.9"}}, false},
		"JSONFirst":      {http.Header{"Accept": {"text/html;q=0.5", "application/json"}}, true},
		"HTMLRefused":    {http.Header{"Accept": {"*/*, text/html;q=0"}}, true},
		"XHTMLOnly":      {http.Header{"Accept": {"application/xhtml+xml"}}, false},
		"TextRange":      {http.Header{"Accept": {"text/*"}}, false},
		"ApplicationAll": {http.Header{"Accept": {"application/*"}}, true},
		"EventStream":    {http.Header{"Accept": {"text/event-stream"}}, true},
		"Upper":          {http.Header{"Accept": {"Application/JSON"}}, true},
		"BadWeight":      {http.Header{"Accept": {"text/html;q=x, application/json;q=0.1"}}, true},
		"Garbage":        {http.Header{"Accept": {";;;,"}}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			response := get(t, pages.NotFound, http.MethodGet, tc.header)
			if got := response.Header.Get("Content-Type") == "application/json"; got != tc.wantJSON {
				t.Errorf("Content-Type %q, want JSON: %t", response.Header.Get("Content-Type"), tc.wantJSON)
			}
		})
	}
}

func TestStyleIsAllowed(t *testing.T) {
	t.Parallel()

	response := get(t, pages.NotFound, http.MethodGet, browser)
	html := read(t, response)
	_, rest, _ := strings.Cut(html, "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	if !found || !strings.Contains(style, "prefers-color-scheme") {
		t.Fatalf("page has no style sheet:\n%s", html)
	}
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	if got := response.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("Content-Security-Policy does not allow the page's own style:\n got %s\nwant %s", got, want)
	}
	if strings.Contains(html, "<script") || strings.Contains(html, "http://") || strings.Contains(html, "https://") {
		t.Error("page is not self-contained")
	}
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()

	full := get(t, pages.NotFound, http.MethodGet, browser)
	head := get(t, pages.NotFound, http.MethodHead, browser)
	if head.StatusCode != http.StatusNotFound || head.Header.Get("Content-Length") != full.Header.Get("Content-Length") {
		t.Errorf("HEAD: %d, %v", head.StatusCode, head.Header)
	}
	if n, _ := head.Body.Read(make([]byte, 1)); n > 0 {
		t.Error("HEAD has a body")
	}
}

func TestHostIsEscaped(t *testing.T) {
	t.Parallel()

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	pages.NewWriter("1").Write(w, r, pages.NotFound, `<script>alert(1)</script>`)
	if strings.Contains(w.Body.String(), "<script>") {
		t.Error("the host reaches the page unescaped")
	}
}

func TestMethodNotAllowedNamesMethods(t *testing.T) {
	t.Parallel()

	if got := get(t, pages.MethodNotAllowed, "TRACE", nil).Header.Get("Allow"); !strings.Contains(got, "GET, HEAD, POST") {
		t.Errorf("Allow %q", got)
	}
}
