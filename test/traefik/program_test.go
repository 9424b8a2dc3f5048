//go:build traefik

// Package traefik runs a real Traefik with config/traefik in front of small
// programs in the place of pods, and visits them through it.
package traefik

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// limit bounds the wait for anything that Traefik does by itself.
const limit = 20 * time.Second

// domain is that of all pods of the tests.
const domain = "pods.localhost"

// program is a running Traefik.
type program struct {
	plain, secure string // addresses of its entry points
	log           *lockedBuffer
}

// startTraefik starts the program that TEST_TRAEFIK names, with the settings of
// config/traefik but for addresses, and has it poll endpoint.
func startTraefik(t *testing.T, endpoint string, certificate *certificate) *program {
	t.Helper()
	path := os.Getenv("TEST_TRAEFIK")
	if path == "" {
		t.Fatal("TEST_TRAEFIK must be the path of the program traefik: make bin/traefik builds it")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{plain: freeAddress(t), secure: freeAddress(t), log: &lockedBuffer{}}
	ping := freeAddress(t)
	command := exec.Command(path)
	command.Dir = root
	_, securePort, _ := net.SplitHostPort(p.secure)
	command.Env = append(readEnvironment(t, filepath.Join(root, "config", "traefik", "traefik.env")),
		"TRAEFIK_ENTRYPOINTS_WEB_ADDRESS="+p.plain,
		"TRAEFIK_ENTRYPOINTS_WEB_HTTP_REDIRECTIONS_ENTRYPOINT_TO=:"+securePort,
		"TRAEFIK_ENTRYPOINTS_WEBSECURE_ADDRESS="+p.secure,
		"TRAEFIK_ENTRYPOINTS_PING_ADDRESS="+ping,
		"TRAEFIK_PROVIDERS_HTTP_ENDPOINT="+endpoint,
		"TRAEFIK_PROVIDERS_HTTP_POLLINTERVAL=100ms",
		"TRAEFIK_PROVIDERS_PROVIDERSTHROTTLEDURATION=20ms",
		"PODS_TLS_CERT_FILE="+certificate.certFile,
		"PODS_TLS_KEY_FILE="+certificate.keyFile,
	)
	command.Stdout, command.Stderr = p.log, p.log
	if err := command.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(limit):
			_ = command.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("Traefik says:\n%s", p.log)
		}
	})
	eventually(t, "Traefik answers", func() bool {
		answer, err := http.Get("http://" + ping + "/ping")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return p
}

// readEnvironment reads a file of NAME=value lines.
func readEnvironment(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var variables []string
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			variables = append(variables, line)
		}
	}
	return variables
}

// freeAddress returns an address on the loopback that nobody has: Traefik does
// not say which one it was given.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// eventually tries until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); !condition(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// certificate is for all pods of the tests.
type certificate struct {
	certFile, keyFile string
	pair              tls.Certificate
	pool              *x509.CertPool
}

func newCertificate(t *testing.T) *certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*." + domain}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	c := &certificate{
		certFile: filepath.Join(t.TempDir(), "tls.crt"), keyFile: filepath.Join(t.TempDir(), "tls.key"), pool: x509.NewCertPool(),
	}
	for path, content := range map[string][]byte{c.certFile: certPEM, c.keyFile: keyPEM} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c.pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	c.pool.AppendCertsFromPEM(certPEM)
	return c
}

// lockedBuffer is what a program writes, which may be read meanwhile.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
