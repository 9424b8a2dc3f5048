package certs

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// pairCheckEvery is how long a renewed certificate may go unnoticed.
const pairCheckEvery = time.Minute

// Pair is one certificate for all hosts, in two PEM files that whoever renews
// it replaces. It is safe for concurrent use.
type Pair struct {
	certFile, keyFile string
	now               func() time.Time

	mu       sync.Mutex
	current  *tls.Certificate
	modified time.Time // of certFile, when current was read
	checked  time.Time
}

// OpenPair reads the certificate, with its chain, from certFile and its key from
// keyFile.
//
// Errors: files that cannot be read or do not belong together.
func OpenPair(certFile, keyFile string) (*Pair, error) {
	p := &Pair{certFile: certFile, keyFile: keyFile, now: time.Now}
	if err := p.read(); err != nil {
		return nil, err
	}
	return p, nil
}

// GetCertificate returns the certificate, as tls.Config.GetCertificate wants it.
// When the files have changed it reads them again, and keeps the one before
// where they cannot be read.
func (p *Pair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.checked) >= pairCheckEvery {
		p.checked = now
		_ = p.read() // a file that is being replaced is read the next time
	}
	return p.current, nil
}

// Covers reports whether the certificate is one for host, by itself or by a
// wildcard.
func (p *Pair) Covers(host string) bool {
	current, err := p.GetCertificate(nil)
	return err == nil && current.Leaf.VerifyHostname(host) == nil
}

// read is called with mu held, or before the Pair is shared.
func (p *Pair) read() error {
	info, err := os.Stat(p.certFile)
	if err != nil {
		return fmt.Errorf("look at certificate: %w", err)
	}
	if info.ModTime().Equal(p.modified) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	p.current, p.modified = &pair, info.ModTime()
	return nil
}
