package server_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/files"
)

// write stores a file in a volume of tenant dev.
func (s *service) write(volume, path, text string) {
	s.t.Helper()
	o := files.Object{Tenant: "dev", Kind: files.Volumes, ID: volume}
	if _, err := s.files.Write(s.t.Context(), o, path, strings.NewReader(text), -1); err != nil {
		s.t.Fatal(err)
	}
}

// createVolume makes a volume with files, by their paths.
func (s *service) createVolume(c *client.Client, id string, files map[string]string) {
	s.t.Helper()
	if err := c.Do(s.t.Context(), "POST", "/v3/pods/volumes", map[string]any{"volume_id": id}, nil); err != nil {
		s.t.Fatal(err)
	}
	for path, text := range files {
		s.write(id, path, text)
	}
}

// get returns an answer that is no envelope.
func (s *service) get(path, token string, header ...string) (*http.Response, string) {
	s.t.Helper()
	req := s.request("GET", path, token, "")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(data)
}

// uploadForm sends a form with the parts, each with its name in front.
func (s *service) uploadForm(path, token string, parts ...[2]string) answer {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range parts {
		w, err := form.CreateFormFile(part[0], part[0]) // as existing clients do
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.WriteString(w, part[1])
	}
	_ = form.Close()
	req := s.request("POST", path, token, body.String())
	req.Header.Set("Content-Type", form.FormDataContentType())
	return s.send(req)
}

// text returns the envelope's result as a string.
func (a answer) text() string {
	var text string
	_ = json.Unmarshal(a.envelope["result"], &text)
	return text
}

func TestVolumeThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	token := alice.Token()

	created := s.call("POST", "/v3/pods/volumes", token, `{"volume_id":"data","description":"mine","size_limit":"10"}`)
	var volume client.Volume
	if err := json.Unmarshal(created.envelope["result"], &volume); err != nil || created.messages()[0] != "Volume created successfully." ||
		volume.Status != "AVAILABLE" || volume.SizeLimit != 10 || volume.Size != 0 || volume.Description != "mine" {
		t.Errorf("created %+v, %s, %v", volume, created.envelope["message"], err)
	}
	if got := s.call("POST", "/v3/pods/volumes", token, `{"volume_id":"data"}`); got.status != 409 || !strings.Contains(got.messages()[0], "Duplicate key found") {
		t.Errorf("a taken id: %d %s", got.status, got.envelope["message"])
	}
	up := s.uploadForm("/v3/pods/volumes/data/upload/a/b%20c.txt", token, [2]string{"file", "hello"})
	if up.status != 200 || up.messages()[0] != "Volume file upload successful." || up.text() != "/a/b c.txt" {
		t.Errorf("upload = %d %s %s", up.status, up.envelope["message"], up.envelope["result"])
	}
	resp, text := s.get("/v3/pods/volumes/data/contents/a/b%20c.txt", token)
	if text != "hello" || resp.Header.Get("Content-Type") != "application/octet-stream" ||
		resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Content-Disposition") != `attachment; filename="b c.txt"` {
		t.Errorf("contents = %q %v", text, resp.Header)
	}
	if resp, text := s.get("/v3/pods/volumes/data/download/a/b%20c.txt", token, "Range", "bytes=1-2"); resp.StatusCode != 206 || text != "el" {
		t.Errorf("a range = %d %q", resp.StatusCode, text)
	}
	var shown []client.File
	if err := alice.Do(t.Context(), "GET", "/v3/pods/volumes/data/list", nil, &shown); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, file := range shown {
		paths = append(paths, fmt.Sprint(file.Path, " ", file.Name, " ", file.Type, " ", file.Size, " ", len(file.NativePermissions)))
	}
	if want := []string{"/a a dir 0 9", "/a/b c.txt b c.txt file 5 9"}; !slices.Equal(paths, want) {
		t.Errorf("list = %q, want %q", paths, want)
	}
	if err := alice.Do(t.Context(), "GET", "/v3/pods/volumes/data/list?path=/", nil, &shown); err != nil || len(shown) != 1 || shown[0].Path != "/a" {
		t.Errorf("the root alone = %v, %v", shown, err)
	}
	same := s.call("PUT", "/v3/pods/volumes/data", token, `{"description":"mine"}`)
	if same.status != 200 || string(same.envelope["status"]) != `"error"` || !strings.Contains(string(same.envelope["result"]), `"volume_id":"data"`) ||
		same.messages()[0] != "Incoming data made no changes to volume. Is incoming data equal to current data?" {
		t.Errorf("no change = %d %v", same.status, same.envelope)
	}
	if got := s.call("PUT", "/v3/pods/volumes/data", token, `{"description":"ours","size_limit":11}`); got.status != 200 || got.messages()[0] != "Volume updated successfully." {
		t.Errorf("update = %d %s", got.status, got.envelope["message"])
	}
	gone := s.call("DELETE", "/v3/pods/volumes/data", token, "")
	if gone.status != 200 || gone.messages()[0] != "Volume successfully deleted." || string(gone.envelope["result"]) != `""` {
		t.Errorf("delete = %d %v", gone.status, gone.envelope)
	}
	if got := s.call("GET", "/v3/pods/volumes/data", token, ""); got.status != 404 || got.messages()[0] != "Volume with identifier volume_id: 'data' not found" {
		t.Errorf("after delete: %d %s", got.status, got.envelope["message"])
	}
	s.createVolume(alice, "data", nil)
	if err := alice.Do(t.Context(), "GET", "/v3/pods/volumes/data/list", nil, &shown); err != nil || len(shown) != 0 {
		t.Errorf("another of the same id has the files of the first: %v, %v", shown, err)
	}
}

func TestStorageRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, token := s.as("alice"), s.as("alice").Token()
	s.createVolume(alice, "vol", map[string]string{"dir/file": "text"})
	s.createVolume(s.as("bob"), "bobs", map[string]string{"file": "secret"})
	s.createVolume(alice, "vol2", map[string]string{"file": "secret"})
	if err := s.as("bob").Do(t.Context(), "POST", "/v3/pods/volumes/bobs/permissions", map[string]string{"user": "alice", "level": "READ"}, nil); err != nil {
		t.Fatal(err)
	}

	tests := map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"ID":              {"POST", "/volumes", `{"volume_id":"Abc"}`, 400, "body, volume_id: volume_id must be lowercase alphanumeric"},
		"ShortID":         {"POST", "/volumes", `{"volume_id":"ab"}`, 400, "volume_id length must be between 3-128 characters"},
		"NoID":            {"POST", "/volumes", `{}`, 400, "volume_id is required"},
		"Reserved":        {"POST", "/volumes", `{"volume_id":"usage"}`, 400, "reserved"},
		"Description":     {"POST", "/volumes", `{"volume_id":"abc","description":"` + strings.Repeat("x", 255) + `"}`, 400, "description field must be less than 255 characters"},
		"NotASCII":        {"POST", "/volumes", `{"volume_id":"abc","description":"ä"}`, 400, "description field may only contain ASCII characters"},
		"SizeLimit":       {"POST", "/volumes", `{"volume_id":"abc","size_limit":0}`, 400, "size_limit must be between 1 and"},
		"UnknownField":    {"POST", "/volumes", `{"volume_id":"abc","colour":"red"}`, 400, "colour"},
		"SizeByUser":      {"POST", "/volumes", `{"volume_id":"abc","size":5}`, 400, "size"},
		"NoChangeOfID":    {"PUT", "/volumes/vol", `{"volume_id":"other"}`, 400, "volume_id"},
		"NoVolume":        {"GET", "/volumes/none", "", 404, "Volume with identifier volume_id: 'none' not found"},
		"NoSnapshot":      {"GET", "/snapshots/none", "", 404, "Snapshot with identifier snapshot_id: 'none' not found"},
		"NoPath":          {"GET", "/volumes/vol/contents/", "", 400, "Requesting no path or / path is not allowed"},
		"Root":            {"GET", "/volumes/vol/contents/%2F?zip=true", "", 400, "Requesting no path or / path is not allowed"},
		"Folder":          {"GET", "/volumes/vol/contents/dir", "", 400, "folder"},
		"NoFile":          {"GET", "/volumes/vol/contents/nothing", "", 404, "nothing"},
		"ZipFlag":         {"GET", "/volumes/vol/contents/dir?zip=maybe", "", 400, "zip must be true or false"},
		"Out":             {"GET", "/volumes/vol/contents/%2e%2e%2fvol2%2ffile", "", 400, "cannot contain '..'"},
		"OutOfFolder":     {"GET", "/volumes/vol/contents/dir%2f..%2f..%2fvol2%2ffile", "", 400, "cannot contain '..'"},
		"Absolute":        {"GET", "/volumes/vol/contents/%2fetc%2fpasswd", "", 404, "etc/passwd"},
		"ListOut":         {"GET", "/volumes/vol/list?path=../vol2", "", 400, "cannot contain '..'"},
		"ListFile":        {"GET", "/volumes/vol/list?path=dir/file", "", 400, "folder"},
		"ListNothing":     {"GET", "/volumes/vol/list?path=nothing", "", 404, "nothing"},
		"SnapNoVolume":    {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"none","source_volume_path":"/"}`, 400, "source_volume_id does not exist in our database"},
		"SnapForbidden":   {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"bobs","source_volume_path":"/"}`, 403, "User does not have permission to use source_volume_id"},
		"SnapNoPath":      {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/none"}`, 400, "source_volume_path '/none' does not exist"},
		"SnapOut":         {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/../vol2"}`, 400, "cannot contain '..'"},
		"SnapRelative":    {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"dir"}`, 400, "must be an absolute path"},
		"SnapFile":        {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/dir/file"}`, 400, "destination_path must be set if source_volume_path is a file"},
		"SnapDestination": {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/","destination_path":"../x"}`, 400, "cannot contain '..'"},
		"SnapRequired":    {"POST", "/snapshots", `{"snapshot_id":"abc"}`, 400, "source_volume_id is required"},
		"SnapLimit":       {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/","size_limit":3073}`, 400, "size_limit must be between 1 and 3072"},
		"Cron":            {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/","cron":"every day"}`, 400, "cron 'every day' cannot be used"},
		"CronTooOften":    {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/","cron":"* * * * *"}`, 400, "at least 10m"},
		"Retention":       {"POST", "/snapshots", `{"snapshot_id":"abc","source_volume_id":"vol","source_volume_path":"/","retention_policy":"keep=2"}`, 400, "retention_policy cannot be used"},
		"Level":           {"POST", "/volumes/vol/permissions", `{"user":"bob","level":"OWNER"}`, 400, "level must be in"},
		"LastAdmin":       {"DELETE", "/volumes/vol/permissions/alice", "", 400, "no ADMIN-capable user"},
		"LowerLastAdmin":  {"POST", "/volumes/vol/permissions", `{"user":"alice","level":"USER"}`, 400, "no ADMIN-capable user"},
		"NoEntry":         {"DELETE", "/volumes/vol/permissions/carol", "", 404, "Could not find permission for volume with username"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := s.call(tc.method, "/v3/pods"+tc.path, token, tc.body)
			if got.status != tc.status || !strings.Contains(strings.Join(got.messages(), "\n"), tc.want) {
				t.Errorf("%d %s, want %d with %q", got.status, got.envelope["message"], tc.status, tc.want)
			}
		})
	}
}

func TestUploadToVolume(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, token := s.as("alice"), s.as("alice").Token()
	s.createVolume(alice, "vol", map[string]string{"dir/file": "old"})
	wantOld := func(t *testing.T) {
		t.Helper()
		if _, text := s.get("/v3/pods/volumes/vol/contents/dir/file", token); text != "old" {
			t.Errorf("the old file is now %q", text)
		}
	}
	file := [2]string{"file", "new"}
	tests := map[string]struct {
		path  string
		parts [][2]string
		want  string
	}{
		"Out":        {"%2e%2e%2fvol2%2ffile", [][2]string{file}, "cannot contain '..'"},
		"Root":       {"", [][2]string{file}, "Requesting no path or / path is not allowed"},
		"OverFolder": {"dir", [][2]string{file}, "folder"},
		"BelowFile":  {"dir/file/x", [][2]string{file}, "dir/file"},
		"NoFile":     {"dir/file", nil, "file is required"},
		"OtherPart":  {"dir/file", [][2]string{{"other", "x"}}, "a part 'other' too many"},
		"TwoFiles":   {"dir/file", [][2]string{file, file}, "a part 'file' too many"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.uploadForm("/v3/pods/volumes/vol/upload/"+tc.path, token, tc.parts...)
			if got.status != 400 || !strings.Contains(strings.Join(got.messages(), "\n"), tc.want) {
				t.Errorf("%d %s, want 400 with %q", got.status, got.envelope["message"], tc.want)
			}
			wantOld(t)
		})
	}
	t.Run("CutOff", func(t *testing.T) {
		req := s.request("POST", "/v3/pods/volumes/vol/upload/dir/file", token, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nne")
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		if got := s.send(req); got.status != 400 || !strings.Contains(got.messages()[0], "ended too early") {
			t.Errorf("a form that was cut off = %d %s", got.status, got.envelope["message"])
		}
		wantOld(t)
	})
	if got := s.uploadForm("/v3/pods/volumes/vol/upload/dir/file", token, file); got.status != 200 {
		t.Errorf("replace = %d %s", got.status, got.envelope["message"])
	}
	if _, text := s.get("/v3/pods/volumes/vol/contents/dir/file", token); text != "new" {
		t.Errorf("the file is %q", text)
	}
}

// TestSizeLimit: what would take a volume past its limit is refused, and what is
// past it already is warned of.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, token := s.as("alice"), s.as("alice").Token()
	if err := alice.Do(t.Context(), "POST", "/v3/pods/volumes", map[string]any{"volume_id": "small", "size_limit": 1}, nil); err != nil {
		t.Fatal(err)
	}
	most := strings.Repeat("x", 700<<10)
	upload := func(name string) answer {
		return s.uploadForm("/v3/pods/volumes/small/upload/"+name, token, [2]string{"file", most})
	}
	if got := upload("one"); got.status != 200 {
		t.Fatalf("the first = %d %s", got.status, got.envelope["message"])
	}
	if got := upload("one"); got.status != 200 {
		t.Errorf("the same again, in its place = %d %s", got.status, got.envelope["message"])
	}
	if got := upload("two"); got.status != 413 || !strings.Contains(got.messages()[0], "size_limit of 1 MB: it holds 0.7 MB") {
		t.Errorf("past the limit = %d %s", got.status, got.envelope["message"])
	}
	for _, name := range []string{"three", "four"} { // as a pod does
		s.write("small", name, most)
	}
	s.measure()
	got := s.call("GET", "/v3/pods/volumes/small", token, "")
	if !strings.Contains(string(got.envelope["metadata"]), "holds 3 MB, more than its size_limit of 1 MB") || !strings.Contains(string(got.envelope["result"]), `"size":3`) {
		t.Errorf("a volume past its limit = %s %s", got.envelope["metadata"], got.envelope["result"])
	}
	if got := s.call("GET", "/v3/pods/volumes", token, ""); !strings.Contains(string(got.envelope["metadata"]), "more than its size_limit") {
		t.Errorf("the list says %s", got.envelope["metadata"])
	}
	if got := upload("one"); got.status != 413 {
		t.Errorf("upload to a volume past its limit = %d %s", got.status, got.envelope["message"])
	}
}

// TestContentsNames: whatever a pod calls a file, the header names it and nothing
// else.
func TestContentsNames(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.createVolume(alice, "vol", nil)
	for _, name := range []string{`a"b`, "naïve.txt", "x\r\nSet-Cookie: a=b", `back\slash`, "semi;colon", "日本", "100%41"} {
		if err := os.WriteFile(filepath.Join(s.base, "dev", "volumes", "vol", name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		resp, text := s.get("/v3/pods/volumes/vol/contents/"+url.PathEscape(name), alice.Token())
		_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
		if text != "x" || err != nil || params["filename"] != name || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q is sent as %q (%v): %q", name, resp.Header.Get("Content-Disposition"), err, text)
		}
	}
}

// TestZip gets a folder, in which a link leads out.
func TestZip(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice := s.as("alice")
	s.createVolume(alice, "vol", map[string]string{"dir/one": "1", "dir/sub/two": "2", "other": "3"})
	if err := os.Symlink("/etc", filepath.Join(s.base, "dev", "volumes", "vol", "dir", "link")); err != nil {
		t.Fatal(err)
	}
	resp, text := s.get("/v3/pods/volumes/vol/contents/dir?zip=true", alice.Token())
	if resp.Header.Get("Content-Type") != "application/zip" || resp.Header.Get("Content-Disposition") != "attachment; filename=dir.zip" {
		t.Errorf("header %v", resp.Header)
	}
	archive, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, entry := range archive.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(r)
		contents[entry.Name] = string(data)
	}
	if contents["dir/one"]+contents["one"] != "1" || len(contents) > 6 {
		t.Errorf("the zip holds %v", contents)
	}
	for name := range contents {
		if strings.Contains(name, "passwd") {
			t.Errorf("the zip leads out: %s", name)
		}
	}
	if resp, _ := s.get("/v3/pods/volumes/vol/contents/dir%2Flink%2Fpasswd", alice.Token()); resp.StatusCode != 400 && resp.StatusCode != 404 {
		t.Errorf("a link that leads out = %d", resp.StatusCode)
	}
	if resp, text := s.get("/v3/pods/volumes/vol/contents/other?zip=true", alice.Token()); resp.StatusCode != 200 || text != "3" {
		t.Errorf("zip of a file = %d %q", resp.StatusCode, text)
	}
}

// TestDeleteWhileMounted goes through both forms of mounts, and those that come
// with a template.
func TestDeleteWhileMounted(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, token := s.as("alice"), s.as("alice").Token()
	s.createVolume(alice, "vol", map[string]string{"file": "x"})
	if got := s.call("POST", "/v3/pods/snapshots", token, `{"snapshot_id":"vol","source_volume_id":"vol","source_volume_path":"/"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.envelope["message"])
	}
	pod := s.mountingPod("mounter", "vol")
	got := s.call("DELETE", "/v3/pods/volumes/vol", token, "")
	if got.status != 409 || !strings.Contains(got.messages()[0], "mounted by pod 'mounter'. Stop that pod") {
		t.Errorf("delete of a mounted volume = %d %s", got.status, got.envelope["message"])
	}
	if got := s.call("DELETE", "/v3/pods/snapshots/vol", token, ""); got.status != 200 {
		t.Errorf("delete of a snapshot with the same id = %d %s", got.status, got.envelope["message"])
	}
	if err := s.store.DeletePod(t.Context(), pod.TenantID, pod.ID, allowAll); err != nil {
		t.Fatal(err)
	}
	if got := s.call("DELETE", "/v3/pods/volumes/vol", token, ""); got.status != 200 {
		t.Errorf("delete once the pod is gone = %d %s", got.status, got.envelope["message"])
	}
}
