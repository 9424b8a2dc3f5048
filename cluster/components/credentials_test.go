package components_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/cluster/components"
)

func credentials(t *testing.T) components.Layout {
	t.Helper()
	l := layout(t)
	if err := l.WriteCredentials(); err != nil {
		t.Fatalf("WriteCredentials: %v", err)
	}
	return l
}

// Kubernetes reads who a client is, and so what it may do, from its subject.
func TestClientCertificates(t *testing.T) {
	t.Parallel()

	l := credentials(t)
	tests := map[string]struct {
		user   string
		groups []string
	}{
		"admin":                         {"admin", []string{"system:masters"}},
		"kube-apiserver-kubelet-client": {"kube-apiserver-kubelet-client", []string{"system:masters"}},
		"kube-controller-manager":       {"system:kube-controller-manager", nil},
		"kube-scheduler":                {"system:kube-scheduler", nil},
		"kube-proxy":                    {"system:kube-proxy", nil},
		"kubelet":                       {"system:node:node1", []string{"system:nodes"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			certificate := certificate(t, l, name)
			verify(t, l, certificate, "", x509.ExtKeyUsageClientAuth)
			if certificate.Subject.CommonName != tc.user {
				t.Errorf("user = %s, want %s", certificate.Subject.CommonName, tc.user)
			}
			if diff := cmp.Diff(tc.groups, certificate.Subject.Organization); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
			if certificate.IsCA {
				t.Error("it may sign others")
			}
		})
	}
}

func TestServerCertificates(t *testing.T) {
	t.Parallel()

	l := credentials(t)
	tests := map[string][]string{
		"kube-apiserver": {"10.99.0.1", "10.96.0.1", "127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		"kubelet-server": {"10.99.0.1", "node1"},
	}
	for name, hosts := range tests {
		for _, host := range hosts {
			verify(t, l, certificate(t, l, name), host, x509.ExtKeyUsageServerAuth)
		}
	}
}

func TestCredentialsArePrivate(t *testing.T) {
	t.Parallel()

	l := credentials(t)
	err := filepath.WalkDir(l.State, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKubeconfig(t *testing.T) {
	t.Parallel()

	l := credentials(t)
	content := read(t, l.Kubeconfig())
	if !strings.Contains(content, "server: https://10.99.0.1:6443\n") {
		t.Errorf("the server is missing:\n%s", content)
	}
	if strings.Contains(content, "insecure") {
		t.Errorf("the server is not verified:\n%s", content)
	}
	for field, file := range map[string]string{
		"certificate-authority-data": "ca.crt", "client-certificate-data": "admin.crt", "client-key-data": "admin.key",
	} {
		match := regexp.MustCompile(field + `: (\S+)\n`).FindStringSubmatch(content)
		if match == nil {
			t.Fatalf("%s is missing:\n%s", field, content)
		}
		decoded, err := base64.StdEncoding.DecodeString(match[1])
		if err != nil {
			t.Fatalf("%s: %v", field, err)
		}
		if string(decoded) != read(t, filepath.Join(l.State, "pki", file)) {
			t.Errorf("%s is not the content of %s", field, file)
		}
	}
	if _, _, err := l.AdminCertificate(); err != nil {
		t.Errorf("AdminCertificate: %v", err)
	}
}

// Each cluster trusts nothing from the one before.
func TestCredentialsAreNew(t *testing.T) {
	t.Parallel()

	l := credentials(t)
	before := certificate(t, l, "admin")
	if err := l.WriteCredentials(); err != nil {
		t.Fatalf("WriteCredentials again: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, l, "ca"))
	if _, err := before.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
		t.Error("the new authority accepts an old certificate")
	}
}

func TestAdminCertificateMissing(t *testing.T) {
	t.Parallel()

	if _, _, err := layout(t).AdminCertificate(); err == nil {
		t.Error("AdminCertificate of no cluster succeeds")
	}
}

func certificate(t *testing.T, l components.Layout, name string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(l.State, "pki", name+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatalf("%s is not PEM", name)
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func verify(t *testing.T, l components.Layout, leaf *x509.Certificate, host string, usage x509.ExtKeyUsage) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, l, "ca"))
	options := x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}
	if _, err := leaf.Verify(options); err != nil {
		t.Errorf("verify %s for %q: %v", leaf.Subject.CommonName, host, err)
	}
}
