package components

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"time"
)

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
