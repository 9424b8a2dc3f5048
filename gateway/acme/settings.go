package acme

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"os"

	"github.com/mholt/acmez/v3/acme"
)

const defaultStorage = "/var/lib/pods/acme"

// Settings say of whom certificates are ordered, and how. It is what an
// operator can choose.
type Settings struct {
	Directory     string   `env:"PODS_ACME_DIRECTORY" help:"URL of the directory of an ACME CA, to whose terms you agree by setting it; empty: no certificates by ACME"`
	Email         string   `env:"PODS_ACME_EMAIL" help:"where the ACME CA may write to; may be empty"`
	CAFile        string   `env:"PODS_ACME_CA_FILE" help:"PEM file of roots by which the ACME CA is known, for a private one"`
	Storage       string   `env:"PODS_ACME_STORAGE" help:"folder for the ACME account and its certificates, shared by all gateways"`
	Challenges    []string `env:"PODS_ACME_CHALLENGES" envDefault:"tls-alpn-01,http-01" help:"how the ACME CA may see that a host is ours"`
	OrdersPerHour int      `env:"PODS_ACME_ORDERS_PER_HOUR" envDefault:"50" help:"certificates that one gateway orders by ACME"`
}

// Options returns what New wants of the settings, nil when they ask for no
// ACME. It makes the folder of the storage with mode 0700 if it is not there.
//
// Errors name the variable that is wrong.
func (s Settings) Options() (*Options, error) {
	if s.Directory == "" {
		return nil, nil //nolint:nilnil // off is no failure
	}
	directory, err := url.Parse(s.Directory)
	if err != nil || directory.Scheme != "https" || directory.Host == "" {
		return nil, errors.New("PODS_ACME_DIRECTORY: want an URL that begins with https://")
	}
	if s.Email != "" {
		if address, err := mail.ParseAddress(s.Email); err != nil || address.Address != s.Email {
			return nil, errors.New("PODS_ACME_EMAIL: want one address such as admin@example.org, without a name")
		}
	}
	options := &Options{Directory: s.Directory, Email: s.Email, Storage: cmp.Or(s.Storage, defaultStorage), OrdersPerHour: s.OrdersPerHour}
	if s.OrdersPerHour < 1 {
		return nil, errors.New("PODS_ACME_ORDERS_PER_HOUR: want 1 or more")
	}
	for _, challenge := range s.Challenges {
		switch challenge {
		case acme.ChallengeTypeTLSALPN01:
			options.TLSALPN = true
		case acme.ChallengeTypeHTTP01:
			options.HTTP = true
		default:
			return nil, fmt.Errorf("PODS_ACME_CHALLENGES: there is no %q, want tls-alpn-01, http-01 or both", challenge)
		}
	}
	if len(s.Challenges) == 0 {
		return nil, errors.New("PODS_ACME_CHALLENGES: want tls-alpn-01, http-01 or both")
	}
	if options.Roots, err = readRoots(s.CAFile); err != nil {
		return nil, fmt.Errorf("PODS_ACME_CA_FILE: %w", err)
	}
	if err := prepare(options.Storage); err != nil {
		return nil, fmt.Errorf("PODS_ACME_STORAGE: %w; want a folder that can be written to", err)
	}
	return options, nil
}

// readRoots returns the certificates in a file, nil when none is named.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // the roots of the system
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return roots, nil
}

// prepare makes the folder and tries whether it can be written to, as that
// would else be known with the first order only.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
