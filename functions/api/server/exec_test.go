package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

// hostRunner runs programs on this machine, as if it were the container.
type hostRunner struct{}

func (hostRunner) Exec(ctx context.Context, _ commands.Target, argv []string, streams commands.Streams) (int, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Stdin, command.Stdout, command.Stderr = streams.Stdin, streams.Stdout, streams.Stderr
	err := command.Run()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.ExitCode(), nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return 0, commands.ErrNoProgram
	}
	return 0, err
}

func TestExec(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	pod := podstest.CreateIn(t, s.store, pods.StatusAvailable)
	credentials, err := s.store.Credentials(t.Context(), pod.TenantID, pod.ID)
	if err != nil {
		t.Fatal(err)
	}
	run := func(body string) (answer, client.ExecResult) {
		got := s.call("POST", "/v3/pods/docpod/exec", alice.Token(), body)
		var result client.ExecResult
		if got.status == 200 {
			if err := json.Unmarshal(got.envelope["result"], &result); err != nil {
				t.Fatal(err)
			}
		}
		return got, result
	}

	got, result := run(`{"commands":["sh","-c","echo \"$1\"; echo err >&2","sh","<<TAPIS_user_password>>"]}`)
	first := result.ExecutionResults[0]
	if got.messages()[0] != "All Commands Successful" || first.Stdout != credentials.UserPassword+"\n" || first.Stderr != "err\n" || *first.ExitCode != 0 || !first.Success {
		t.Errorf("a flat list = %s, exit %v", got.envelope["message"], first.ExitCode)
	}
	if first.Command[4] != "<<TAPIS_user_password>>" {
		t.Error("the command is shown with the password in it")
	}
	got, result = run(`{"commands":[["true"],["sh","-c","exit 7"],["true"]]}`)
	if got.messages()[0] != "1 of 3 commands successful - Execution stopped due to command failure on latest command." || len(result.ExecutionResults) != 2 || *result.ExecutionResults[1].ExitCode != 7 {
		t.Errorf("a failure in the middle = %s, %d results", got.envelope["message"], len(result.ExecutionResults))
	}
	got, _ = run(`{"commands":[["sh","-c","exit 7"],["true"]],"fail_on_non_success":false}`)
	if got.messages()[0] != "1 of 2 commands successful" {
		t.Errorf("going on = %s", got.envelope["message"])
	}
	started := time.Now()
	got, result = run(`{"commands":[["sleep","60"],["true"]],"command_timeout":1}`)
	if got.messages()[0] != "0 of 2 commands successful - Execution stopped due to command timeout on latest command." ||
		result.ExecutionResults[0].ExitCode != nil || !strings.Contains(result.ExecutionResults[0].Stderr, "Timeout after 1 seconds.") || time.Since(started) > 30*time.Second {
		t.Errorf("a timeout = %s, %+v", got.envelope["message"], result)
	}
	got, result = run(`{"commands":["no-such-program"]}`)
	if got.messages()[0] != "0 of 1 commands successful" || *result.ExecutionResults[0].ExitCode != 127 || result.ExecutionResults[0].Stderr == "" {
		t.Errorf("a program that is not there = %s, %+v", got.envelope["message"], result)
	}
	for body, want := range map[string]string{
		`{}`: "commands is required", `{"commands":[]}`: "commands cannot be empty", `{"commands":[[]]}`: "cannot hold an empty command",
		`{"commands":"ls"}`: "must be a list of strings or a list of lists", `{"commands":["a",["b"]]}`: "must be a list of strings or a list of lists",
		`{"commands":["ls\u0000"]}`: "NUL byte", `{"commands":["ls"],"total_timeout":0}`: "total_timeout must be from 1",
		`{"commands":["ls"],"shell":true}`: "shell is not a known field",
	} {
		if got, _ := run(body); got.status != 400 || !strings.Contains(strings.Join(got.messages(), "\n"), want) {
			t.Errorf("%s = %d %s, want %q", body, got.status, got.envelope["message"], want)
		}
	}
	logs, err := alice.PodLogs(t.Context(), "docpod")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(logs.ActionLogs, "\n")
	for _, want := range []string{"'alice' exec 1/1 ok  [sh(ok, ", "'alice' exec 1/3 ok  [true(ok, ", "sh(exit 7, ", "[sleep(timeout, 1."} {
		if !strings.Contains(all, want) {
			t.Errorf("the action log lacks %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "echo") || strings.Contains(all, credentials.UserPassword) {
		t.Errorf("the action log holds arguments:\n%s", all)
	}
	podstest.Create(t, s.store, podstest.ID("waiting"))
	if got := s.call("POST", "/v3/pods/waiting/exec", alice.Token(), `{"commands":["ls"]}`); got.status != 400 || !strings.Contains(got.messages()[0], "is in status REQUESTED") {
		t.Errorf("a pod that does not run = %d %s", got.status, got.envelope["message"])
	}
}

// part is one part of a form.
type part struct {
	name, content string
	isFile        bool
}

// form sends the parts in their order.
func (s *service) form(path, token string, parts ...part) answer {
	s.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		create := w.CreateFormField
		if p.isFile {
			create = func(name string) (io.Writer, error) { return w.CreateFormFile(name, name) }
		}
		to, err := create(p.name)
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = to.Write([]byte(p.content))
	}
	_ = w.Close()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, &body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("X-Tapis-Token", token)
	return s.send(req)
}

func TestUploadToPod(t *testing.T) {
	t.Parallel()
	s := newService(t)
	token := s.as("alice").Token()
	podstest.CreateIn(t, s.store, pods.StatusAvailable)
	dir := t.TempDir()
	file := part{"file", strings.Repeat("content\n", 100_000), true}
	to := func(name string) part { return part{"dest_path", filepath.Join(dir, name), false} }
	asFile := func(p part) part { p.isFile = true; return p } // as the Python client sends every part

	for name, parts := range map[string][]part{
		"first": {to("first"), file}, "last": {file, to("last")}, "python/first": {asFile(to("python/first")), file}, "python last": {file, asFile(to("python last"))},
	} {
		got := s.form("/v3/pods/docpod/upload_to_pod", token, parts...)
		if got.status != 200 || !strings.Contains(string(got.envelope["result"]), `"pod_name":"docpod"`) {
			t.Errorf("%s = %d %s", name, got.status, got.envelope["message"])
		}
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != file.content {
			t.Errorf("%s: %d bytes arrived, %v", name, len(data), err)
		}
	}
	for name, tc := range map[string]struct {
		parts []part
		want  string
	}{
		"NoDestination": {[]part{file}, "Destination path is required"},
		"Empty":         {[]part{{"dest_path", "", false}, file}, "Destination path is required"},
		"NoFile":        {[]part{to("none")}, "file is required"},
		"Folder":        {[]part{{"dest_path", dir, false}, file}, "is a folder"},
		"Slash":         {[]part{{"dest_path", dir + "/", false}, file}, "must be the path of a file"},
		"Twice":         {[]part{to("twice"), file, file}, "'file' too many"},
		"Unknown":       {[]part{to("unknown"), {"mode", "0755", false}, file}, "'mode' too many"},
		"Impossible":    {[]part{{"dest_path", "/proc/none/file", false}, file}, "Failed to upload file to pod"},
	} {
		if got := s.form("/v3/pods/docpod/upload_to_pod", token, tc.parts...); got.status != 400 || !strings.Contains(strings.Join(got.messages(), "\n"), tc.want) {
			t.Errorf("%s = %d %s, want %q", name, got.status, got.envelope["message"], tc.want)
		}
	}
	entries, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(entries) > 0 {
		t.Errorf("parts are left: %v, %v", entries, err)
	}
	if got := s.call("POST", "/v3/pods/docpod/upload_to_pod", token, `{"dest_path":"/x"}`); got.status != 400 || !strings.Contains(got.messages()[0], "multipart/form-data") {
		t.Errorf("JSON = %d %s", got.status, got.envelope["message"])
	}
}

// TestUploadHoldsNothingInMemory sends more than may ever be allocated for a
// request. It runs alone, since it counts what the process allocates.
func TestUploadHoldsNothingInMemory(t *testing.T) {
	const size, allowed = 128 << 20, 16 << 20
	s := newService(t)
	token := s.as("alice").Token()
	podstest.CreateIn(t, s.store, pods.StatusAvailable)
	path := filepath.Join(t.TempDir(), "large")
	body, to := io.Pipe()
	form := multipart.NewWriter(to)
	go func() {
		file, _ := form.CreateFormFile("file", "large")
		chunk := make([]byte, 1<<20)
		for range size / len(chunk) {
			_, _ = file.Write(chunk)
		}
		_ = form.WriteField("dest_path", path)
		_ = to.CloseWithError(form.Close())
	}()
	req := s.request("POST", "/v3/pods/docpod/upload_to_pod", token, "")
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Body, req.ContentLength = body, -1

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := s.send(req); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.envelope["message"])
	}
	runtime.ReadMemStats(&after)
	info, err := os.Stat(path)
	if err != nil || info.Size() != size {
		t.Fatalf("what arrived: %v, %v", info, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > allowed {
		t.Errorf("%d bytes were allocated for an upload of %d", grown, size)
	}
}

// TestUploadWhileEnding has a pod that is AVAILABLE, but not for long.
func TestUploadWhileEnding(t *testing.T) {
	t.Parallel()
	s := newService(t)
	podstest.Wish(t, s.store, podstest.CreateIn(t, s.store, pods.StatusAvailable), pods.DesiredOff)

	got := s.form("/v3/pods/docpod/upload_to_pod", s.as("alice").Token(), part{"dest_path", "/x", false}, part{"file", "x", true})
	if got.status != 404 || !strings.HasPrefix(got.messages()[0], "Can't find suitable running pod for upload. Pod 'docpod' is in status AVAILABLE and wanted OFF.") {
		t.Errorf("got %d %s", got.status, got.envelope["message"])
	}
}

// An upload that breaks off leaves nothing behind.
func TestUploadBreaksOff(t *testing.T) {
	t.Parallel()
	s := newService(t)
	podstest.CreateIn(t, s.store, pods.StatusAvailable)
	dir := t.TempDir()
	body := "--b\r\nContent-Disposition: form-data; name=\"dest_path\"\r\n\r\n" + filepath.Join(dir, "half") +
		"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nhalf of a file"
	req := s.request("POST", "/v3/pods/docpod/upload_to_pod", s.as("alice").Token(), body)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if got := s.send(req); got.status != 400 || !strings.Contains(got.messages()[0], "ended too early") {
		t.Errorf("half a form = %d %s", got.status, got.envelope["message"])
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

func TestJupyter(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	alice := s.as("alice")
	ensure := func() (client.JupyterPod, string) {
		got := s.call("GET", "/v3/pods/jupyter/ensure", alice.Token(), "")
		var pod client.JupyterPod
		if err := json.Unmarshal(got.envelope["result"], &pod); err != nil || got.status != 200 {
			t.Fatalf("ensure = %d %s, %v", got.status, got.envelope["message"], err)
		}
		return pod, got.messages()[0]
	}
	first, message := ensure()
	if first.PodID != "alicejupyter" || message != "Created new Jupyter pod successfully." || first.URL != "https://alicejupyter.pods.localhost" {
		t.Errorf("ensured %+v: %s", first, message)
	}
	if again, message := ensure(); again.PodID != first.PodID || message != "Retrieved existing Jupyter pod successfully." {
		t.Errorf("ensured again %+v: %s", again, message)
	}
	if _, err := alice.StopPod(ctx, first.PodID); err != nil {
		t.Fatal(err)
	}
	if second, _ := ensure(); second.PodID != "alicejupyter2" {
		t.Errorf("once the first is stopped: %+v", second)
	}
	// Two windows of a browser ask at the same time.
	var group sync.WaitGroup
	names := make([]string, 6)
	for i := range names {
		group.Go(func() {
			var pod client.JupyterPod
			_ = s.as("carol").Do(ctx, "GET", "/v3/pods/jupyter/ensure", nil, &pod) // no pod is shown then
			names[i] = pod.PodID
		})
	}
	group.Wait()
	if len(slices.Compact(names)) != 1 || names[0] != "caroljupyter" {
		t.Errorf("at the same time: %q", names)
	}
	// One that may only be looked at does not count.
	if err := alice.Do(ctx, "POST", "/v3/pods/alicejupyter2/permissions", map[string]string{"user": "bob", "level": "READ"}, nil); err != nil {
		t.Fatal(err)
	}
	var bobs client.JupyterPod
	if err := s.as("bob").Do(ctx, "GET", "/v3/pods/jupyter/ensure", nil, &bobs); err != nil || bobs.PodID != "bobjupyter" {
		t.Errorf("bob got %+v, %v", bobs, err)
	}
	podstest.CreateIn(t, s.store, pods.StatusAvailable)
	got := s.form("/v3/pods/jupyter/docpod/upload", alice.Token(), part{"path", "../../../etc/passwd", false}, part{"file", "x", true})
	if got.status != 400 || !slices.ContainsFunc(got.messages(), func(m string) bool { return strings.Contains(m, "cannot contain '..'") }) {
		t.Errorf("a path out of the notebooks = %d %s", got.status, got.envelope["message"])
	}
}
