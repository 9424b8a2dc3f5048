// Command gateway is visitors' way to users' pods.
package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/gateway/acme"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/dataplane"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/routes/feed"
)

// version is set by the linker.
var version = "dev"

type settings struct {
	function.Process
	function.Storage
	function.Tenancy
	function.Login
	dataplane.Visitors
	SiteID string `env:"PODS_SITE,required,notEmpty"`
	HTTP   string `env:"PODS_GATEWAY_HTTP" envDefault:":8081"`
	HTTPS  string `env:"PODS_GATEWAY_HTTPS" envDefault:":8443"`
	// SecurePort is the port at which visitors reach HTTPS.
	SecurePort string `env:"PODS_GATEWAY_PORT" envDefault:"443"`
	ACME       acme.Settings
	// CADir holds a development CA that makes a certificate for each host.
	CADir string `env:"PODS_CA_DIR"`
	// TLSCertFile and TLSKeyFile hold one certificate for all hosts instead.
	TLSCertFile string `env:"PODS_TLS_CERT_FILE"`
	TLSKeyFile  string `env:"PODS_TLS_KEY_FILE"`
}

// spreadTime is how long after it has said that it is no longer ready the
// gateway still takes visitors: others need that long to hear of it.
const spreadTime = 5 * time.Second

// OfProcess implements function.Settings.
func (s settings) OfProcess() function.Process {
	s.DrainQuiet = max(s.DrainQuiet, spreadTime)
	return s.Process
}

func main() { function.Main("gateway", version, build) }

func build(ctx context.Context, f *function.Function, set settings) (http.Handler, error) {
	loginKey, err := set.LoginKey()
	if err != nil {
		return nil, err
	}
	tenants, err := set.Source(f.Logger)
	if err != nil {
		return nil, err
	}
	// To verify tokens the keys of providers are needed too.
	domain, err := function.OpenDomain(ctx, auth.NewProviderKeys(tenants, nil, f.Logger), assets.Templates(), f.Logger)
	if err != nil {
		return nil, err
	}
	certificates, err := openCertificates(set, domain.Tenants.Domains(), f.Logger)
	if err != nil {
		return nil, err
	}
	state, err := f.OpenQuiet(ctx, set.Storage)
	if err != nil {
		return nil, err
	}
	visits, err := login.New(login.Options{
		Key: loginKey, Tenants: domain.Tenants, Tokens: auth.NewAuthenticator(domain.Tenants, set.SiteID),
		Permissions: state.Store, Logger: f.Logger,
	})
	if err != nil {
		return nil, err
	}
	plain, err := f.Listen(set.HTTP)
	if err != nil {
		return nil, err
	}
	secure, err := f.Listen(set.HTTPS)
	if err != nil {
		return nil, err
	}
	visitors := dataplane.New(dataplane.Options{
		Source:  feed.Merged{Store: state.Store, Deriver: domain.Deriver(state.Store)},
		Changes: state.Cache, Plain: plain, Secure: secure, GetCertificate: certificates.get, ACME: certificates.acme,
		Login: visits, SecurePort: set.SecurePort, Visitors: set.Visitors,
		DrainTimeout: set.DrainTimeout / 2, Version: f.Version, Logger: f.Logger, Registerer: f.Registry,
	})
	f.Ready = visitors.Ready
	f.Background(visitors.Run)
	return http.NotFoundHandler(), nil
}

// certificates is what TLS handshakes are answered with.
type certificates struct {
	get  acme.GetCertificate // whatever there is without ACME
	acme *acme.Options       // nil without
}

func openCertificates(set settings, domains []string, logger *slog.Logger) (certificates, error) {
	options, err := set.ACME.Options()
	if err != nil {
		return certificates{}, err
	}
	var pair *certs.Pair
	if set.TLSCertFile != "" && set.TLSKeyFile != "" {
		pair, err = certs.OpenPair(set.TLSCertFile, set.TLSKeyFile)
		switch {
		case options != nil && errors.Is(err, fs.ErrNotExist):
			logger.Info("no certificate in files, ACME orders all", "file", set.TLSCertFile)
		case err != nil:
			return certificates{}, err
		}
	}
	if options != nil {
		options.Files = pair
	}
	switch {
	case set.CADir == "" && pair != nil:
		return certificates{get: pair.GetCertificate, acme: options}, nil
	case set.CADir == "" && options == nil:
		return certificates{}, errors.New("no certificates: set PODS_CA_DIR, PODS_TLS_CERT_FILE and PODS_TLS_KEY_FILE, or PODS_ACME_DIRECTORY")
	}
	// With ACME alone, it answers in memory until there is a certificate.
	authority, err := certs.Open(certs.Options{Dir: set.CADir, Domains: domains})
	if err != nil {
		return certificates{}, err
	}
	return certificates{get: authority.GetCertificate, acme: options}, nil
}
