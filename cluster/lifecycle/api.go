package lifecycle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pods-service/pods/cluster/components"
)

// api asks the API server the few questions that starting a cluster takes.
type api struct {
	client *http.Client
}

// newAPI returns a client with the administrator's rights.
func newAPI(layout components.Layout) (api, error) {
	authority, certificate, err := layout.AdminCertificate()
	if err != nil {
		return api{}, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	return api{client: &http.Client{Transport: transport, Timeout: 5 * time.Second}}, nil
}

// errNotFound is what get returns for an object that is not there.
var errNotFound = errors.New("not found")

// get reads the object at path into out, unless out is nil.
func (a api) get(ctx context.Context, path string, out any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, components.APIAddress()+path, nil)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	const maxBody = 4 << 20
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s: %w", path, errNotFound)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// ready succeeds once the API server has done all it does when it starts.
func (a api) ready(ctx context.Context) error {
	return a.get(ctx, "/readyz", nil)
}

// nodeReady succeeds when the node can run pods.
func (a api) nodeReady(ctx context.Context) error {
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := a.get(ctx, "/api/v1/nodes/"+components.Node, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" {
			if condition.Status == "True" {
				return nil
			}
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
	}
	return errors.New("the node has not said whether it is ready")
}

// dnsReady succeeds when the DNS server answers.
func (a api) dnsReady(ctx context.Context) error {
	var deployment struct {
		Status struct{ ReadyReplicas int }
	}
	if err := a.get(ctx, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", &deployment); err != nil {
		return err
	}
	if deployment.Status.ReadyReplicas == 0 {
		return errors.New("CoreDNS is not ready")
	}
	return nil
}

// podsAllowed succeeds when a pod can be created in the default namespace: it
// takes a service account and the bundle of certificates mounted with it, which
// the controller manager makes in its own time.
func (a api) podsAllowed(ctx context.Context) error {
	const namespace = "/api/v1/namespaces/default"
	if err := a.get(ctx, namespace+"/serviceaccounts/default", nil); err != nil {
		return err
	}
	return a.get(ctx, namespace+"/configmaps/kube-root-ca.crt", nil)
}
