// Package certs makes the certificates of a development set-up: a certificate
// authority of its own that is kept in a folder, and a certificate for each
// host when it is first asked for. The authority can vouch for the configured
// domains only, so that trusting it puts nothing else at risk.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

const (
	authorityLife        = 2 * 365 * 24 * time.Hour
	authorityRenewBefore = 60 * 24 * time.Hour
	hostLife             = 7 * 24 * time.Hour
	hostRenewBefore      = 24 * time.Hour

	// backdated allows for clocks that are behind.
	backdated = time.Hour

	// maxCertificates bounds the memory: some 5 KB each.
	maxCertificates = 512
)

// Options says what to vouch for and where to keep the authority.
type Options struct {
	// Dir is made with mode 0700 if it is not there. One process at a time may
	// use it. Empty keeps the authority in memory: nobody can trust it.
	Dir string
	// Domains are those below which pods have their names, as
	// "pods.localhost". Certificates are made for names one label below.
	Domains []string
	// Hosts are further names that get a certificate. "localhost" always does.
	Hosts []string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Authority is a development certificate authority. It is safe for concurrent
// use.
type Authority struct {
	options Options
	hosts   *lru.Cache[string, *hostCertificate]
	making  singleflight.Group

	mu   sync.Mutex
	root *root
}

// root is an authority's certificate with its key. It never changes.
type root struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

// Open returns the authority kept in the folder, and makes one if there is
// none, if the one there expires within 60 days, or if it cannot vouch for all
// domains. Whoever trusted the old one has to trust the new one again.
//
// Errors: files that cannot be read or written, a key that others can read.
func Open(options Options) (*Authority, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	options.Hosts = append(slices.Clone(options.Hosts), "localhost")
	hosts, err := lru.New[string, *hostCertificate](maxCertificates)
	if err != nil {
		return nil, fmt.Errorf("make certificate cache: %w", err)
	}
	a := &Authority{options: options, hosts: hosts}
	if options.Dir == "" {
		return a, a.renew()
	}
	stored, err := readRoot(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	if stored != nil && a.isUsable(stored) {
		a.root = stored
		return a, nil
	}
	return a, a.renew()
}

// renew makes a new root and keeps it. Called with mu held, or before the
// Authority is shared.
func (a *Authority) renew() error {
	fresh, err := newRoot(a.options.Now(), a.permittedDomains())
	if err == nil && a.options.Dir != "" {
		err = writeRoot(a.options.Dir, fresh)
	}
	if err != nil {
		return fmt.Errorf("make certificate authority: %w", err)
	}
	a.root = fresh
	a.hosts.Purge()
	return nil
}

// current returns the root, a new one when it is about to expire.
func (a *Authority) current() (*root, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.isUsable(a.root) {
		if err := a.renew(); err != nil {
			return nil, err
		}
	}
	return a.root, nil
}

func (a *Authority) isUsable(r *root) bool {
	now := a.options.Now()
	if now.Before(r.certificate.NotBefore) || r.certificate.NotAfter.Sub(now) < authorityRenewBefore {
		return false
	}
	for _, domain := range a.permittedDomains() {
		if !slices.Contains(r.certificate.PermittedDNSDomains, domain) {
			return false
		}
	}
	return true
}

// permittedDomains lists what the root may vouch for, itself and everything
// below.
func (a *Authority) permittedDomains() []string {
	permitted := []string{"localhost"}
	for _, domain := range slices.Concat(a.options.Domains, a.options.Hosts) {
		isCovered := func(other string) bool { return domain == other || strings.HasSuffix(domain, "."+other) }
		if !slices.ContainsFunc(permitted, isCovered) {
			permitted = append(permitted, domain)
		}
	}
	return permitted
}

func newRoot(now time.Time, permitted []string) (*root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject: pkix.Name{
			Organization: []string{"Pods Service"},
			// The date tells one from the next in a browser's list.
			CommonName: "Pods Service development CA " + now.UTC().Format(time.DateOnly),
		},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         permitted,
		// No addresses at all: hosts are reached by name.
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return parseRoot(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key)
}

// PEM returns the authority's certificate, for clients to trust.
func (a *Authority) PEM() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.root.pem)
}

// Fingerprint returns the SHA-256 of the authority's certificate as browsers
// show it: "0A:1B:...".
func (a *Authority) Fingerprint() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	sum := sha256.Sum256(a.root.certificate.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// ServeHTTP answers with the authority's certificate as a download.
func (a *Authority) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="pods-development-ca.pem"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(a.PEM()) // fails only when the client is gone
}
