package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// byHeader takes the header User for who makes a request.
type byHeader struct{}

func (byHeader) Authenticate(_ context.Context, r *http.Request) (pods.Caller, error) {
	switch name := r.Header.Get("User"); name {
	case "":
		return pods.Caller{}, pods.Unauthenticated("No access token found in the request.")
	case "stranger":
		return pods.Caller{}, pods.Forbidden("The tenant_id claim in the token, a does not match the URL tenant, b.")
	default:
		return pods.Caller{TenantID: "dev", Username: name}, nil
	}
}

// few lets each caller make so many requests.
type few struct {
	mu    sync.Mutex
	left  int
	whose string
	asked []pods.Caller
}

func (f *few) Allow(caller pods.Caller) (time.Duration, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, caller)
	if f.left--; f.left >= 0 {
		return 0, ""
	}
	return 1100 * time.Millisecond, f.whose
}

// newRouter returns a router of routes that answer what they are asked to.
func newRouter(limiter rest.Limiter, timeout time.Duration) *rest.Router {
	fail := func(_ context.Context, r *rest.Request) (rest.Result, error) {
		text := r.PathValue("text")
		return rest.Result{}, map[string]error{
			"forbidden": pods.Forbidden("%s is not for you.", text), "missing": pods.NotFound("There is no %s.", text),
			"conflict": pods.Conflict("%s is taken.", text), "down": pods.Unavailable(text+" is down.", nil),
			"invalid":  pods.Invalid("%s will not do.", text),
			"field":    pods.InvalidFields([]pods.FieldError{{Location: []string{"query", text}, Message: "unknown"}}),
			"refused":  pods.Unauthenticated("The token of %s has expired.", text),
			"internal": fmt.Errorf("unauthorized token %s", text),
		}[r.PathValue("kind")]
	}
	read := func(_ context.Context, r *rest.Request) (rest.Result, error) {
		body, err := r.ReadJSON()
		return rest.Result{Value: len(body)}, err
	}
	return rest.NewRouter(rest.Config{
		Authenticator: byHeader{}, Limiter: limiter, Logger: slog.New(slog.DiscardHandler), Timeout: timeout,
	}, []rest.Route{
		{Pattern: "GET /open", Open: true, Handle: func(context.Context, *rest.Request) (rest.Result, error) { return rest.Result{}, nil }},
		{Pattern: "GET /fail/{kind}/{text}", Handle: fail},
		{Pattern: "POST /read", Handle: read},
		{Pattern: "GET /document", Open: true, Handle: func(context.Context, *rest.Request) (rest.Result, error) {
			return rest.Result{Respond: rest.Document{ContentType: "application/json", ETag: `"1"`, Body: []byte(`[1]`)}.Respond}, nil
		}},
	})
}

// do returns the answer of handler with its messages in one text.
func do(t *testing.T, handler http.Handler, user, method, path string, body io.Reader) (*httptest.ResponseRecorder, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Content-Type", "application/json")
	if user != "" {
		r.Header.Set("User", user)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	var envelope struct {
		Message any
		Status  string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &envelope); err != nil || (envelope.Status == "success") != (w.Code == http.StatusOK) {
		t.Fatalf("%s: status %d, %s, %v", path, w.Code, w.Body, err)
	}
	return w, fmt.Sprint(envelope.Message)
}

// TestDocument gets an answer without an envelope, and again what has not
// changed.
func TestDocument(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		ifNoneMatch string
		status      int
		body        string
	}{
		"First":   {"", http.StatusOK, "[1]"},
		"Same":    {`"1"`, http.StatusNotModified, ""},
		"Changed": {`"0"`, http.StatusOK, "[1]"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(http.MethodGet, "/document", nil)
			r.Header.Set("If-None-Match", tc.ifNoneMatch)
			w := httptest.NewRecorder()
			newRouter(nil, time.Minute).ServeHTTP(w, r)
			if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("ETag") != `"1"` {
				t.Errorf("answer %d %q with the ETag %s", w.Code, w.Body, w.Header().Get("ETag"))
			}
		})
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()

	for whose, want := range map[string]string{
		"user": "Too many requests by user alice. Wait 2 s", "tenant": "Too many requests by tenant dev. Wait 2 s",
	} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()

			limiter := &few{left: 1, whose: whose}
			router := newRouter(limiter, time.Minute)
			for range 3 { // nobody's
				do(t, router, "", http.MethodGet, "/open", nil)
				do(t, router, "", http.MethodGet, "/fail/missing/pod", nil)
				do(t, router, "alice", http.MethodGet, "/nowhere", nil)
			}
			if w, _ := do(t, router, "alice", http.MethodGet, "/fail/missing/pod", nil); w.Code != http.StatusNotFound {
				t.Errorf("the first request: status %d", w.Code)
			}
			w, message := do(t, router, "alice", http.MethodGet, "/fail/missing/pod", nil)
			if w.Code != http.StatusTooManyRequests || !strings.HasPrefix(message, want) {
				t.Errorf("the second request: status %d, %q", w.Code, message)
			}
			if got := w.Header().Get("Retry-After"); got != "2" {
				t.Errorf("Retry-After %q, want 1.1 s rounded up", got)
			}
			if len(limiter.asked) != 2 || limiter.asked[0].Username != "alice" {
				t.Errorf("counted are %v", limiter.asked)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()

	router := newRouter(nil, time.Minute)
	const most = 1 << 20
	tests := map[string]struct {
		body io.Reader
		want int
	}{
		"Empty":              {strings.NewReader(""), http.StatusOK},
		"Most":               {strings.NewReader(strings.Repeat("x", most)), http.StatusOK},
		"OneMore":            {strings.NewReader(strings.Repeat("x", most+1)), http.StatusRequestEntityTooLarge},
		"MostUnannounced":    {io.LimitReader(endless{}, most), http.StatusOK},
		"EndlessUnannounced": {endless{}, http.StatusRequestEntityTooLarge},
		"Broken":             {io.MultiReader(strings.NewReader("{"), broken{}), http.StatusBadRequest},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w, message := do(t, router, "alice", http.MethodPost, "/read", tc.body)
			if w.Code != tc.want {
				t.Errorf("status %d, want %d: %s", w.Code, tc.want, message)
			}
			if tc.want == http.StatusRequestEntityTooLarge && !strings.Contains(message, "larger than the 1024 KiB") {
				t.Errorf("message %q does not say how much is taken", message)
			}
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, strings.Repeat("x", len(p))), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBodyThatDoesNotCome ends by itself, and a connection on which a body did
// come outlives the time for it.
func TestBodyThatDoesNotCome(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(newRouter(nil, 50*time.Millisecond))
	t.Cleanup(server.Close)
	send := func(announced int, body string) *http.Response {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "POST /read HTTP/1.1\r\nHost: x\r\nUser: alice\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", announced, body)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() })
		return answer
	}
	answer := send(10, "{")
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "did not come in time") {
		t.Errorf("status %d, %s, %v", answer.StatusCode, text, err)
	}
	if answer := send(2, "{}"); answer.StatusCode != http.StatusOK {
		t.Errorf("status %d for a whole body", answer.StatusCode)
	}
}
