package issuer_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/auth"
)

// start is when every test begins, with a fraction of a second that tokens
// cannot express.
var start = time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC)

// keyDir is shared by the tests, because making RSA keys is slow.
var keyDir string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "issuer-keys")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	keyDir = dir
	return m.Run()
}

// clock is a clock that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// server is a running development issuer.
type server struct {
	*issuer.Issuer
	addr  string // host:port
	port  string
	clock *clock
}

func newServer(t testing.TB) *server {
	t.Helper()
	listener := httptest.NewUnstartedServer(nil)
	s := &server{addr: listener.Listener.Addr().String(), clock: &clock{now: start}}
	_, s.port, _ = net.SplitHostPort(s.addr)
	config := development(t, s.addr)
	config.Now = s.clock.Now
	made, err := issuer.New(config)
	if err != nil {
		t.Fatalf("issuer.New: %v", err)
	}
	s.Issuer = made
	listener.Config.Handler = made
	listener.Start()
	t.Cleanup(listener.Close)
	return s
}

func development(t testing.TB, addr string) issuer.Config {
	t.Helper()
	config, err := issuer.Development(addr, keyDir)
	if err != nil {
		t.Fatalf("issuer.Development: %v", err)
	}
	config.FailureDelay = 0
	config.Version = "1.2.3"
	config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return config
}

// authenticator accepts the tokens of s, as the API does.
func (s *server) authenticator(t testing.TB) *auth.Authenticator {
	t.Helper()
	registry, err := auth.NewRegistry(t.Context(), s.Tenants(), auth.RegistryOptions{Now: s.clock.Now})
	if err != nil {
		t.Fatalf("NewRegistry: %v", err)
	}
	return auth.NewAuthenticator(registry, "dev")
}

// envelope is an answer of the API.
type envelope struct {
	Message  any             `json:"message"`
	Metadata map[string]any  `json:"metadata"`
	Result   json.RawMessage `json:"result"`
	Status   string          `json:"status"`
	Version  string          `json:"version"`

	code   int
	header http.Header
}

// text returns the message, a list joined by line breaks.
func (e envelope) text() string {
	if list, ok := e.Message.([]any); ok {
		return strings.TrimSpace(strings.ReplaceAll(fmt.Sprintln(list...), "\n", ""))
	}
	return fmt.Sprint(e.Message)
}

func (e envelope) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(e.Result, into); err != nil {
		t.Fatalf("result %s: %v", e.Result, err)
	}
}

// call is a request; zero values mean GET at the server's own address.
type call struct {
	method, path, host, contentType, body string
	token                                 string
	client, key                           string
	header                                http.Header // more of them
}

func (s *server) do(t testing.TB, c call) envelope {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+s.addr+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.header != nil {
		r.Header = c.header
	}
	if c.host != "" {
		r.Host = c.host
	}
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	if c.token != "" {
		r.Header.Set("X-Tapis-Token", c.token)
	}
	if c.client != "" {
		r.SetBasicAuth(c.client, c.key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return readEnvelope(t, response.StatusCode, response.Header, body)
}

// readEnvelope fails the test unless body is a whole envelope.
func readEnvelope(t testing.TB, code int, header http.Header, body []byte) envelope {
	t.Helper()
	answer := envelope{code: code, header: header}
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &keys); err != nil || len(keys) != 5 {
		t.Fatalf("answer %d is no envelope: %s", code, body)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("answer %d %s: %v", code, body, err)
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q, want exactly application/json", got)
	}
	wantStatus := "success"
	if code >= 300 {
		wantStatus = "error"
	}
	if answer.Status != wantStatus || answer.Version != "1.2.3" || answer.Metadata == nil {
		t.Errorf("envelope %s, want status %s, version 1.2.3 and metadata", body, wantStatus)
	}
	return answer
}

// tokens is the result of POST /v3/oauth2/tokens.
type tokens struct {
	Access struct {
		Token string `json:"access_token"`
		valid
	} `json:"access_token"`
	Refresh *struct {
		Token string `json:"refresh_token"`
		valid
	} `json:"refresh_token"`
}

type valid struct {
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int    `json:"expires_in"`
	ID        string `json:"jti"`
}

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

func login(user string) call {
	return call{
		method: http.MethodPost, path: "/v3/oauth2/tokens", contentType: asJSON,
		body: fmt.Sprintf(`{"username":%q,"password":%q,"grant_type":"password"}`, user, user),
	}
}

// tokens makes the call, which must succeed.
func (s *server) tokens(t testing.TB, c call) tokens {
	t.Helper()
	answer := s.do(t, c)
	if answer.code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", c.method, c.path, answer.code, answer.text())
	}
	var got tokens
	answer.decode(t, &got)
	return got
}

// tokenOf returns an access token of a user of dev.
func (s *server) tokenOf(t testing.TB, user string) string {
	t.Helper()
	c := login(user)
	c.host = "localhost:" + s.port
	return s.tokens(t, c).Access.Token
}
