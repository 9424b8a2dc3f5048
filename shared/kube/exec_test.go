package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"
	"k8s.io/apimachinery/pkg/util/httpstream/wsstream"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"

	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

var loggedTarget = commands.Target{K8sName: "pods-x-dev-db", Ref: loggedRun}

// program stands for one that runs in a container; it returns how it ended.
type program func(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) metav1.Status

// execServer answers as an API server that runs programs, in a pod that was
// looked at before.
type execServer struct {
	pod     *corev1.Pod
	program program
	noWS    bool // refuses WebSocket
	methods []string
}

func (s *execServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/exec") {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.pod)
		return
	}
	s.methods = append(s.methods, r.Method)
	switch {
	case r.Method == http.MethodPost:
		s.bySPDY(w, r)
	case s.noWS:
		http.Error(w, "no upgrade here", http.StatusBadRequest)
	default:
		s.byWebSocket(w, r)
	}
}

func (s *execServer) byWebSocket(w http.ResponseWriter, r *http.Request) {
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{remotecommand.StreamProtocolV5Name: {Binary: true, Channels: []wsstream.ChannelType{
		wsstream.ReadChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.ReadChannel,
	}}})
	_, channels, err := conn.Open(w, r)
	if err != nil {
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	go func() { // ends when the client closes the connection
		_, _ = io.Copy(io.Discard, channels[4])
		cancel()
	}()
	status := s.program(ctx, r.URL.Query()["command"], channels[0], channels[1], channels[2])
	_ = json.NewEncoder(channels[3]).Encode(status)
}

func (s *execServer) bySPDY(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{remotecommand.StreamProtocolV4Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 4)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replied <-chan struct{}) error {
		go func() {
			<-replied
			streams <- stream
		}()
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	byType := map[string]httpstream.Stream{}
	for range 4 {
		stream := <-streams
		byType[stream.Headers().Get(corev1.StreamType)] = stream
	}
	status := s.program(r.Context(), r.URL.Query()["command"], byType[corev1.StreamTypeStdin], byType[corev1.StreamTypeStdout], byType[corev1.StreamTypeStderr])
	_ = json.NewEncoder(byType[corev1.StreamTypeError]).Encode(status)
	for _, stream := range byType {
		_ = stream.Close()
	}
	<-conn.CloseChan()
}

// exits is how a program ends with a code.
func exits(code int) metav1.Status {
	if code == 0 {
		return metav1.Status{Status: metav1.StatusSuccess}
	}
	return metav1.Status{
		Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason,
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: strconv.Itoa(code)}}},
	}
}

// fails is how one ends that the container runtime could not start.
func fails(message string) metav1.Status {
	return metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError, Message: message}
}

func running(pod *corev1.Pod) {
	pod.Status.PodIP = "10.88.0.7"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: manifests.ContainerName, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
}

// serveExec returns a client of s.
func serveExec(t *testing.T, s *execServer) *kube.Client {
	t.Helper()
	if s.pod == nil {
		s.pod = loggedPod("object", running)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kube.Connect(&rest.Config{Host: server.URL}, "user-pods")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// cat sends back what it reads, and its own command line as an error.
func cat(_ context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) metav1.Status {
	_, err := io.Copy(stdout, stdin)
	_, _ = fmt.Fprint(stderr, strings.Join(command, "|"), err)
	return exits(3)
}

func TestExec(t *testing.T) {
	t.Parallel()

	input := strings.Repeat("0123456789", 100_000)
	for name, server := range map[string]*execServer{"WebSocket": {program: cat}, "SPDY": {program: cat, noWS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var stdout, stderr bytes.Buffer
			code, err := serveExec(t, server).Exec(t.Context(), loggedTarget, []string{"cat", "a b", "$c;'"},
				commands.Streams{Stdin: strings.NewReader(input), Stdout: &stdout, Stderr: &stderr})
			if err != nil || code != 3 {
				t.Fatalf("Exec = %d, %v; want exit code 3", code, err)
			}
			if stdout.String() != input || stderr.String() != "cat|a b|$c;'<nil>" {
				t.Errorf("%d bytes of %d came back; the command was %q", stdout.Len(), len(input), stderr.String())
			}
			if want := map[string]int{"WebSocket": 1, "SPDY": 2}[name]; len(server.methods) != want {
				t.Errorf("the API server was asked by %v", server.methods)
			}
		})
	}
}

const secret = "hunter2"

func TestExecFailures(t *testing.T) {
	t.Parallel()

	says := func(message string) program {
		return func(context.Context, []string, io.Reader, io.Writer, io.Writer) metav1.Status { return fails(message) }
	}
	const start = `Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "5": ` +
		`OCI runtime exec failed: exec failed: unable to start container process: `
	tests := map[string]struct {
		server execServer
		kind   pods.Kind
		want   error // that the error is; nil for any
	}{
		"NoProgram":     {execServer{program: says(start + `exec: "x": executable file not found in $PATH`)}, pods.KindInternal, commands.ErrNoProgram},
		"NoSuchFile":    {execServer{program: says(start + `exec: "/x": stat /x: no such file or directory`)}, pods.KindInternal, commands.ErrNoProgram},
		"OtherRuntime":  {execServer{program: says("error executing command in container: executable file `x` not found in $PATH: No such file or directory")}, pods.KindInternal, commands.ErrNoProgram},
		"NoRight":       {execServer{program: says(start + `exec: "/x": permission denied ` + secret)}, pods.KindInternal, commands.ErrNoProgram},
		"NotStarted":    {execServer{program: says(start + secret)}, pods.KindInvalid, nil},
		"ContainerGone": {execServer{program: says(`container not found ("main")`)}, pods.KindNotFound, nil},
		"NodeGone":      {execServer{program: says("error dialing backend: no route to host")}, pods.KindUnavailable, nil},
		"OtherRun":      {execServer{pod: loggedPod("object", func(p *corev1.Pod) { p.Labels[manifests.LabelInstance] = "4" })}, pods.KindNotFound, nil},
		"Ended":         {execServer{pod: loggedPod("object", terminated)}, pods.KindNotFound, nil},
		"Terminating": {execServer{pod: loggedPod("object", func(p *corev1.Pod) {
			running(p)
			p.DeletionTimestamp = new(metav1.Now())
		})}, pods.KindNotFound, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := serveExec(t, &tc.server).Exec(t.Context(), loggedTarget, []string{"x", secret}, commands.Streams{Stdout: io.Discard})
			if got := pods.KindOf(err); got != tc.kind || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("kind %q (%v), want %q", got, err, tc.kind)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds an argument: %v", err)
			}
		})
	}
}

// TestExecCutOff has the connection break before there is an answer.
func TestExecCutOff(t *testing.T) {
	t.Parallel()

	pod := loggedPod("object", running)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/exec") {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(pod)
	}))
	defer server.Close()
	client, err := kube.Connect(&rest.Config{Host: server.URL}, "user-pods")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Exec(t.Context(), loggedTarget, []string{"x", secret}, commands.Streams{Stdout: io.Discard})
	if pods.KindOf(err) != pods.KindUnavailable || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want unavailable without arguments", err)
	}
}

// TestExecGivenUp has the context end while a program runs: Exec returns, and
// the program loses its streams.
func TestExecGivenUp(t *testing.T) {
	t.Parallel()

	started, ended := make(chan struct{}), make(chan struct{})
	client := serveExec(t, &execServer{program: func(ctx context.Context, _ []string, _ io.Reader, _, _ io.Writer) metav1.Status {
		close(started)
		<-ctx.Done()
		close(ended)
		return exits(0)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-started
		cancel()
	}()
	if _, err := client.Exec(ctx, loggedTarget, []string{"x"}, commands.Streams{Stdout: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that of the context", err)
	}
	<-ended
}
