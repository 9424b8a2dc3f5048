package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// target is where spans go.
type target struct {
	url     string
	headers map[string]string // may hold a secret
	timeout time.Duration     // of one export with its repetitions
	gzip    bool
	tls     *tls.Config // nil trusts what the system trusts
}

// readTarget reads the variables that the OpenTelemetry specification names
// for exporters. Those with TRACES in their name come before the general ones.
// Wanted is false where they ask for no exporter.
//
// Errors: for values that make no sense and a protocol other than
// http/protobuf.
func readTarget(getenv func(string) string) (_ target, wanted bool, err error) {
	read := func(name string) string {
		if value := getenv("OTEL_EXPORTER_OTLP_TRACES_" + name); value != "" {
			return value
		}
		return getenv("OTEL_EXPORTER_OTLP_" + name)
	}
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return target{}, false, nil
	}
	if read("ENDPOINT") == "" {
		return target{}, false, nil
	}
	t := target{timeout: 10 * time.Second, gzip: read("COMPRESSION") == "gzip"}
	if protocol := read("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return target{}, false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, must be http/protobuf", protocol)
	}
	if t.url, err = readURL(getenv); err != nil {
		return target{}, false, err
	}
	if t.headers, err = readHeaders(read("HEADERS")); err != nil {
		return target{}, false, err
	}
	if text := read("TIMEOUT"); text != "" {
		milliseconds, err := strconv.Atoi(text)
		if err != nil || milliseconds <= 0 {
			return target{}, false, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is %q, must be a number of milliseconds", text)
		}
		t.timeout = time.Duration(milliseconds) * time.Millisecond
	}
	if t.tls, err = readTLS(read("CERTIFICATE")); err != nil {
		return target{}, false, err
	}
	return t, true, nil
}

// readURL returns the address for traces: as it is named, or below the general
// one.
func readURL(getenv func(string) string) (string, error) {
	own := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	text := own
	if text == "" {
		text = getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return "", errors.New("OTEL_EXPORTER_OTLP_ENDPOINT must be a URL with http or https") // it may hold a password
	}
	if own == "" {
		address = address.JoinPath("v1/traces")
	}
	return address.String(), nil
}

// readHeaders reads "name=value,name=value", with values in URL encoding.
func readHeaders(text string) (map[string]string, error) {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, encoded, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS must be name=value, separated by commas") // it may hold a secret
		}
		headers[name] = value
	}
	return headers, nil
}

// readTLS trusts the certificates in a file instead of the system's.
func readTLS(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s holds no certificate", path)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
