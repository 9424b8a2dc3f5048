package kube_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

var loggedRun = pods.Ref{TenantID: "dev", PodID: "db", UID: "life", Instance: 3}

// loggedPod returns the pod of loggedRun as the API server would hold it.
func loggedPod(objectUID string, change func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "pods-x-dev-db", Namespace: "user-pods", UID: types.UID(objectUID), Labels: manifests.Identity(loggedRun),
		},
	}
	if change != nil {
		change(pod)
	}
	return pod
}

func terminated(pod *corev1.Pod) {
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: manifests.ContainerName, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
	}}
}

// logServer answers as an API server: one pod per look at it, nil for none, and
// its log.
type logServer struct {
	pods   []*corev1.Pod
	status int // of the log; 200 sends text
	looks  []url.Values
	asked  url.Values
}

func (s *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const pod = "/api/v1/namespaces/user-pods/pods/pods-x-dev-db"
	switch {
	case r.URL.Path == pod+"/log":
		s.asked = r.URL.Query()
		if s.status != http.StatusOK {
			answerStatus(w, s.status)
			return
		}
		_, _ = io.WriteString(w, "2026-05-04T12:00:00.000000000Z hello\n")
	case r.URL.Path == pod && len(s.pods) > 0 && s.pods[0] != nil:
		s.looks = append(s.looks, r.URL.Query())
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.pods[0])
		s.pods = s.pods[1:]
	default:
		answerStatus(w, http.StatusNotFound)
	}
}

func answerStatus(w http.ResponseWriter, code int) {
	reasons := map[int]metav1.StatusReason{400: metav1.StatusReasonBadRequest, 404: metav1.StatusReasonNotFound, 500: metav1.StatusReasonInternalError}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reasons[code],
	})
}

func TestOpenLog(t *testing.T) {
	t.Parallel()

	same := loggedPod("o1", nil)
	otherRun := loggedPod("o2", func(pod *corev1.Pod) { pod.Labels[manifests.LabelInstance] = "4" })
	otherLife := loggedPod("o2", func(pod *corev1.Pod) { pod.Labels[manifests.LabelUID] = "next" })
	tests := map[string]struct {
		pods   []*corev1.Pod
		status int
		want   string
		ended  bool
		kind   pods.Kind
	}{
		"Running":         {[]*corev1.Pod{same, same}, 200, "hello", false, ""},
		"Ended":           {[]*corev1.Pod{same, loggedPod("o1", terminated)}, 200, "hello", true, ""},
		"NotStarted":      {[]*corev1.Pod{same, same}, 400, "", false, ""},
		"NoPod":           {nil, 200, "", false, pods.KindNotFound},
		"OtherRun":        {[]*corev1.Pod{otherRun, otherRun}, 200, "", false, pods.KindNotFound},
		"OtherLife":       {[]*corev1.Pod{otherLife, otherLife}, 200, "", false, pods.KindNotFound},
		"GoneMeanwhile":   {[]*corev1.Pod{same, nil}, 200, "", false, pods.KindNotFound},
		"LogGone":         {[]*corev1.Pod{same, same}, 404, "", false, pods.KindNotFound},
		"NextRunInMiddle": {[]*corev1.Pod{same, otherRun}, 200, "", false, pods.KindNotFound},
		"ReplacedByTwin":  {[]*corev1.Pod{same, loggedPod("o9", nil)}, 200, "", false, pods.KindNotFound},
		"KubeletDown":     {[]*corev1.Pod{same, same}, 500, "", false, pods.KindUnavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answers := &logServer{pods: tc.pods, status: tc.status}
			server := httptest.NewServer(answers)
			defer server.Close()
			api, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			since := time.Date(2026, 5, 4, 12, 0, 0, 999_999_999, time.UTC)
			stream, err := kube.New(api, "user-pods").OpenLog(t.Context(), "pods-x-dev-db", loggedRun, logs.Options{Since: since, Follow: true})
			if pods.KindOf(err) != tc.kind {
				t.Fatalf("OpenLog: %v, want kind %q", err, tc.kind)
			}
			if err != nil {
				return
			}
			defer func() { _ = stream.Close() }()
			body, err := io.ReadAll(stream)
			if err != nil || stream.Ended != tc.ended {
				t.Errorf("ended %t (%v), want %t", stream.Ended, err, tc.ended)
			}
			if want := "2026-05-04T12:00:00.000000000Z " + tc.want + "\n"; tc.want != "" && string(body) != want || tc.want == "" && len(body) > 0 {
				t.Errorf("read %q, want %q", body, tc.want)
			}
			wantAsked := url.Values{
				"container": {"main"}, "timestamps": {"true"}, "follow": {"true"}, "sinceTime": {"2026-05-04T12:00:00Z"},
			}
			if diff := cmp.Diff(wantAsked, answers.asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			if got := fmt.Sprint(answers.looks); got != "[map[resourceVersion:[0]] map[]]" {
				t.Errorf("looked at the pod with %s, want first the cache and then the truth", got)
			}
		})
	}
}
