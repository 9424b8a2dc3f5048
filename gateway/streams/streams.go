// Package streams passes connections of other protocols than HTTP on to pods.
// The host comes from the TLS handshake, and by it the protocol: for tcp, TLS
// ends here and the pod gets the bytes within; for postgres, the pod is asked
// whether it speaks TLS itself, and if so the handshake is passed on to it.
package streams

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/gateway/dial"
	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/routes"
)

// Options configures a Handler. Routes, GetCertificate and Logger are required;
// a duration of zero means its default.
type Options struct {
	// Routes returns the current table, nil as long as there is none.
	Routes func() *routes.Table
	// GetCertificate is asked at each TLS handshake.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// GetChallenge is asked in its place when a CA looks, by TLS-ALPN-01,
	// whether a host is ours; nil means that none does.
	GetChallenge func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Logger       *slog.Logger
	// AccessLevel is the level of the one line per connection; the zero value
	// is slog.LevelInfo.
	AccessLevel slog.Level
	// Registerer takes the metrics; nil keeps them to the Handler.
	Registerer prometheus.Registerer
	// Usage counts for each pod; nil means that nobody asks.
	Usage *usage.Pods

	// FirstTimeout is how long a client may take until it is known what it
	// wants, and again for the TLS handshake; 10 s by default.
	FirstTimeout time.Duration
	// DialTimeout bounds connecting to a pod; 5 s by default.
	DialTimeout time.Duration
	// StartPatience is how long a client waits for a pod that runs but does not
	// take connections yet; 3 s by default.
	StartPatience time.Duration
	// AnswerTimeout is how long a database may take to say whether it speaks
	// TLS; 5 s by default.
	AnswerTimeout time.Duration
}

// Handler serves connections that come to the port for TLS. It is safe for
// concurrent use.
type Handler struct {
	options  Options
	metrics  *metrics
	dialer   *dial.Patient
	tcp      *tls.Config
	postgres *tls.Config // for clients that name the protocol
}

// New returns a Handler.
func New(options Options) *Handler {
	options.FirstTimeout = cmp.Or(options.FirstTimeout, 10*time.Second)
	options.DialTimeout = cmp.Or(options.DialTimeout, 5*time.Second)
	options.StartPatience = cmp.Or(options.StartPatience, 3*time.Second)
	options.AnswerTimeout = cmp.Or(options.AnswerTimeout, 5*time.Second)
	if options.Usage == nil {
		options.Usage = usage.New(options.Routes, nil)
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: options.GetCertificate}
	postgres := base.Clone()
	postgres.NextProtos = []string{alpnPostgres}
	return &Handler{
		options: options, metrics: newMetrics(options.Registerer),
		dialer: dial.NewPatient(options.DialTimeout, options.StartPatience),
		tcp:    base, postgres: postgres,
	}
}
