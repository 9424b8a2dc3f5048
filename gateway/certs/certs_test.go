package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/gateway/certs"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t *testing.T, dir string, c *clock, domains ...string) *certs.Authority {
	t.Helper()
	if domains == nil {
		domains = []string{"pods.localhost", "pods.dev2.localhost"}
	}
	authority, err := certs.Open(certs.Options{Dir: dir, Domains: domains, Hosts: []string{"dev.localhost"}, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func leafFor(t *testing.T, a *certs.Authority, host string) *x509.Certificate {
	t.Helper()
	certificate, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
	if err != nil {
		t.Fatalf("GetCertificate(%q): %v", host, err)
	}
	if certificate == nil {
		return nil
	}
	return certificate.Leaf
}

// verify checks a certificate as a client does that trusts the authority.
func verify(a *certs.Authority, leaf *x509.Certificate, host string, at time.Time) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM())
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: at})
	return err
}

func TestGetCertificate(t *testing.T) {
	t.Parallel()

	authority := open(t, t.TempDir(), &clock{now: start})
	tests := map[string]struct {
		name string
		want string // host in the certificate, empty for none
	}{
		"Pod":          {"db.pods.localhost", "db.pods.localhost"},
		"Key":          {"db-bolt.pods.localhost", "db-bolt.pods.localhost"},
		"OtherDomain":  {"db.pods.dev2.localhost", "db.pods.dev2.localhost"},
		"UpperCase":    {"DB.Pods.localhost", "db.pods.localhost"},
		"Localhost":    {"localhost", "localhost"},
		"Host":         {"dev.localhost", "dev.localhost"},
		"Longest":      {strings.Repeat("a", 63) + ".pods.localhost", strings.Repeat("a", 63) + ".pods.localhost"},
		"Missing":      {"", ""},
		"Domain":       {"pods.localhost", ""},
		"TwoLabels":    {"a.b.pods.localhost", ""},
		"Foreign":      {"db.example.com", ""},
		"Suffix":       {"dbpods.localhost", ""},
		"Address":      {"127.0.0.1", ""},
		"Wildcard":     {"*.pods.localhost", ""},
		"OtherLocal":   {"other.localhost", ""},
		"PathAndSlash": {"a/b.pods.localhost", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			leaf := leafFor(t, authority, tc.name)
			if leaf == nil {
				if tc.want != "" {
					t.Fatal("no certificate")
				}
				return
			}
			if diff := cmp.Diff([]string{tc.want}, leaf.DNSNames); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if err := verify(authority, leaf, tc.want, start); err != nil {
				t.Errorf("a client does not trust it: %v", err)
			}
		})
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()

	authority := open(t, t.TempDir(), &clock{now: time.Now()})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	for name, want := range map[string]string{
		"db.pods.localhost": "", "elsewhere.example": "tls: unrecognized name", "": "tls: unrecognized name",
	} {
		t.Run("SNI "+name, func(t *testing.T) {
			t.Parallel()

			client, server := net.Pipe()
			defer func() { _ = client.Close() }()
			go func() {
				_ = tls.Server(server, &tls.Config{GetCertificate: authority.GetCertificate}).Handshake()
				_ = server.Close()
			}()
			config := &tls.Config{RootCAs: pool, ServerName: name}
			if name == "" {
				config.InsecureSkipVerify = true // a client without a name; it must still get nothing
			}
			got := ""
			if err := tls.Client(client, config).Handshake(); err != nil {
				got = err.Error()
			}
			if !strings.HasSuffix(got, want) || (got == "") != (want == "") {
				t.Errorf("handshake: %q, want %q", got, want)
			}
		})
	}
}

func TestAuthorityIsKept(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "new", "ca")
	c := &clock{now: start}
	first := open(t, dir, c)
	leaf := leafFor(t, first, "db.pods.localhost")
	second := open(t, dir, c)
	if !bytes.Equal(first.PEM(), second.PEM()) || first.Fingerprint() != second.Fingerprint() {
		t.Error("opened again, the authority is another one")
	}
	if err := verify(second, leaf, "db.pods.localhost", start); err != nil {
		t.Errorf("certificate of the first run: %v", err)
	}
	for file, want := range map[string]os.FileMode{"": 0o700 | os.ModeDir, "ca-key.pem": 0o600, "ca.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode() != want {
			t.Errorf("mode of %q is %v (%v), want %v", file, info.Mode(), err, want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files in the folder, want 2", len(entries))
	}
	if got, err := os.ReadFile(certs.CertificatePath(dir)); err != nil || !bytes.Equal(got, first.PEM()) {
		t.Errorf("file differs from PEM (%v)", err)
	}
}

// TestAuthorityIsMadeAgain covers what a stored authority is not good for.
func TestAuthorityIsMadeAgain(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		spoil   func(t *testing.T, dir string, c *clock)
		domains []string
	}{
		"Expiring":  {spoil: func(_ *testing.T, _ string, c *clock) { c.advance(680 * 24 * time.Hour) }},
		"FromLater": {spoil: func(_ *testing.T, _ string, c *clock) { c.advance(-48 * time.Hour) }},
		"NewDomain": {domains: []string{"pods.localhost", "pods.example.org"}},
		"NoKey":     {spoil: func(t *testing.T, dir string, _ *clock) { write(t, dir, "ca-key.pem", nil) }},
		"OddKey": {spoil: func(t *testing.T, dir string, _ *clock) {
			write(t, dir, "ca-key.pem", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
		}},
		"OddCert":    {spoil: func(t *testing.T, dir string, _ *clock) { write(t, dir, "ca.pem", []byte("x")) }},
		"KeyMissing": {spoil: func(t *testing.T, dir string, _ *clock) { remove(t, dir, "ca-key.pem") }},
		"KeyOfOther": {spoil: func(t *testing.T, dir string, c *clock) {
			other := t.TempDir()
			open(t, other, c)
			content, err := os.ReadFile(filepath.Join(other, "ca-key.pem"))
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "ca-key.pem", content)
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			dir, c := t.TempDir(), &clock{now: start}
			first := open(t, dir, c)
			if tc.spoil != nil {
				tc.spoil(t, dir, c)
			}
			second := open(t, dir, c, tc.domains...)
			if bytes.Equal(first.PEM(), second.PEM()) {
				t.Fatal("the authority is the old one")
			}
			leaf := leafFor(t, second, "db.pods.localhost")
			if err := verify(second, leaf, "db.pods.localhost", c.Now()); err != nil {
				t.Errorf("the new authority does not work: %v", err)
			}
			if third := open(t, dir, c, tc.domains...); !bytes.Equal(third.PEM(), second.PEM()) {
				t.Error("the new authority is not kept")
			}
		})
	}
}

func write(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestKeyThatOthersCanRead(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	open(t, dir, &clock{now: start})
	if err := os.Chmod(filepath.Join(dir, "ca-key.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Open(certs.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "others can read") {
		t.Errorf("Open: %v", err)
	}
}

// TestRenewalWhileRunning: a process that runs for years hands out valid
// certificates all the time.
func TestRenewalWhileRunning(t *testing.T) {
	t.Parallel()

	c := &clock{now: start}
	authority := open(t, t.TempDir(), c)
	first := leafFor(t, authority, "db.pods.localhost")
	if again := leafFor(t, authority, "db.pods.localhost"); again != first {
		t.Error("the second handshake got another certificate")
	}
	for range 1000 {
		leaf := leafFor(t, authority, "db.pods.localhost")
		if err := verify(authority, leaf, "db.pods.localhost", c.Now()); err != nil {
			t.Fatalf("on %s: %v", c.Now(), err)
		}
		c.advance(24 * time.Hour)
	}
}

// TestConstraints: with the key alone nobody can pose as another site.
func TestConstraints(t *testing.T) {
	t.Parallel()

	block, _ := pem.Decode(open(t, t.TempDir(), &clock{now: start}, "pods.localhost", "pods.example.org").PEM())
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"localhost", "pods.example.org"}, root.PermittedDNSDomains); diff != "" {
		t.Errorf("permitted domains (-want +got):\n%s", diff)
	}
	if !root.PermittedDNSDomainsCritical || len(root.ExcludedIPRanges) != 2 || !root.MaxPathLenZero || !root.IsCA {
		t.Errorf("constraints: %+v", root)
	}
	if diff := cmp.Diff([]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, root.ExtKeyUsage); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestConcurrentHandshakes(t *testing.T) {
	t.Parallel()

	authority := open(t, t.TempDir(), &clock{now: start})
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			host := fmt.Sprintf("pod%d.pods.localhost", i%5)
			certificate, err := authority.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
			if err != nil || certificate.Leaf.DNSNames[0] != host {
				t.Errorf("GetCertificate(%s): %v", host, err)
			}
		})
	}
	group.Wait()
}

func TestDownload(t *testing.T) {
	t.Parallel()

	authority := open(t, t.TempDir(), &clock{now: start})
	w := httptest.NewRecorder()
	authority.ServeHTTP(w, httptest.NewRequest("GET", "/ca.pem", nil))
	if !bytes.Equal(w.Body.Bytes(), authority.PEM()) || w.Header().Get("Content-Type") != "application/x-pem-file" {
		t.Errorf("answer %v: %s", w.Header(), w.Body)
	}
	if strings.Contains(w.Body.String(), "KEY") {
		t.Error("the key is served")
	}
	if got := len(authority.Fingerprint()); got != 32*3-1 {
		t.Errorf("fingerprint %s", authority.Fingerprint())
	}
}
