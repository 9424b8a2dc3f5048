package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writePair puts a new self-signed certificate into dir and returns its serial
// number.
func writePair(t *testing.T, dir string, serial int64, modified time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"*.pods.example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
}

func wantSerial(t *testing.T, p *Pair, want int64) {
	t.Helper()
	certificate, err := p.GetCertificate(nil)
	if err != nil || certificate.Leaf.SerialNumber.Int64() != want {
		t.Errorf("certificate %v, %v; want %d", certificate.Leaf.SerialNumber, err, want)
	}
}

func TestPair(t *testing.T) {
	t.Parallel()

	dir, now := t.TempDir(), time.Now()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if _, err := OpenPair(cert, key); err == nil {
		t.Error("files that are not there can be opened")
	}
	writePair(t, dir, 1, now)
	p, err := OpenPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return now }
	wantSerial(t, p, 1)

	writePair(t, dir, 2, now.Add(time.Second))
	wantSerial(t, p, 1) // not looked at yet
	now = now.Add(pairCheckEvery)
	wantSerial(t, p, 2)

	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(pairCheckEvery)
	wantSerial(t, p, 2) // the last good one stays
	writePair(t, dir, 3, now)
	now = now.Add(pairCheckEvery)
	wantSerial(t, p, 3)
}
