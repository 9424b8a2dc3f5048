package web_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/images/hello/web"
)

func newServer(options web.Options) *web.Server {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.PodID == "" {
		options.PodID = "docpod"
	}
	options.Version = "1.2.3"
	return web.New(options)
}

// answer sends one request to a fresh server and returns what came back.
func answer(t *testing.T, method, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	newServer(web.Options{}).ServeHTTP(recorder, request)
	return recorder
}

func TestPageFollowsAcceptHeader(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		accept   []string
		wantHTML bool
	}{
		"None":           {nil, false},
		"Curl":           {[]string{"*/*"}, false},
		"Browser":        {[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, true},
		"SecondHeader":   {[]string{"application/json", "text/html;q=0.5"}, true},
		"RefusesHTML":    {[]string{"text/html;q=0, */*"}, false},
		"PlainPreferred": {[]string{"text/plain"}, false},
		"Nonsense":       {[]string{";;,text"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := answer(t, http.MethodGet, "/", http.Header{"Accept": tc.accept})
			isHTML := strings.HasPrefix(got.Header().Get("Content-Type"), "text/html")
			if got.Code != http.StatusOK || isHTML != tc.wantHTML {
				t.Errorf("status %d, type %q, want 200 and HTML %v", got.Code, got.Header().Get("Content-Type"), tc.wantHTML)
			}
			if !strings.Contains(got.Body.String(), "docpod") {
				t.Errorf("the page does not name the pod: %q", got.Body)
			}
			if strings.Contains(got.Body.String(), "{pod}") {
				t.Error("the page shows a placeholder")
			}
		})
	}
}

func TestPageEscapesWhatItShows(t *testing.T) {
	t.Parallel()

	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	request.Header.Set("Accept", "text/html")
	request.Host = `x"><script>host()</script>`
	recorder := httptest.NewRecorder()
	newServer(web.Options{PodID: "<script>pod()</script>{host}"}).ServeHTTP(recorder, request)

	if strings.Contains(recorder.Body.String(), "<script>") {
		t.Errorf("the page holds a script: %s", recorder.Body)
	}
}

func TestHeadersShowsTheRequest(t *testing.T) {
	t.Parallel()

	recorder := answer(t, http.MethodPatch, "http://docpod.pods.localhost:8081/headers?a=b", http.Header{
		"X-Tapis-Username": {"alice"},
		"X-Many":           {"one", "two"},
	})
	var got map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatalf("body %q: %v", recorder.Body, err)
	}
	want := map[string]any{
		"method":         "PATCH",
		"host":           "docpod.pods.localhost:8081",
		"proto":          "HTTP/1.1",
		"request_uri":    "http://docpod.pods.localhost:8081/headers?a=b",
		"remote_addr":    "192.0.2.1:1234", // httptest's
		"content_length": 0.0,
		"headers":        map[string]any{"X-Tapis-Username": []any{"alice"}, "X-Many": []any{"one", "two"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("/headers (-want +got):\n%s", diff)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		path string
		want int
	}{
		"OK":         {"/status/200", 200},
		"NoContent":  {"/status/204", 204},
		"Teapot":     {"/status/418", 418},
		"Unassigned": {"/status/599", 599},
		"TooLow":     {"/status/199", 400},
		"Switching":  {"/status/101", 400},
		"TooHigh":    {"/status/600", 400},
		"NoNumber":   {"/status/teapot", 400},
		"Missing":    {"/status/", 404},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := answer(t, http.MethodGet, tc.path, nil).Code; got != tc.want {
				t.Errorf("GET %s = %d, want %d", tc.path, got, tc.want)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		method, path string
		want         int
	}{
		"Health":      {http.MethodGet, "/healthz", 200},
		"Unknown":     {http.MethodGet, "/nothing", 404},
		"PostPage":    {http.MethodPost, "/", 405},
		"GetEcho":     {http.MethodGet, "/echo", 405},
		"PlainSocket": {http.MethodGet, "/ws", 426},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := answer(t, tc.method, tc.path, nil).Code; got != tc.want {
				t.Errorf("%s %s = %d, want %d", tc.method, tc.path, got, tc.want)
			}
		})
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		n      string
		status int
		length int
	}{
		"Zero":    {"0", 200, 0},
		"Small":   {"10", 200, 10},
		"Large":   {"100001", 200, 100_001},
		"TooMany": {"1073741825", 400, -1},
		"Below":   {"-1", 400, -1},
		"Missing": {"", 400, -1},
		"Text":    {"ten", 400, -1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := answer(t, http.MethodGet, "/bytes?n="+tc.n, nil)
			if got.Code != tc.status {
				t.Fatalf("status %d, want %d", got.Code, tc.status)
			}
			if tc.status == http.StatusOK && got.Body.Len() != tc.length {
				t.Errorf("%d bytes, want %d", got.Body.Len(), tc.length)
			}
		})
	}
}

func TestBytesAreTheSameEveryTimeButNotAlike(t *testing.T) {
	t.Parallel()

	short := answer(t, http.MethodGet, "/bytes?n=1000", nil).Body.Bytes()
	long := answer(t, http.MethodGet, "/bytes?n=70000", nil).Body.Bytes()
	if !bytes.HasPrefix(long, short) {
		t.Error("a longer answer does not begin like a shorter one")
	}
	if bytes.Equal(short[:500], short[500:]) {
		t.Error("the bytes repeat")
	}
}

func TestBytesHeadTellsTheLength(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(newServer(web.Options{}))
	t.Cleanup(server.Close)
	response, err := server.Client().Head(server.URL + "/bytes?n=1073741824")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.ContentLength != 1<<30 {
		t.Errorf("Content-Length = %d, want 1 GiB", response.ContentLength)
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer
	server := newServer(web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/echo?token=secret-query", strings.NewReader("secret-body"))
	request.Header.Set("Authorization", "Bearer secret-header")
	request.AddCookie(&http.Cookie{Name: "X-Tapis-Token", Value: "secret-cookie"})
	server.ServeHTTP(httptest.NewRecorder(), request)
	server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/status/503", nil))

	for _, want := range []string{"method=POST path=/echo status=200 duration_ms=", "method=GET path=/status/503 status=503 "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "token") {
		t.Errorf("the log holds a secret:\n%s", log.String())
	}
	if got := strings.Count(log.String(), "\n"); got != 2 {
		t.Errorf("%d lines for 2 requests:\n%s", got, log.String())
	}
}

func TestLogKeepsToOneLine(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer
	server := newServer(web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a%0Alevel=ERROR", nil))

	if got := strings.Count(log.String(), "\n"); got != 1 {
		t.Errorf("%d lines for 1 request:\n%s", got, log.String())
	}
}

func TestEchoAnswersBeforeTheBodyEnds(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(newServer(web.Options{}))
	t.Cleanup(server.Close)
	body, feed := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/echo", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/x-test")
	first := make(chan error, 1)
	go func() {
		_, err := io.WriteString(feed, "first")
		first <- err
	}()
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := <-first; err != nil {
		t.Fatal(err)
	}

	piece := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, piece); err != nil || string(piece) != "first" {
		t.Fatalf("while the body is open: %q, %v, want the first piece", piece, err)
	}
	go func() {
		_, _ = io.WriteString(feed, "second")
		_ = feed.Close()
	}()
	rest, err := io.ReadAll(response.Body)
	if err != nil || string(rest) != "second" {
		t.Errorf("the rest: %q, %v", rest, err)
	}
	if got := response.Header.Get("Content-Type"); got != "text/x-test" {
		t.Errorf("Content-Type = %q, want the request's", got)
	}
}

func TestEchoTellsTheClientToContinue(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(newServer(web.Options{}))
	t.Cleanup(server.Close)
	// Without "100 Continue" this client never sends the body.
	transport := &http.Transport{ExpectContinueTimeout: time.Hour}
	t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/echo", strings.NewReader("polite"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Expect", "100-continue")
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got, err := io.ReadAll(response.Body); err != nil || string(got) != "polite" {
		t.Errorf("echo %q, %v, want the body", got, err)
	}
}

func TestEchoReportsABrokenBody(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(newServer(web.Options{}))
	t.Cleanup(server.Close)
	body, feed := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/echo", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(feed, "half")
		_ = feed.CloseWithError(io.ErrUnexpectedEOF)
	}()
	response, err := server.Client().Do(request)
	if err != nil {
		return // the transport gave up first: a client sees the failure as well
	}
	defer func() { _ = response.Body.Close() }()
	if got, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("a broken body was answered as whole: %q", got)
	}
}
