package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/suite"
)

// TestVolumes has pods, the API and a snapshot see the same files.
func TestVolumes(t *testing.T) {
	t.Parallel()
	alice := shared.User(t, "alice")
	v := storageTest{t, alice}
	volume, snapshot := suite.NewID("vol"), suite.NewID("snap")
	v.must("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, volume))
	v.upload(volume, "in/sent.txt", "by the API", http.StatusOK)

	one, two := suite.NewID("onepod"), suite.NewID("twopod")
	suite.CreateOf(t, alice, mounting(one, map[string]any{volume: map[string]any{"type": "tapisvolume", "mount_path": "/shared"}}))
	suite.CreateOf(t, alice, mounting(two, map[string]any{
		"/all":  map[string]any{"type": "tapisvolume", "source_id": volume},
		"/part": map[string]any{"type": "tapisvolume", "source_id": volume, "sub_path": "in", "read_only": true},
	}))
	for _, podID := range []string{one, two} {
		suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	}
	v.run(one, `cat /shared/in/sent.txt`, "by the API")
	v.run(one, `printf 'by one' > /shared/in/one.txt; mkdir /shared/own; printf x > /shared/own/deep.txt`, "")
	v.run(two, `cat /all/in/one.txt /part/one.txt`, "by oneby one")
	v.run(two, `printf y > /part/two.txt || printf 'by two' > /all/two.txt`, "")
	v.run(one, `cat /shared/two.txt; ls /shared/in`, "by twoone.txt\nsent.txt\n")
	if got := v.list("volumes", volume); !slices.Equal(got, []string{"/in", "/in/one.txt", "/in/sent.txt", "/own", "/own/deep.txt", "/two.txt"}) {
		t.Errorf("the API lists %q", got)
	}
	if status, text := v.get("/volumes/" + volume + "/contents/in/one.txt"); status != http.StatusOK || text != "by one" {
		t.Errorf("what a pod wrote is %d %q", status, text)
	}
	// Into a folder that belongs to the container's user.
	v.upload(volume, "own/sent.txt", "later", http.StatusOK)
	v.upload(volume, "own/deep.txt", "replaced", http.StatusOK)
	v.run(two, `cat /all/own/sent.txt /all/own/deep.txt; printf more >> /all/own/sent.txt`, "laterreplaced")

	v.must("POST", "/snapshots", fmt.Sprintf(`{"snapshot_id":%q,"source_volume_id":%q,"source_volume_path":"/"}`, snapshot, volume))
	v.run(one, `printf changed > /shared/in/one.txt; rm /shared/two.txt`, "")
	if status, text := v.get("/snapshots/" + snapshot + "/contents/in/one.txt"); status != http.StatusOK || text != "by one" {
		t.Errorf("the snapshot has %d %q", status, text)
	}
	if got := v.zip("/snapshots/" + snapshot + "/contents/in?zip=true"); got["one.txt"] != "by one" || got["sent.txt"] != "by the API" {
		t.Errorf("the zip of the snapshot has %q", got)
	}
	three := suite.NewID("threepod")
	suite.CreateOf(t, alice, mounting(three, map[string]any{"/old": map[string]any{"type": "tapissnapshot", "source_id": snapshot, "read_only": false}}))
	suite.WaitFor(t, alice, three, pods.StatusAvailable)
	v.run(three, `cat /old/two.txt; touch /old/new 2>&1 | grep -o 'Read-only'; rm /old/two.txt 2>/dev/null || echo kept`, "by twoRead-only\nkept\n")

	for path, podID := range map[string]string{"/volumes/" + volume: one, "/snapshots/" + snapshot: three} {
		if got := v.call("DELETE", path, ""); got.Status != http.StatusConflict || !strings.Contains(got.Message, "is mounted by pod") {
			t.Errorf("DELETE %s while pod %s mounts it = %d %s", path, podID, got.Status, got.Message)
		}
	}
	for _, podID := range []string{one, two, three} {
		if _, err := alice.StopPod(t.Context(), podID); err != nil {
			t.Fatal(err)
		}
	}
	for _, podID := range []string{one, two, three} {
		suite.WaitFor(t, alice, podID, pods.StatusStopped)
	}
	v.must("DELETE", "/volumes/"+volume, "")
	v.must("DELETE", "/snapshots/"+snapshot, "")
	got := v.call("GET", "/"+one+"/start", "")
	if want := fmt.Sprintf("no volume '%s' that user 'alice' may use", volume); got.Status != http.StatusBadRequest || !strings.Contains(got.Message, want) {
		t.Errorf("a start without its volume = %d %s", got.Status, got.Message)
	}
}

// TestVolumeLinks has a pod put links into its volume that lead out of it.
func TestVolumeLinks(t *testing.T) {
	t.Parallel()
	alice, bob := shared.User(t, "alice"), shared.User(t, "bob")
	v := storageTest{t, alice}
	volume, secret := suite.NewID("vol"), suite.NewID("secret")
	v.must("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, volume))
	v.upload(volume, "in/file", "plain", http.StatusOK)
	bobs := storageTest{t, bob}
	bobs.must("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, secret))
	bobs.upload(secret, "in/file", "the secret", http.StatusOK)

	podID := suite.NewID("linkpod")
	suite.CreateOf(t, alice, mounting(podID, map[string]any{volume: map[string]any{"type": "tapisvolume", "mount_path": "/shared"}}))
	suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	v.run(podID, fmt.Sprintf(`cd /shared && rm -r in && ln -s /etc in && ln -s ../%s trap && ln -s ../%s/in/file trapfile && ln -s ../../../../../../etc/passwd up && ls`, secret, secret),
		"in\ntrap\ntrapfile\nup\n")

	leaks := func(what, text string) {
		t.Helper()
		if strings.Contains(text, "root:") || strings.Contains(text, "shadow") || strings.Contains(text, "the secret") {
			t.Errorf("%s leaks: %.300q", what, text)
		}
	}
	if got := v.list("volumes", volume); !slices.Equal(got, []string{"/in", "/trap", "/trapfile", "/up"}) {
		t.Errorf("the API lists %q", got)
	}
	for _, path := range []string{"in/passwd", "in", "in?zip=true", "trap/in/file", "trap?zip=true", "trapfile", "up"} {
		status, text := v.get("/volumes/" + volume + "/contents/" + path)
		if status != http.StatusBadRequest && status != http.StatusNotFound {
			t.Errorf("contents of %s = %d", path, status)
		}
		leaks("contents of "+path, text)
	}
	for _, folder := range []string{"/in", "/trap", "/trap/in"} {
		got := v.call("GET", "/volumes/"+volume+"/list?path="+folder, "")
		if got.Status == http.StatusOK && len(got.Result) > len("[]") {
			t.Errorf("the list of %s = %d %s", folder, got.Status, got.Result)
		}
		leaks("the list of "+folder, string(got.Result)+got.Message)
	}
	v.upload(volume, "in/new", "x", http.StatusBadRequest)
	v.upload(volume, "trap/in/file", "overwritten", http.StatusBadRequest)
	for _, source := range []string{"/in", "/trap", "/trap/in"} {
		body := fmt.Sprintf(`{"snapshot_id":%q,"source_volume_id":%q,"source_volume_path":%q}`, suite.NewID("snap"), volume, source)
		if got := v.call("POST", "/snapshots", body); got.Status != http.StatusBadRequest && got.Status != http.StatusNotFound {
			t.Errorf("a snapshot of %s = %d %s", source, got.Status, got.Message)
		}
	}
	snapshot := suite.NewID("snap")
	v.must("POST", "/snapshots", fmt.Sprintf(`{"snapshot_id":%q,"source_volume_id":%q,"source_volume_path":"/"}`, snapshot, volume))
	for _, path := range []string{"in/passwd", "trap/in/file", "trapfile", "up"} {
		status, text := v.get("/snapshots/" + snapshot + "/contents/" + path)
		if status != http.StatusBadRequest && status != http.StatusNotFound {
			t.Errorf("contents of %s in the snapshot = %d", path, status)
		}
		leaks("contents of "+path+" in the snapshot", text)
	}

	for _, subPath := range []string{"in", "trap/in", "trapfile", "up"} {
		trapped := mounting(suite.NewID("trappod"), map[string]any{"/trap": map[string]any{"type": "tapisvolume", "source_id": volume, "sub_path": subPath}})
		if _, err := alice.CreatePod(t.Context(), trapped); err == nil || !strings.Contains(err.Error(), "by a link") {
			t.Errorf("a pod that mounts %s: %v", subPath, err)
		}
		v.refused(podID, subPath)
	}
	if status, text := bobs.get("/volumes/" + secret + "/contents/in/file"); status != http.StatusOK || text != "the secret" {
		t.Errorf("the other volume has %d %q", status, text)
	}
}

// TestVolumePermissions takes back a permission by which a pod mounts a volume.
func TestVolumePermissions(t *testing.T) {
	t.Parallel()
	alice, bob := shared.User(t, "alice"), shared.User(t, "bob")
	v, bobs := storageTest{t, alice}, storageTest{t, bob}
	volume, podID := suite.NewID("vol"), suite.NewID("bobspod")
	v.must("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, volume))
	v.must("POST", "/volumes/"+volume+"/permissions", `{"user":"bob","level":"READ"}`)
	v.upload(volume, "file", "to read", http.StatusOK)

	writes := fmt.Sprintf(`{"pod_id":%q,"template":"hello","volume_mounts":{%q:{"type":"tapisvolume"}}}`, podID, volume)
	if got := bobs.call("POST", "", writes); got.Status != http.StatusForbidden || !strings.Contains(got.Message, "user 'bob' needs level USER") {
		t.Errorf("a writable mount with READ = %d %s", got.Status, got.Message)
	}
	suite.CreateOf(t, bob, mounting(podID, map[string]any{"/data": map[string]any{"type": "tapisvolume", "source_id": volume, "read_only": true}}))
	suite.WaitFor(t, bob, podID, pods.StatusAvailable)
	bobs.run(podID, `cat /data/file; touch /data/new 2>&1 | grep -o 'Read-only'`, "to readRead-only\n")

	v.must("DELETE", "/volumes/"+volume+"/permissions/bob", "")
	if got := bobs.call("GET", "/"+podID+"/restart", ""); got.Status != http.StatusBadRequest || !strings.Contains(got.Message, "that user 'bob' may use") {
		t.Errorf("a restart without the permission = %d %s", got.Status, got.Message)
	}
}

// TestSchedule has copies of a volume made as time goes by: each is what the
// volume held then, and the policy leaves the newest alone.
func TestSchedule(t *testing.T) {
	t.Parallel()
	v := storageTest{t, shared.User(t, "alice")}
	volume, schedule := suite.NewID("vol"), suite.NewID("snap")
	v.must("POST", "/volumes", fmt.Sprintf(`{"volume_id":%q}`, volume))
	v.upload(volume, "file", "before", http.StatusOK)
	v.must("POST", "/snapshots", fmt.Sprintf(
		`{"snapshot_id":%q,"source_volume_id":%q,"source_volume_path":"/","cron":"@every 5s","retention_policy":"keep_last=1"}`, schedule, volume))
	v.upload(volume, "file", "after", http.StatusOK)

	first := v.copyBut(schedule, "")
	if status, text := v.get("/snapshots/" + first + "/contents/file"); status != http.StatusOK || text != "after" {
		t.Errorf("the first copy has %d %q", status, text)
	}
	v.copyBut(schedule, first)
	err := suite.Eventually(t.Context(), func() error {
		if got := v.call("GET", "/snapshots/"+first, ""); got.Status != http.StatusNotFound {
			return fmt.Errorf("the first copy is still there: %d %s", got.Status, got.Message)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if status, text := v.get("/snapshots/" + schedule + "/contents/file"); status != http.StatusOK || text != "before" {
		t.Errorf("the schedule itself has %d %q", status, text)
	}
	v.must("PUT", "/snapshots/"+schedule, `{"cron":""}`)
}

// copyBut waits for a copy that a schedule has made, another than the one given,
// and returns its id.
func (v storageTest) copyBut(schedule, known string) (id string) {
	v.t.Helper()
	err := suite.Eventually(v.t.Context(), func() error {
		var snapshots []client.Snapshot
		if err := v.user.Do(v.t.Context(), "GET", "/v3/pods/snapshots", nil, &snapshots); err != nil {
			return suite.Fatal(err)
		}
		for _, snapshot := range snapshots {
			if snapshot.ScheduleID == schedule && snapshot.SnapshotID != known {
				id = snapshot.SnapshotID
				return nil
			}
		}
		return fmt.Errorf("there is no copy of %s but %q", schedule, known)
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return id
}

// storageTest is what a user does with volumes and the pods that mount them.
type storageTest struct {
	t    *testing.T
	user *client.Client
}

// mounting are the fields of a pod with mounts.
func mounting(podID string, mounts map[string]any) map[string]any {
	return map[string]any{"pod_id": podID, "template": "hello", "volume_mounts": mounts}
}

func (v storageTest) call(method, path, body string) suite.Answer {
	v.t.Helper()
	return shared.Call(v.t, method, "/v3/pods"+path, body, map[string]string{"X-Tapis-Token": v.user.Token()})
}

func (v storageTest) must(method, path, body string) {
	v.t.Helper()
	if got := v.call(method, path, body); got.Status != http.StatusOK {
		v.t.Fatalf("%s %s = %d %s", method, path, got.Status, got.Message)
	}
}

// run has a shell in the pod run a script, and checks what it prints.
func (v storageTest) run(podID, script, want string) {
	v.t.Helper()
	body, err := json.Marshal(map[string]any{"commands": []string{"sh", "-c", script}})
	if err != nil {
		v.t.Fatal(err)
	}
	got := v.call("POST", "/"+podID+"/exec", string(body))
	var result client.ExecResult
	if err := json.Unmarshal(got.Result, &result); err != nil || len(result.ExecutionResults) != 1 {
		v.t.Fatalf("%s in %s = %d %s, %v", script, podID, got.Status, got.Message, err)
	}
	if done := result.ExecutionResults[0]; done.Stdout != want {
		v.t.Errorf("%s in %s prints %q and %q, want %q", script, podID, done.Stdout, done.Stderr, want)
	}
}

// list returns the paths in a volume or snapshot, in order.
func (v storageTest) list(kind, id string) []string {
	v.t.Helper()
	var files []client.File
	if err := v.user.Do(v.t.Context(), "GET", "/v3/pods/"+kind+"/"+id+"/list", nil, &files); err != nil {
		v.t.Fatal(err)
	}
	var paths []string
	for _, file := range files {
		paths = append(paths, file.Path)
	}
	slices.Sort(paths)
	return paths
}

// send sends a request and returns an answer that may be no envelope.
func (v storageTest) send(method, path, contentType string, body io.Reader) (int, []byte) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, shared.At().API+"/v3/pods"+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("X-Tapis-Token", v.user.Token())
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := shared.API().Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, data
}

func (v storageTest) get(path string) (int, string) {
	v.t.Helper()
	status, data := v.send("GET", path, "", nil)
	return status, string(data)
}

// zip returns the files in an answer, by what follows the last slash of their
// names.
func (v storageTest) zip(path string) map[string]string {
	v.t.Helper()
	status, data := v.send("GET", path, "", nil)
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		v.t.Fatalf("GET %s = %d, %v", path, status, err)
	}
	files := map[string]string{}
	for _, entry := range archive.File {
		file, err := entry.Open()
		if err != nil {
			v.t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err != nil {
			v.t.Fatal(err)
		}
		files[entry.Name[strings.LastIndex(entry.Name, "/")+1:]] = string(text)
	}
	return files
}

func (v storageTest) upload(volume, path, text string, want int) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "file")
	if err == nil {
		_, err = io.WriteString(file, text)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	status, data := v.send("POST", "/volumes/"+volume+"/upload/"+path, form.FormDataContentType(), &body)
	if status != want {
		v.t.Errorf("upload to %s = %d %.300s, want %d", path, status, data, want)
	}
}

// refused checks that Kubernetes itself does not mount what subPath leads to in
// the volume of a pod: the link may have been put there after the API has looked.
func (v storageTest) refused(podID, subPath string) {
	v.t.Helper()
	cluster := shared.Cluster.CoreV1().Pods(shared.Namespace)
	pod, err := cluster.Get(v.t.Context(), "pods-dev-dev-"+podID, metav1.GetOptions{})
	if err != nil {
		v.t.Fatal(err)
	}
	container := pod.Spec.Containers[0]
	container.VolumeMounts = []corev1.VolumeMount{{Name: container.VolumeMounts[0].Name, MountPath: "/trap", SubPath: subPath}}
	made, err := cluster.Create(v.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: suite.NewID("trap")},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{container}, Volumes: pod.Spec.Volumes, SecurityContext: pod.Spec.SecurityContext,
			RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: new(false),
		},
	}, metav1.CreateOptions{})
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() {
		now := int64(0)
		_ = cluster.Delete(context.WithoutCancel(v.t.Context()), made.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	})
	err = suite.Eventually(v.t.Context(), func() error {
		seen, err := cluster.Get(v.t.Context(), made.Name, metav1.GetOptions{})
		switch {
		case err != nil:
			return err
		case len(seen.Status.ContainerStatuses) == 0:
			return errors.New("there is no container yet")
		}
		state := seen.Status.ContainerStatuses[0].State
		switch {
		case state.Running != nil || state.Terminated != nil:
			return suite.Fatal(errors.New("the container has started"))
		case state.Waiting == nil || state.Waiting.Reason != "CreateContainerConfigError":
			return fmt.Errorf("the container waits for %+v", state.Waiting)
		}
		return nil
	})
	if err != nil {
		v.t.Errorf("a container that mounts %s: %v", subPath, err)
	}
}
