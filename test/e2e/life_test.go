package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// TestLife is the service's main job from create to delete.
func TestLife(t *testing.T) {
	t.Parallel()
	s := shared
	alice, web := s.User(t, "alice"), s.Browser(t)
	podID := suite.NewID("docpod")
	address := suite.Address(podID)

	created := suite.Create(t, alice, podID, map[string]string{"HELLO_FINAL_LINE": "and that was all"})
	if created.Status != pods.StatusRequested || !strings.HasPrefix(created.Template, "hello:latest@") {
		t.Errorf("created as %s from %s", created.Status, created.Template)
	}
	pod := suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	if pod.StartInstanceTS == nil || pod.TimeToStopTS == nil && pod.TimeToStopDefault >= 0 {
		t.Errorf("an AVAILABLE pod has start %v and time to stop %v", pod.StartInstanceTS, pod.TimeToStopTS)
	}
	secure := suite.Get(t, web, address)
	suite.Contains(t, "the page", secure.Body, podID)
	if secure.Status != http.StatusOK || secure.Proto != "HTTP/2.0" {
		t.Errorf("https answers %d by %s", secure.Status, secure.Proto)
	}
	host := podID + ".pods.localhost"
	if plain := suite.Get(t, web, "http://"+host+"/headers"); plain.Status != http.StatusOK || !strings.Contains(plain.Body, host) {
		t.Errorf("http answers %d %s", plain.Status, plain.Body)
	}
	echo(t, s, "ws://"+host+"/ws")
	s.WaitRunning(t, podID)

	logs := suite.WaitLogs(t, alice, podID, "5000", "path=/headers")
	suite.Contains(t, "the action log", strings.Join(logs.ActionLogs, "\n"), "Pod object created by 'alice'",
		"spawner set status to CREATING", "health set status to AVAILABLE")

	if _, err := alice.StopPod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
	stopped := suite.WaitFor(t, alice, podID, pods.StatusStopped)
	if stopped.StartInstanceTS != nil || stopped.TimeToStopTS != nil || stopped.StatusContainer != (pods.ContainerStatus{}) {
		t.Errorf("a STOPPED pod keeps %+v", stopped)
	}
	s.WaitGone(t, podID)
	suite.WaitPage(t, web, address, http.StatusServiceUnavailable)
	suite.WaitLogs(t, alice, podID, "and that was all")

	if _, err := alice.StartPod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
	suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	if logs, err := alice.PodLogs(t.Context(), podID); err != nil || strings.Contains(logs.Logs, "and that was all") {
		t.Errorf("the log of a new start holds the old one's: %q, %v", logs.Logs, err)
	}
	if _, err := alice.RestartPod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
	suite.WaitWanted(t, alice, podID)

	if err := alice.DeletePod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Pod(t.Context(), podID); err == nil {
		t.Error("a deleted pod is still there")
	}
	suite.WaitPage(t, web, address, http.StatusNotFound)
	s.WaitGone(t, podID)
}

func echo(t *testing.T, s *suite.Suite, url string) {
	t.Helper()
	dialer := &http.Client{Transport: &http.Transport{DialContext: s.Dial}}
	conn, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: dialer})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello?")); err != nil {
		t.Fatal(err)
	}
	if _, data, err := conn.Read(t.Context()); err != nil || string(data) != "hello?" {
		t.Errorf("the WebSocket echoes %q, %v", data, err)
	}
}

// TestRecreate creates a pod id again while its old container takes its time
// to end.
func TestRecreate(t *testing.T) {
	t.Parallel()
	alice, podID := shared.User(t, "alice"), suite.NewID("again")

	suite.Create(t, alice, podID, nil)
	suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	for range 3 {
		if err := alice.DeletePod(t.Context(), podID); err != nil {
			t.Fatal(err)
		}
		suite.Create(t, alice, podID, map[string]string{"ROUND": "next"})
	}
	pod := suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	if pod.EnvironmentVariables["ROUND"] != "next" {
		t.Errorf("the pod is an earlier one: %v", pod.EnvironmentVariables)
	}
	if err := alice.DeletePod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
}

// TestTwoAtOnce sends two wishes at the same moment: the end is that of one
// order or the other.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	alice, podID := shared.User(t, "alice"), suite.NewID("two")
	calls := map[string]func(context.Context, string) (client.Pod, error){
		"stop": alice.StopPod, "restart": alice.RestartPod,
	}
	suite.Create(t, alice, podID, nil)
	suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	for range 3 {
		var wait sync.WaitGroup
		for name, call := range calls {
			wait.Go(func() {
				if _, err := call(t.Context(), podID); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wait.Wait()
		var pod client.Pod
		err := suite.Eventually(t.Context(), func() (err error) {
			pod, err = alice.Pod(t.Context(), podID)
			settled := pod.Status == pods.StatusStopped && pod.StatusRequested == pods.DesiredOff ||
				pod.Status == pods.StatusAvailable && pod.StatusRequested == pods.DesiredOn
			if err == nil && !settled {
				err = fmt.Errorf("the pod is %s and wanted %s", pod.Status, pod.StatusRequested)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if pod.Status == pods.StatusStopped {
			if _, err := alice.StartPod(t.Context(), podID); err != nil {
				t.Fatal(err)
			}
			suite.WaitFor(t, alice, podID, pods.StatusAvailable)
		}
	}
	if err := alice.DeletePod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
}

// TestEnds looks at containers that end by themselves and at ones that cannot
// start.
func TestEnds(t *testing.T) {
	t.Parallel()
	alice := shared.User(t, "alice")
	exit := func(code string) map[string]any {
		return map[string]any{"template": "hello", "environment_variables": map[string]string{
			"HELLO_EXIT_CODE": code, "HELLO_EXIT_AFTER": "200ms", "HELLO_LOG_NUL": "1", "HELLO_FINAL_LINE": "bye",
		}}
	}
	tests := map[string]struct {
		fields  map[string]any
		want    pods.Status
		message string
	}{
		"complete": {exit("0"), pods.StatusComplete, ""},
		"failing":  {exit("3"), pods.StatusError, "3"},
		"noimage":  {map[string]any{"image": "dev.local/hello:nosuchtag"}, pods.StatusError, "image"},
		"nobinary": {map[string]any{"template": "hello", "command": []string{"/nothing"}}, pods.StatusError, "/nothing"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			podID := suite.NewID(name)
			tc.fields["pod_id"] = podID
			suite.CreateOf(t, alice, tc.fields)
			var pod client.Pod
			err := suite.Eventually(t.Context(), func() (err error) {
				pod, err = alice.Pod(t.Context(), podID)
				if err == nil && pod.Status != tc.want {
					err = fmt.Errorf("it is %s (%s)", pod.Status, pod.StatusContainer.Message)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			suite.Contains(t, "the message", pod.StatusContainer.Message, tc.message)
			if tc.want == pods.StatusComplete {
				logs, err := alice.PodLogs(t.Context(), podID)
				if err != nil || strings.Contains(logs.Logs, "\x00") || logs.Logs == "" {
					t.Errorf("log of an ended pod = %q, %v", logs.Logs, err)
				}
			}
			if err := alice.DeletePod(t.Context(), podID); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestLostPod removes a pod behind the service's back: one that is wanted ON
// comes back.
func TestLostPod(t *testing.T) {
	t.Parallel()
	alice, podID := shared.User(t, "alice"), suite.NewID("lost")

	suite.Create(t, alice, podID, nil)
	before := suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	shared.RemovePods(t, podID)
	err := suite.Eventually(t.Context(), func() error {
		pod, err := alice.Pod(t.Context(), podID)
		if err == nil && (pod.Status != pods.StatusAvailable || pod.StartInstanceTS == nil || pod.StartInstanceTS.Equal(before.StartInstanceTS.Time)) {
			err = errors.New("it has not been started anew, but is " + string(pod.Status))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
