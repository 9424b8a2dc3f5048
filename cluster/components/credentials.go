package components

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
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
