package server_test

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/volumes"
)

// owner is a store with one volume, of alice.
type owner struct{ server.Store }

func (owner) Volume(context.Context, string, string) (volumes.Volume, error) {
	return volumes.Volume{Base: volumes.Base{
		TenantID: "dev", ID: "vol1", SizeLimit: 1, Status: volumes.StatusAvailable,
		Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}},
	}}, nil
}

func (owner) Uploaded(context.Context, volumes.Ref, int64) error { return nil }

type always struct{}

func (always) Authenticate(context.Context, *http.Request) (pods.Caller, error) {
	return pods.Caller{TenantID: "dev", Username: "alice"}, nil
}

// What nobody may learn through vol1: the name and the content of files outside.
const (
	secret  = "the-secret"
	content = "hidden words"
)

// trap is the API on a file system in which links of vol1 lead out of it.
type trap struct {
	api    http.Handler
	base   string
	before map[string]string // what is outside of vol1
}

func newTrap(t testing.TB) *trap {
	t.Helper()
	base := t.TempDir()
	stored, err := files.Open(filepath.Join(base, "share"), files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tenant := filepath.Join(base, "share", "dev", "volumes")
	for _, dir := range []string{"vol1/dir", "vol10", "vol"} {
		must(os.MkdirAll(filepath.Join(tenant, dir), 0o755))
	}
	for _, outside := range []string{filepath.Join(base, secret), filepath.Join(tenant, "vol10", secret), filepath.Join(tenant, "vol", secret)} {
		must(os.WriteFile(outside, []byte(content), 0o600))
	}
	must(os.WriteFile(filepath.Join(tenant, "vol1", "dir", "file"), []byte("open"), 0o600))
	for name, target := range map[string]string{
		"up": "..", "sibling": "../vol10", "absolute": base, "root": "/", "file": "../vol10/" + secret, "dir/deep": "../../vol10/" + secret, "loop": "loop",
	} {
		must(os.Symlink(target, filepath.Join(tenant, "vol1", name)))
	}
	api := server.New(server.Config{
		Store: owner{}, Files: stored, Objects: objects.New(objects.Options{Files: stored}), Logger: slog.New(slog.DiscardHandler),
	})
	handler := api.Handler(rest.Config{Authenticator: always{}, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute}, nil, nil)
	tr := &trap{api: handler, base: base}
	tr.before = tr.outside(t)
	return tr
}

// outside returns all files that are not in vol1, with what is in them.
func (tr *trap) outside(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(tr.base, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasSuffix(path, "/vol1") || entry.Name() == ".staging"):
			return fs.SkipDir
		case entry.Type().IsRegular():
			data, err := os.ReadFile(path)
			found[path] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// do sends a request, whose path may be escaped as it likes.
func (tr *trap) do(method, path, query, body, contentType string) (answer *httptest.ResponseRecorder) {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil
	}
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	r.URL = &url.URL{Path: decoded, RawPath: path, RawQuery: query}
	r.Header.Set("Content-Type", contentType)
	answer = httptest.NewRecorder()
	defer func() { // what is cut short is an answer too
		if cut := recover(); cut != nil && cut != http.ErrAbortHandler { //nolint:errorlint // the very value net/http defines
			panic(cut)
		}
	}()
	tr.api.ServeHTTP(answer, r)
	return answer
}

func uploadBody(t testing.TB) (body, contentType string) {
	t.Helper()
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	part, err := form.CreateFormFile("file", "file")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte("uploaded"))
	_ = form.Close()
	return buffer.String(), form.FormDataContentType()
}

// try goes through all that takes a path and fails t when any of it leads out.
func (tr *trap) try(t *testing.T, path string) {
	t.Helper()
	const volume = "/v3/pods/volumes/vol1/"
	body, contentType := uploadBody(t)
	for what, answer := range map[string]*httptest.ResponseRecorder{
		"contents":  tr.do("GET", volume+"contents/"+path, "", "", ""),
		"zip":       tr.do("GET", volume+"contents/"+path, "zip=true", "", ""),
		"download":  tr.do("GET", volume+"download/"+path, "", "", ""),
		"list":      tr.do("GET", volume+"list", url.Values{"path": {path}}.Encode(), "", ""),
		"unescaped": tr.do("GET", volume+"list", "path="+strings.NewReplacer("&", "", "#", "").Replace(path), "", ""),
		"upload":    tr.do("POST", volume+"upload/"+path, "", body, contentType),
	} {
		if answer == nil {
			continue // no request at all
		}
		text := answer.Body.String()
		decoded, _ := url.PathUnescape(path)
		// An answer may repeat the name that it was asked for.
		tells := strings.Contains(text, content) || strings.Contains(text, secret) && !strings.Contains(decoded, secret)
		isFile := answer.Code == http.StatusOK && answer.Header().Get("Content-Type") == "application/octet-stream"
		if tells || isFile && text != "open" && text != "uploaded" {
			t.Errorf("%s of %q leads out: %d %.200q", what, path, answer.Code, text)
		}
		if answer.Code >= 500 {
			t.Errorf("%s of %q = %d %.200q", what, path, answer.Code, answer.Body)
		}
	}
	after := tr.outside(t)
	for file, text := range tr.before {
		if after[file] != text {
			t.Errorf("%q has changed %s to %q", path, file, after[file])
		}
	}
	if len(after) != len(tr.before) {
		t.Errorf("%q has made files outside: %v", path, after)
	}
}

// hostile are paths that try to get out of vol1, and some that are harmless.
var hostile = []string{
	"", "/", ".", "..", "../", "../vol10", "../vol10/x", "../vol10/the%2dsecret", "%2e%2e", "%2e%2e%2f", "%2e%2e/vol10/the%2Dsecret",
	"..%2fvol10%2fthe%2dsecret", "..%2Fvol%2Fthe%2Dsecret", "a/../../vol10/the%2dsecret", "dir/..%2f..%2fvol10%2fthe%2dsecret", "dir%2f..%2f..",
	"%2fetc%2fpasswd", "/etc/passwd", "%252e%252e%252fvol10", "..%5cvol10", "..%00", "dir%00/../..", "....//", "..;/", ". ./", "%c0%ae%c0%ae/",
	"up", "up/vol10/the%2dsecret", "sibling", "sibling/the%2dsecret", "sibling/new", "absolute", "absolute/the%2dsecret", "absolute/new", "root/etc/hostname",
	"file", "dir/deep", "loop", "loop/x", "dir", "dir/file", "dir/file/x", "dir/./file", "dir//file", "new/folder/file",
	strings.Repeat("a/", 300) + "x", strings.Repeat("x", 300), "\xff\xfe", "nai%cc%88ve",
}

// TestContainment sends every hostile path to everything that takes one.
func TestContainment(t *testing.T) {
	t.Parallel()
	for _, path := range hostile {
		newTrap(t).try(t, path)
	}
}

// FuzzVolumePaths looks for paths that lead out of a volume through the API.
func FuzzVolumePaths(f *testing.F) {
	for _, path := range hostile {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if strings.ContainsAny(path, "\r\n") {
			t.Skip("no request line holds it")
		}
		newTrap(t).try(t, path)
	})
}
