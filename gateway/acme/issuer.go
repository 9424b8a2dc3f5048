package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"

	"github.com/caddyserver/certmagic"
)

var (
	errNoRoute = errors.New("the host has no route")
	errPaused  = errors.New("the last order has failed a short time ago")
	errTooMany = errors.New("too many orders within the hour (PODS_ACME_ORDERS_PER_HOUR)")
)

// issuer is the CA, asked within limits. Every order, of a new certificate or
// to renew one, passes here.
type issuer struct {
	*certmagic.ACMEIssuer
	certificates *Certificates
}

// Issue implements certmagic.Issuer. It is tried once: the next time is when
// the host is visited after a pause.
func (i *issuer) Issue(ctx context.Context, request *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	c := i.certificates
	if len(request.DNSNames) != 1 {
		return nil, certmagic.ErrNoRetry{Err: errNoRoute} // nothing orders such a one
	}
	host := request.DNSNames[0]
	switch {
	case !c.options.Routed(host):
		return nil, certmagic.ErrNoRetry{Err: errNoRoute}
	case c.pauses.paused(host):
		return nil, certmagic.ErrNoRetry{Err: errPaused}
	case !c.limiter.AllowN(c.options.Now(), 1):
		c.metrics.orders.WithLabelValues(resultLimited).Inc()
		c.pause(host, errTooMany)
		return nil, certmagic.ErrNoRetry{Err: errTooMany}
	}
	issued, err := i.ACMEIssuer.Issue(ctx, request)
	if err != nil {
		c.failed(host, err)
		return nil, certmagic.ErrNoRetry{Err: err}
	}
	c.metrics.orders.WithLabelValues(resultIssued).Inc()
	c.pauses.clear(host)
	c.options.Logger.LogAttrs(ctx, slog.LevelInfo, "certificate issued", slog.String("host", host))
	return issued, nil
}

// mayHave is asked before a certificate is read from the storage or ordered.
func (c *Certificates) mayHave(_ context.Context, host string) error {
	if !c.options.Routed(host) {
		return errNoRoute
	}
	return nil
}

func (c *Certificates) failed(host string, err error) {
	if c.ctx.Err() != nil {
		return // ended by Close
	}
	c.metrics.orders.WithLabelValues(resultFailed).Inc()
	c.pause(host, err)
}

// pause keeps the next order of a host off for a while, and says so: at the
// first time as a warning, then for those who look for it.
func (c *Certificates) pause(host string, err error) {
	failures, pause := c.pauses.begin(host)
	level := slog.LevelDebug
	if failures == 1 {
		level = slog.LevelWarn
	}
	c.options.Logger.LogAttrs(c.ctx, level, "no certificate by ACME, the host is served with another one",
		slog.String("host", host), slog.Int("failures", failures), slog.Duration("next_try", pause), slog.String("error", clip(err.Error())))
}

// maxLogged bounds the text of an error, in bytes; some of it is the CA's.
const maxLogged = 512

func clip(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged] + "..."
	}
	return text
}
