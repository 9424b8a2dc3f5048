package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// Exec implements commands.Runner. It returns when the program has ended, or ctx;
// a program that does not notice that its streams are closed may then go on in
// the container.
func (c *Client) Exec(ctx context.Context, target commands.Target, argv []string, streams commands.Streams) (exitCode int, err error) {
	name := target.K8sName
	seen, err := c.observeRun(ctx, name, target.Ref, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	if seen.State != StateRunning || seen.IsTerminating() {
		return 0, pods.NotFound("the container of pod %s does not run", name)
	}
	executor, err := c.executor(name, argv, streams)
	if err != nil {
		return 0, err
	}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: streams.Stdin, Stdout: streams.Stdout, Stderr: streams.Stderr})
	if ended, ok := errors.AsType[exec.CodeExitError](err); ok {
		return ended.Code, nil
	}
	switch {
	case err == nil:
		return 0, nil
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	return 0, execError(err, name)
}

// What container runtimes and the kubelet say when they cannot start a program.
var (
	noContainer = regexp.MustCompile(`container not found|container .* is not running|no running task`)
	noStart     = regexp.MustCompile(`error executing command in container|failed to (start )?exec|OCI runtime exec failed`)
	noProgram   = regexp.MustCompile(`executable file .*not found|no such file or directory|permission denied`)
)

// execError returns what a failure to run a program means. The arguments may hold
// passwords, so no error passes on what may repeat them: the words of container
// runtimes, and the address that was called.
func execError(err error, name string) error {
	if failure, ok := errors.AsType[*httpstream.UpgradeFailureError](err); ok {
		err = failure.Cause
	}
	switch text := err.Error(); {
	case noContainer.MatchString(text):
		return pods.NotFound("the container of pod %s does not run", name)
	case noStart.MatchString(text) && noProgram.MatchString(text):
		return commands.ErrNoProgram
	case noStart.MatchString(text):
		return pods.Invalid("The command cannot be started in the container.")
	}
	return translate(withoutURL(err), "run a command in pod "+name)
}

func withoutURL(err error) error {
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return failure.Err
	}
	return err
}

// executor speaks WebSocket, and SPDY where a proxy in between does not.
func (c *Client) executor(name string, argv []string, streams commands.Streams) (remotecommand.Executor, error) {
	if c.config == nil {
		return nil, errors.New("this client was not made from a configuration, which commands need")
	}
	address := c.api.CoreV1().RESTClient().Post().Resource("pods").Namespace(c.namespace).Name(name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: manifests.ContainerName, Command: argv,
			Stdin: streams.Stdin != nil, Stdout: streams.Stdout != nil, Stderr: streams.Stderr != nil,
		}, scheme.ParameterCodec).URL()
	websocket, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, address.String())
	if err != nil {
		return nil, fmt.Errorf("connect for a command: %w", withoutURL(err))
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.config, http.MethodPost, address)
	if err != nil {
		return nil, fmt.Errorf("connect for a command: %w", withoutURL(err))
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
