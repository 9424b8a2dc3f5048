package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pods-service/pods/shared/postgres"
)

// What is deployed on Knative, as config/knative names it.
const (
	FunctionsNamespace = "pods-service" // the functions and the gateway
	PodsNamespace      = "pods"         // the users' pods

	apiURL  = "http://dev.localhost:8080"
	ingress = "traefik" // namespace and Service
	gateway = "gateway" // Service and Deployment
)

// Knative is the service deployed on Knative, reached by the addresses that its
// Services have in the cluster: this machine is the node. Make one with
// NewKnative.
type Knative struct {
	Access
	cluster kubernetes.Interface
}

// NewKnative finds the deployment in cluster.
//
// Errors: when a part of it is not there.
func NewKnative(ctx context.Context, cluster kubernetes.Interface) (*Knative, error) {
	k := &Knative{cluster: cluster}
	public, err := k.address(ctx, ingress, ingress, 80)
	if err != nil {
		return nil, err
	}
	plain, err := k.address(ctx, FunctionsNamespace, gateway, 80)
	if err != nil {
		return nil, err
	}
	secure, err := k.address(ctx, FunctionsNamespace, gateway, 443)
	if err != nil {
		return nil, err
	}
	k.at = Addresses{API: apiURL, GatewayHTTP: plain, GatewayHTTPS: secure}
	k.api = &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, public)
		},
	}
	return k, nil
}

// address returns the address inside the cluster of a port of a Service.
func (k *Knative) address(ctx context.Context, namespace, name string, port int32) (string, error) {
	found, err := k.cluster.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("find the service on Knative: %w", err)
	}
	if found.Spec.ClusterIP == "" || found.Spec.ClusterIP == corev1.ClusterIPNone {
		return "", fmt.Errorf("service %s/%s has no address", namespace, name)
	}
	return net.JoinHostPort(found.Spec.ClusterIP, strconv.Itoa(int(port))), nil
}

// Unsent returns how many events wait in the outbox, asked of the database.
func (k *Knative) Unsent(ctx context.Context) (int, error) {
	address, err := k.databaseURL(ctx)
	if err != nil {
		return 0, fmt.Errorf("find the database: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pool, err := postgres.Open(ctx, address, 1)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	count, _, err := postgres.New(pool, postgres.Options{Now: time.Now}).OutboxDepth(ctx)
	return count, err
}

// databaseURL returns the gateway's database URL with an address in place of
// the name, which is known inside the cluster only.
func (k *Knative) databaseURL(ctx context.Context) (string, error) {
	deployed, err := k.cluster.AppsV1().Deployments(FunctionsNamespace).Get(ctx, gateway, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	for _, variable := range deployed.Spec.Template.Spec.Containers[0].Env {
		if variable.Name != "DATABASE_URL" || variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil {
			continue
		}
		reference := variable.ValueFrom.SecretKeyRef
		secret, err := k.cluster.CoreV1().Secrets(FunctionsNamespace).Get(ctx, reference.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return k.resolve(ctx, string(secret.Data[reference.Key]))
	}
	return "", errors.New("the gateway has no DATABASE_URL")
}

// resolve puts the address of the Service that a URL names in its place.
func (k *Knative) resolve(ctx context.Context, text string) (string, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return "", errors.New("the database's URL makes no sense") // it holds a password
	}
	port := 5432
	if parsed.Port() != "" {
		if port, err = strconv.Atoi(parsed.Port()); err != nil {
			return "", fmt.Errorf("port of the database: %w", err)
		}
	}
	name, _, _ := strings.Cut(parsed.Hostname(), ".")
	parsed.Host, err = k.address(ctx, FunctionsNamespace, name, int32(port)) //nolint:gosec // a port fits
	return parsed.String(), err
}

// Log returns the last lines of every function and of the gateway.
func (k *Knative) Log() string {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	list, err := k.cluster.CoreV1().Pods(FunctionsNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var text strings.Builder
	lines := int64(20)
	for _, pod := range list.Items {
		name := pod.Spec.Containers[0].Name
		fmt.Fprintf(&text, "--- %s (%s, %s old)\n", pod.Name, pod.Status.Phase, time.Since(pod.CreationTimestamp.Time).Round(time.Second))
		log, err := k.cluster.CoreV1().Pods(FunctionsNamespace).
			GetLogs(pod.Name, &corev1.PodLogOptions{Container: name, TailLines: &lines}).DoRaw(ctx)
		if err != nil {
			log = []byte(err.Error() + "\n")
		}
		text.Write(log)
	}
	return text.String()
}
