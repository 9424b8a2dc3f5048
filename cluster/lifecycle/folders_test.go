package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/cluster/components"
)

func cluster(t *testing.T) (*Cluster, *bytes.Buffer) {
	t.Helper()
	root := t.TempDir()
	var out bytes.Buffer
	c, err := New(components.Layout{State: filepath.Join(root, "state"), Run: filepath.Join(root, "run")}, &out)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c, &out
}

func TestNewRefusesLongPath(t *testing.T) {
	t.Parallel()

	run := "/run/" + strings.Repeat("x", 100)
	if _, err := New(components.Layout{Run: run}, &bytes.Buffer{}); err == nil {
		t.Error("New accepts a folder whose sockets nobody can open")
	}
}

// A folder someone else uses is neither taken nor emptied.
func TestClaim(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		before  []string // files in the folder; nil for no folder
		wantErr bool
	}{
		"New":       {nil, false},
		"Empty":     {[]string{}, false},
		"OurOwn":    {[]string{ownerFile, "etcd"}, false},
		"Someone's": {[]string{"thesis.tex"}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			folder := filepath.Join(t.TempDir(), "state")
			if tc.before != nil {
				fill(t, folder, tc.before...)
			}
			if err := claim(folder); (err != nil) != tc.wantErr {
				t.Fatalf("claim: %v, want error: %t", err, tc.wantErr)
			}
			if err := checkOwner(folder); (err != nil) != tc.wantErr {
				t.Errorf("checkOwner afterwards: %v, want error: %t", err, tc.wantErr)
			}
		})
	}
}

func TestCleanSparesOthersFolder(t *testing.T) {
	t.Parallel()

	c, _ := cluster(t)
	fill(t, c.layout.State, "thesis.tex")
	if err := c.clean(t.Context()); err == nil {
		t.Error("clean of someone's folder succeeds")
	}
	if _, err := os.Stat(filepath.Join(c.layout.State, "thesis.tex")); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestRemoveFolder(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		kept []string
		want []string
	}{
		"All":     {nil, nil},
		"ButLogs": {[]string{"logs"}, []string{ownerFile, "logs"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			folder := filepath.Join(t.TempDir(), "state")
			fill(t, folder, ownerFile, "etcd", "logs")
			if err := removeFolder(folder, tc.kept...); err != nil {
				t.Fatalf("removeFolder: %v", err)
			}
			entries, err := os.ReadDir(folder)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			var got []string
			for _, entry := range entries {
				got = append(got, entry.Name())
			}
			if strings.Join(got, " ") != strings.Join(tc.want, " ") {
				t.Errorf("left %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRemoveLinks(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	for name, target := range map[string]string{"ours.log": "/state/pod-logs/a/0.log", "theirs.log": "/var/log/pods/a/0.log"} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	removeLinks(filepath.Join(folder, "*.log"), "/state/pod-logs")
	if _, err := os.Lstat(filepath.Join(folder, "ours.log")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("our link is still there: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(folder, "theirs.log")); err != nil {
		t.Errorf("their link is gone: %v", err)
	}
}

func TestRemoveMentions(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	for name, content := range map[string]string{
		"ours": `{"sandbox":"/run/pods-cluster/netns/cni-1"}`, "theirs": `{"sandbox":"/run/netns/cni-2"}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	removeMentions(filepath.Join(folder, "*"), "/run/pods-cluster/netns/")
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != "theirs" {
		t.Errorf("left %v, %v, want theirs alone", entries, err)
	}
}

// Two commands at once take turns, and the one that waits says so.
func TestLock(t *testing.T) {
	t.Parallel()

	c, out := cluster(t)
	unlock, err := c.lock(t.Context())
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.lock(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("lock while locked: %v, want it to wait", err)
	}
	if !strings.Contains(out.String(), "waiting") {
		t.Errorf("nothing says that it waits: %q", out)
	}
	unlock()

	again, err := c.lock(t.Context())
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	again()
	if _, err := os.Stat(c.layout.Run + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock's file is left: %v", err)
	}
}

// Many at once: never do two hold the lock, although each removes its file.
func TestLockManyTimes(t *testing.T) {
	t.Parallel()

	first, _ := cluster(t)
	const holders, rounds = 4, 5
	held := make(chan struct{}, 1)
	problems := make(chan error, holders)
	for range holders {
		go func() {
			c, err := New(first.layout, &bytes.Buffer{})
			for range rounds {
				if err != nil {
					break
				}
				var unlock func()
				if unlock, err = c.lock(t.Context()); err != nil {
					break
				}
				select {
				case held <- struct{}{}:
					<-held
				default:
					err = errors.New("two hold the lock")
				}
				unlock()
			}
			problems <- err
		}()
	}
	for range holders {
		if err := <-problems; err != nil {
			t.Error(err)
		}
	}
}

func TestLogTail(t *testing.T) {
	t.Parallel()

	c, _ := cluster(t)
	log := c.layout.Log("kubelet")
	fill(t, filepath.Dir(log))
	content := strings.Repeat("noise\n", 10000) + strings.Repeat("long", 1000) + "\nthe end\n"
	if err := os.WriteFile(log, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got := c.logTail("kubelet")
	if !strings.Contains(got, log) || !strings.HasSuffix(got, "the end") || strings.Count(got, "\n") != 15+1 || len(got) > 15*310 {
		t.Errorf("logTail = %q", got)
	}
	if got := c.logTail("etcd"); got != "" {
		t.Errorf("logTail of nothing = %q", got)
	}
}

// fill makes a folder with empty files.
func fill(t *testing.T, folder string, files ...string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(folder, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
