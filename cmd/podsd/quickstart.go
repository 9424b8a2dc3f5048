package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
)

// demoPod is the pod that the quickstart makes.
const demoPod = "docpod"

// quickstartCommand walks through the service's main job: a pod from a
// template, its statuses, its address, its log.
func quickstartCommand() *cobra.Command {
	var pid int
	command := &cobra.Command{
		Use:   "quickstart",
		Short: "Create the pod " + demoPod + " on the running service and show it at work",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Minute)
			defer cancel()
			q := quickstart{out: cmd.OutOrStdout(), state: s.State, pid: pid}
			return q.run(ctx)
		},
	}
	command.Flags().IntVar(&pid, "wait-pid", 0, "wait for the service with this process id to come up, as long as it lives")
	return command
}

type quickstart struct {
	out   io.Writer
	state string
	pid   int
	at    addresses
	api   *client.Client
}

func (q *quickstart) say(format string, args ...any) { fmt.Fprintf(q.out, format+"\n", args...) }

func (q *quickstart) run(ctx context.Context) error {
	if err := q.waitUp(ctx); err != nil {
		return err
	}
	q.say("==> Creating the pod %s from the template hello", demoPod)
	if err := q.api.Login(ctx, "alice", "alice"); err != nil {
		return err
	}
	start := time.Now()
	pod, err := q.create(ctx)
	if err != nil {
		return err
	}
	if err := q.watch(ctx, pod, start); err != nil {
		return err
	}
	if err := q.fetch(ctx, start); err != nil {
		return err
	}
	logs, err := q.api.PodLogs(ctx, demoPod)
	if err != nil {
		return err
	}
	q.say("==> Its log")
	q.say("%s", indent(logs.Logs))
	q.next()
	return nil
}

// waitUp waits until the service answers, or ends.
func (q *quickstart) waitUp(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if q.pid != 0 && syscall.Kill(q.pid, 0) != nil {
			return false, errors.New("the service ended while starting")
		}
		if holder, err := lockHolder(q.state); err != nil || q.pid != 0 && holder != q.pid {
			return false, nil //nolint:nilerr // it has not come that far
		}
		at, err := readAddresses(q.state)
		if err != nil {
			return false, nil //nolint:nilerr // it has not come that far
		}
		q.at = at
		q.api = client.New(at.API, &http.Client{Timeout: 30 * time.Second})
		return q.api.Do(ctx, http.MethodGet, "/healthcheck", nil, nil) == nil, nil
	})
}

// create makes the pod, after removing the one an earlier run has left.
func (q *quickstart) create(ctx context.Context) (client.Pod, error) {
	fields := map[string]any{"pod_id": demoPod, "template": "hello", "description": "My example pod!"}
	pod, err := q.api.CreatePod(ctx, fields)
	if failure, ok := errors.AsType[*client.Error](err); !ok || failure.StatusCode != http.StatusConflict {
		return pod, err
	}
	q.say("    it is there from an earlier run: deleting it first")
	if err := q.api.DeletePod(ctx, demoPod); err != nil {
		return client.Pod{}, err
	}
	return q.api.CreatePod(ctx, fields)
}

// watch shows each status until the pod is AVAILABLE.
func (q *quickstart) watch(ctx context.Context, pod client.Pod, start time.Time) error {
	shown := pods.Status("")
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if pod.Status != shown {
			shown = pod.Status
			q.say("    %6.2f s  %s", time.Since(start).Seconds(), shown)
		}
		switch pod.Status {
		case pods.StatusAvailable:
			return true, nil
		case pods.StatusError, pods.StatusComplete:
			return false, fmt.Errorf("the pod ended as %s: %s", pod.Status, pod.StatusContainer.Message)
		}
		var err error
		pod, err = q.api.Pod(ctx, demoPod)
		return false, err
	})
}

// fetch reads the pod's page under its own address.
func (q *quickstart) fetch(ctx context.Context, start time.Time) error {
	web, err := q.webClient()
	if err != nil {
		return err
	}
	url := q.podURL()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := web.Do(req)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", url, err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	q.say("    %6.2f s  %s answers %s", time.Since(start).Seconds(), url, answer.Status)
	q.say("%s", indent(string(page)))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s does not serve the pod", url)
	}
	return nil
}

func (q *quickstart) podURL() string {
	_, port, _ := net.SplitHostPort(q.at.GatewayHTTPS)
	return "https://" + demoPod + ".pods.localhost:" + port + "/"
}

// webClient trusts the development CA and finds every name below localhost on
// this machine, as browsers do.
func (q *quickstart) webClient() (*http.Client, error) {
	pem, err := os.ReadFile(certs.CertificatePath(caDir(q.state)))
	if err != nil {
		return nil, fmt.Errorf("read the development CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, q.at.GatewayHTTPS)
		},
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}, nil
}

// next says how to go on.
func (q *quickstart) next() {
	_, plainPort, _ := net.SplitHostPort(q.at.GatewayHTTP)
	q.say(`==> How to go on
    API      %s (also below /v3)
    Pods     https://<pod>.pods.localhost%s or http://<pod>.pods.localhost:%s
    CA       %s
    Users    alice, bob, carol, admin; the password is the name

    JWT=$(curl -s %s/v3/oauth2/tokens -H 'Content-Type: application/json' -d '{"username":"alice","password":"alice","grant_type":"password"}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    curl -s %s/v3/pods/%s -H "X-Tapis-Token: $JWT"
    curl --cacert %s %s`,
		q.at.API, strings.TrimPrefix(strings.TrimSuffix(q.podURL(), "/"), "https://"+demoPod+".pods.localhost"), plainPort,
		certs.CertificatePath(caDir(q.state)), q.at.API, q.at.API, demoPod, certs.CertificatePath(caDir(q.state)), q.podURL())
}

func indent(text string) string {
	return "    | " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    | ")
}
