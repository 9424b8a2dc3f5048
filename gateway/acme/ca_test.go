package acme

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP":      "1", // it waits up to 15 s else before it looks
		"PEBBLE_WFE_NONCEREJECT": "0", // and refuses some requests to see what happens
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// authority is a CA of its own in this process: Pebble, with a DNS in which
// each name is at 127.0.0.1.
type authority struct {
	settings Settings
	roots    *x509.CertPool                // by which what it issues is known
	down     atomic.Bool                   // whether it refuses everything
	hangs    atomic.Pointer[chan struct{}] // until that is closed nothing is answered
	requests atomic.Int64
	orders   atomic.Int64
}

// newAuthority starts a CA that looks for challenges at two ports.
func newAuthority(t *testing.T, plain, secure net.Addr) *authority {
	t.Helper()
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuing := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	looking := va.New(quiet, port(plain), port(secure), false, newDNS(t), store)
	front := wfe.New(quiet, store, looking, issuing, []string{"ca.test"}, false, false, 0, 0)

	a := &authority{roots: x509.NewCertPool()}
	a.roots.AddCert(rootOf(t, issuing))
	handler := front.Handler()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests.Add(1)
		if r.URL.Path == "/order-plz" {
			a.orders.Add(1)
		}
		if hangs := a.hangs.Load(); hangs != nil {
			<-*hangs
		}
		if a.down.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	a.settings = Settings{
		Directory: server.URL + wfe.DirectoryPath, Email: "admin@example.org", CAFile: file, Storage: t.TempDir(),
		Challenges: []string{"tls-alpn-01", "http-01"}, OrdersPerHour: 50,
	}
	return a
}

func rootOf(t *testing.T, issuing *ca.CAImpl) *x509.Certificate {
	t.Helper()
	root, err := x509.ParseCertificate(issuing.GetRootCert(0).DER)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func port(address net.Addr) int { return address.(*net.TCPAddr).Port }

// newDNS starts a server that has 127.0.0.1 for each name, and nothing else.
func newDNS(t *testing.T) (address string) {
	t.Helper()
	listener := listen(t)
	started := make(chan struct{})
	server := &dns.Server{
		Listener: listener, NotifyStartedFunc: func() { close(started) },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
			answer := new(dns.Msg).SetReply(question)
			for _, q := range question.Question {
				if q.Qtype == dns.TypeA {
					header := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
					answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
				}
			}
			_ = w.WriteMsg(answer) // who asks sees that none comes
		}),
	}
	go func() { _ = server.ActivateAndServe() }() // ends with Shutdown
	<-started
	t.Cleanup(func() { _ = server.Shutdown() })
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
