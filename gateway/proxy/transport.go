package proxy

import (
	"net/http"
	"time"

	"github.com/pods-service/pods/gateway/dial"
)

const (
	// idleTimeout is shorter than the 5 s after which common servers (Node.js,
	// uvicorn) close a connection that is not used: a request that is sent
	// just as the pod closes would be lost.
	idleTimeout    = 4 * time.Second
	idlePerPod     = 256
	idleInAll      = 1024
	maxHeaderBytes = 256 << 10 // of a pod's answer

	// continueTimeout is how long a pod may think about an Expect:
	// 100-continue before the body is sent anyway.
	continueTimeout = time.Second
)

// newTransport returns what connects to pods: in plain HTTP/1.1, never through
// a proxy from the environment, and with bodies as they are.
func newTransport(dialer *dial.Patient, responseTimeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            dialer.Dial,
		DisableCompression:     true,
		MaxIdleConns:           idleInAll,
		MaxIdleConnsPerHost:    idlePerPod,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  responseTimeout,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}
