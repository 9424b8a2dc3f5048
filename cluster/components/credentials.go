package components

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// Names of certificates and of the users they stand for.
const (
	admin             = "admin"
	authority         = "ca"
	apiServer         = "kube-apiserver"
	apiServerClient   = "kube-apiserver-kubelet-client"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kubelet           = "kubelet"
	kubeletServer     = "kubelet-server"
	kubeProxy         = "kube-proxy"
	serviceAccounts   = "service-accounts"
)

// validity is how long a cluster's certificates are good for. They are made
// anew each time the cluster starts from nothing.
const validity = 365 * 24 * time.Hour

// superusers is the group that Kubernetes lets do everything.
const superusers = "system:masters"

// clients are the certificates that let a program call the API server, or let
// the API server call the kubelet.
var clients = map[string]pkix.Name{
	admin:             {CommonName: admin, Organization: []string{superusers}},
	apiServerClient:   {CommonName: apiServerClient, Organization: []string{superusers}},
	controllerManager: {CommonName: "system:kube-controller-manager"},
	scheduler:         {CommonName: "system:kube-scheduler"},
	kubeProxy:         {CommonName: "system:kube-proxy"},
	kubelet:           {CommonName: "system:node:" + Node, Organization: []string{"system:nodes"}},
}

// servers are the names and addresses a program is called by.
var servers = map[string]x509.Certificate{
	apiServer: {
		DNSNames: []string{
			"localhost", Node, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc." + Domain,
		},
		IPAddresses: []net.IP{NodeAddress.Addr().AsSlice(), apiServiceAddress.AsSlice(), net.IPv4(127, 0, 0, 1)},
	},
	kubeletServer: {DNSNames: []string{Node}, IPAddresses: []net.IP{NodeAddress.Addr().AsSlice()}},
}

// WriteCredentials makes a new certificate authority, every certificate signed
// by it, and the client configurations. All files are readable by root alone.
func (l Layout) WriteCredentials() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	if err := l.save(authority, ca.certificate.Raw, ca.key); err != nil {
		return err
	}
	for name, subject := range clients {
		template := x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if err := l.issue(ca, name, template); err != nil {
			return err
		}
		if err := l.writeKubeconfig(name); err != nil {
			return err
		}
	}
	for name, template := range servers {
		template.Subject = pkix.Name{CommonName: name}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if err := l.issue(ca, name, template); err != nil {
			return err
		}
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	return l.saveKey(serviceAccounts, key)
}

// signer is a certificate authority: its certificate and its key.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority() (signer, error) {
	key, err := newKey()
	if err != nil {
		return signer{}, err
	}
	template := x509.Certificate{
		Subject:               pkix.Name{CommonName: "pods-cluster"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certificate, err := sign(template, nil, key, key)
	if err != nil {
		return signer{}, err
	}
	return signer{certificate: certificate, key: key}, nil
}

// issue makes a key and a certificate for it and saves both under name.
func (l Layout) issue(ca signer, name string, template x509.Certificate) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	certificate, err := sign(template, ca.certificate, key, ca.key)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", name, err)
	}
	return l.save(name, certificate.Raw, key)
}

// sign completes the template and signs it. Without a parent it signs itself.
func sign(template x509.Certificate, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore = now.Add(-time.Hour) // for clocks that are set back
	template.NotAfter = now.Add(validity)
	if parent == nil {
		parent = &template
	}
	raw, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(raw)
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

func (l Layout) save(name string, certificate []byte, key *ecdsa.PrivateKey) error {
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	if err := os.WriteFile(l.certificate(name), content, 0o600); err != nil {
		return fmt.Errorf("save the certificate of %s: %w", name, err)
	}
	return l.saveKey(name, key)
}

func (l Layout) saveKey(name string, key *ecdsa.PrivateKey) error {
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key of %s: %w", name, err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
	if err := os.WriteFile(l.key(name), content, 0o600); err != nil {
		return fmt.Errorf("save the key of %s: %w", name, err)
	}
	return nil
}

// AdminCertificate reads the certificate authority and the administrator's
// certificate with its key.
func (l Layout) AdminCertificate() (*x509.Certificate, tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(l.certificate(admin), l.key(admin))
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("read the administrator's certificate: %w", err)
	}
	content, err := os.ReadFile(l.certificate(authority))
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("read the certificate authority: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, tls.Certificate{}, fmt.Errorf("the certificate authority in %s is damaged", l.certificate(authority))
	}
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("read the certificate authority: %w", err)
	}
	return ca, certificate, nil
}
