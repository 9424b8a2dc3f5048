package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/routes"
)

// maxCommonName is the most that X.520 allows; longer hosts stand in the
// alternative names alone, which is where clients look.
const maxCommonName = 64

// hostCertificate is the certificate of one host.
type hostCertificate struct {
	tls    *tls.Certificate
	issuer *root
}

// GetCertificate returns a certificate for the server name of a handshake, as
// tls.Config.GetCertificate wants it. For a name that is missing or that the
// authority does not serve it returns nothing, by which the handshake is
// refused as one for an unrecognized name.
//
// Each host has a certificate of its own and none covers two: a browser that
// holds a connection to one pod never sends another pod's requests over it.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host, err := routes.CanonicalHost(hello.ServerName)
	if err != nil || !a.serves(host) {
		return nil, nil //nolint:nilerr,nilnil // crypto/tls turns it into the right alert
	}
	issuer, err := a.current()
	if err != nil {
		return nil, err
	}
	if cached, found := a.hosts.Get(host); found && cached.issuer == issuer && a.isFresh(cached.tls.Leaf) {
		return cached.tls, nil
	}
	made, err, _ := a.making.Do(host, func() (any, error) {
		certificate, err := a.makeHost(host, issuer)
		if err != nil {
			return nil, fmt.Errorf("make certificate for %s: %w", host, err)
		}
		a.hosts.Add(host, &hostCertificate{tls: certificate, issuer: issuer})
		return certificate, nil
	})
	if err != nil {
		return nil, err
	}
	return made.(*tls.Certificate), nil
}

// serves reports whether host is one label below a domain, or one of the
// further hosts.
func (a *Authority) serves(host string) bool {
	_, domain, _ := strings.Cut(host, ".")
	return slices.Contains(a.options.Domains, domain) || slices.Contains(a.options.Hosts, host)
}

func (a *Authority) isFresh(leaf *x509.Certificate) bool {
	now := a.options.Now()
	return !now.Before(leaf.NotBefore) && leaf.NotAfter.Sub(now) > hostRenewBefore
}

func (a *Authority) makeHost(host string, issuer *root) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := a.options.Now()
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		DNSNames:              []string{host},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(hostLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(host) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.certificate, key.Public(), issuer.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// newSerial returns a random positive number of 127 bits (RFC 5280 section
// 4.1.2.2 allows up to 159).
func newSerial() *big.Int {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes) // never fails
	bytes[0] = bytes[0]&0x7f | 0x40
	return new(big.Int).SetBytes(bytes)
}
