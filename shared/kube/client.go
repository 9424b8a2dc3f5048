package kube

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// callTimeout bounds one call to the API server. Watches and logs, which stay
// open, bound themselves.
const callTimeout = 10 * time.Second

// The rate at which one process may call the API server, far above what it
// needs: the server has limits of its own.
const (
	callsPerSecond = 400
	callsAtOnce    = 800
)

// Config returns how to reach the cluster that the kubeconfig file at path
// names, or the one this process runs in when path is empty.
//
// Errors: any, when there is no such file or it makes no sense.
func Config(path string) (*rest.Config, error) {
	config, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("cluster configuration %q: %w", path, err)
	}
	config.QPS, config.Burst = callsPerSecond, callsAtOnce
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.UserAgent = "pods-service"
	return config, nil
}

func load(path string) (*rest.Config, error) {
	if path == "" {
		return rest.InClusterConfig()
	}
	return clientcmd.BuildConfigFromFlags("", path)
}

// Client makes and reads the objects in one namespace. It is safe for use by
// several goroutines at once.
type Client struct {
	api       kubernetes.Interface
	namespace string
	config    *rest.Config // nil for one that runs no commands
}

// New returns a client for namespace that calls api. It runs no commands.
func New(api kubernetes.Interface, namespace string) *Client {
	return &Client{api: api, namespace: namespace}
}

// Connect returns a client for namespace on the cluster of config. It makes no
// call yet.
func Connect(config *rest.Config, namespace string) (*Client, error) {
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	client := New(api, namespace)
	client.config = config
	return client, nil
}

// Open returns a client for namespace on the cluster of the kubeconfig file at
// path, or the one this process runs in when path is empty. It makes no call
// yet.
//
// Errors: those of Config.
func Open(path, namespace string) (*Client, error) {
	config, err := Config(path)
	if err != nil {
		return nil, err
	}
	return Connect(config, namespace)
}

// API returns the client for calls this package does not make.
func (c *Client) API() kubernetes.Interface { return c.api }

// Namespace is where the objects are.
func (c *Client) Namespace() string { return c.namespace }

// Healthy returns an error of KindUnavailable or KindTimeout unless the API
// server says that it is ready.
func (c *Client) Healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.api.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	return translate(err, "ask the API server whether it is ready")
}
