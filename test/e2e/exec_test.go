package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// uploadSize is that of a file that would be noticed in memory, in bytes.
const uploadSize = 64 << 20

// TestExec runs commands in a real container and puts a file there.
func TestExec(t *testing.T) {
	t.Parallel()
	alice := shared.User(t, "alice")
	podID := suite.NewID("execpod")
	suite.Create(t, alice, podID, map[string]string{"SECRET": "<<TAPIS_user_password>>"})
	suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	run := func(body string) (string, client.ExecResult) {
		t.Helper()
		got := shared.Call(t, http.MethodPost, "/v3/pods/"+podID+"/exec", body, map[string]string{"X-Tapis-Token": alice.Token()})
		var result client.ExecResult
		if err := json.Unmarshal(got.Result, &result); err != nil || got.Status != http.StatusOK || len(result.ExecutionResults) == 0 {
			t.Fatalf("%s = %d %s, %v", body, got.Status, got.Message, err)
		}
		return got.Message, result
	}

	message, result := run(`{"commands":[["/hello","--version"],["sh","-c","echo out; echo err >&2; [ \"$SECRET\" = \"$1\" ]","sh","<<TAPIS_user_password>>"]]}`)
	second := result.ExecutionResults[1]
	if message != "All Commands Successful" || result.ExecutionResults[0].Stdout == "" || second.Stdout != "out\n" || second.Stderr != "err\n" {
		t.Errorf("two commands: %s, %+v", message, result)
	}
	message, result = run(`{"commands":[["sh","-c","exit 3"],["sh","-c","true"]]}`)
	if !strings.HasSuffix(message, "command failure on latest command.") || *result.ExecutionResults[0].ExitCode != 3 {
		t.Errorf("a failure: %s, %+v", message, result)
	}
	message, result = run(`{"commands":["no-such-program"]}`)
	if message != "0 of 1 commands successful" || *result.ExecutionResults[0].ExitCode != 127 || !strings.Contains(result.ExecutionResults[0].Stderr, "not found") {
		t.Errorf("a program that is not there: %s, %+v", message, result)
	}
	message, result = run(`{"commands":[["sh","-c","sleep 611 & wait"],["sh","-c","true"]],"command_timeout":1}`)
	if !strings.HasSuffix(message, "command timeout on latest command.") || result.ExecutionResults[0].Stderr != "Timeout after 1 seconds." {
		t.Errorf("a command that takes too long: %s, %+v", message, result)
	}
	_, result = run(`{"commands":["sh","-c","ps -o args | grep -c '[s]leep 611'"],"fail_on_non_success":false}`)
	if count := result.ExecutionResults[0].Stdout; count != "0\n" {
		t.Errorf("%s of its processes still run", count)
	}

	path := "/tmp/a folder/$(touch pwned).bin"
	sum := upload(t, alice, podID, path)
	body, err := json.Marshal(map[string]any{"commands": []string{"sh", "-c", `sha256sum < "$1"; ls -a /tmp /`, "sh", path}})
	if err != nil {
		t.Fatal(err)
	}
	_, result = run(string(body))
	listing := result.ExecutionResults[0].Stdout
	if !strings.HasPrefix(listing, sum) || strings.Contains(listing, "pwned\n") || strings.Contains(listing, ".upload") {
		t.Errorf("the container has %s, want the sum %s and nothing else", listing, sum)
	}
	logs, err := alice.PodLogs(t.Context(), podID)
	if err != nil {
		t.Fatal(err)
	}
	suite.Contains(t, "the action log", strings.Join(logs.ActionLogs, "\n"), "'alice' exec 2/2 ok  [hello(ok, ", "sh(timeout, 1.", "'alice' uploaded 67108864 bytes")
}

// upload sends a file of random bytes and returns its sum. The destination comes
// after the file, as the Python client sends it.
func upload(t *testing.T, c *client.Client, podID, path string) string {
	t.Helper()
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	sum := sha256.New()
	go func() {
		file, err := form.CreateFormFile("file", "file")
		if err == nil {
			random := rand.NewChaCha8([32]byte{1})
			_, err = io.CopyN(io.MultiWriter(file, sum), random, uploadSize)
		}
		if err == nil {
			err = form.WriteField("dest_path", path)
		}
		if err == nil {
			err = form.Close()
		}
		writer.CloseWithError(err)
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, shared.At().API+"/v3/pods/"+podID+"/upload_to_pod", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("X-Tapis-Token", c.Token())
	web := shared.API()
	web.Timeout = suite.Patience
	resp, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("upload = %s %s, %v", resp.Status, answer, err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
