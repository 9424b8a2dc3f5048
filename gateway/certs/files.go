package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pods-service/pods/shared/secretfile"
)

const (
	certificateFile = "ca.pem"
	keyFile         = "ca-key.pem"
)

// CertificatePath returns where the authority of a folder keeps its
// certificate, for programs that want a file.
func CertificatePath(dir string) string { return filepath.Join(dir, certificateFile) }

// readRoot returns the root in dir, nil when there is none that is whole: a
// process that ended between the two files leaves a pair that does not fit.
func readRoot(dir string) (*root, error) {
	keyPath := filepath.Join(dir, keyFile)
	certificatePEM, err := os.ReadFile(CertificatePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing there is no failure
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := secretfile.Read(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, nil //nolint:nilnil // as above
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, nil //nolint:nilerr,nilnil // as above
	}
	stored, err := parseRoot(certificatePEM, key)
	if err != nil || !stored.certificate.IsCA || !key.PublicKey.Equal(stored.certificate.PublicKey) {
		return nil, nil //nolint:nilerr,nilnil // as above
	}
	return stored, nil
}

func parseRoot(certificatePEM []byte, key *ecdsa.PrivateKey) (*root, error) {
	block, _ := pem.Decode(certificatePEM)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &root{certificate: certificate, key: key, pem: certificatePEM}, nil
}

func writeRoot(dir string, r *root) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeFile(filepath.Join(dir, keyFile), keyPEM, 0o600); err != nil {
		return err
	}
	return writeFile(CertificatePath(dir), r.pem, 0o644)
}

// writeFile replaces a file as a whole: readers see the old or the new one.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
