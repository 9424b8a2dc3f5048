package suite

import (
	"fmt"
	"io"
	"net/http"
	"testing"
)

// Page is what an address has answered.
type Page struct {
	Status int
	Proto  string
	Header http.Header
	Body   string
}

// Browser returns a client that reaches every pod by name and trusts the
// service's CA.
func (s *Suite) Browser(t *testing.T) *http.Client {
	t.Helper()
	web, err := s.Web(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(web.CloseIdleConnections)
	return web
}

// Get fetches url.
func Get(t *testing.T, web *http.Client, url string) Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Page{resp.StatusCode, resp.Proto, resp.Header, string(body)}
}

// WaitPage waits until url answers with status. The gateway hears of a change
// right after its commit, so this takes milliseconds.
func WaitPage(t *testing.T, web *http.Client, url string, status int) {
	t.Helper()
	err := Eventually(t.Context(), func() error {
		if page := Get(t, web, url); page.Status != status {
			return fmt.Errorf("%s answers %d, want %d", url, page.Status, status)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Address returns the address of a pod's page, with TLS.
func Address(podID string) string { return "https://" + podID + ".pods.localhost/" }
