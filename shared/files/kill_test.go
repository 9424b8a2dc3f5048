package files

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asVictim makes the test's own program do one thing over and over until it is
// killed: its value is the thing and the base folder.
const asVictim = "FILES_TEST_VICTIM"

func TestMain(m *testing.M) {
	if work, base, isVictim := strings.Cut(os.Getenv(asVictim), ":"); isVictim {
		victim(work, base)
	}
	os.Exit(m.Run())
}

// victim prints a line for every round, and ends only by a failure.
func victim(work, base string) {
	store, err := Open(base, Options{})
	for round := 0; err == nil; round++ {
		err = victims[work](context.Background(), store, round)
		fmt.Println("round")
	}
	fmt.Println(err)
	os.Exit(1)
}

// block is one piece of the files that victims write; the letter says which
// version it belongs to.
const block = 1 << 10

func version(round int) string { return string(rune('a' + round%26)) }

func content(round, blocks int) io.Reader {
	return strings.NewReader(strings.Repeat(version(round), blocks*block))
}

// manyFiles is how many files there are in what is copied and purged.
const manyFiles = 300

var victims = map[string]func(ctx context.Context, s *Store, round int) error{
	"Write": func(ctx context.Context, s *Store, round int) error {
		if _, err := s.Write(ctx, volume, "same/file", content(round, 300), -1); err != nil {
			return err
		}
		_, err := s.Write(ctx, volume, fmt.Sprintf("new/%d/deep/file", round), content(0, 20), -1)
		return err
	},
	"Create": func(ctx context.Context, s *Store, round int) error {
		return s.Create(ctx, numbered(round))
	},
	"Copy": func(ctx context.Context, s *Store, _ int) error {
		o := Object{"dev", Snapshots, fmt.Sprintf("snap%d", time.Now().UnixNano())}
		_, err := s.Copy(ctx, volume, "", o, "in/here", CopyMode{})
		return err
	},
	"CopyOver": func(ctx context.Context, s *Store, round int) error {
		_, err := s.Copy(ctx, numbered(round%2), "", volume, "into", CopyMode{Over: true})
		return err
	},
	"RemoveAndRestore": func(ctx context.Context, s *Store, _ int) error {
		if err := s.Remove(ctx, volume); err != nil {
			return err
		}
		removed, err := s.Quarantined(ctx)
		if err == nil {
			_, err = s.Restore(ctx, removed[0].Entry)
		}
		return err
	},
	"Purge": func(ctx context.Context, s *Store, round int) error {
		if err := s.Remove(ctx, numbered(round)); err != nil {
			return err
		}
		_, err := s.Purge(ctx, time.Now())
		return err
	},
}

func numbered(round int) Object { return Object{"dev", Volumes, fmt.Sprintf("n%d", round)} }

// Whenever a process is killed, everything is as it was before or as it was
// asked to be, and what is left over goes.
func TestKilled(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(f fixture)
		check   func(f fixture)
	}{
		"Write": {
			func(f fixture) { f.put(volume, "same/file", strings.Repeat("z", block)) },
			func(f fixture) {
				f.wantWhole("same/file")
				found, err := f.list(volume, "", true)
				f.must(err)
				for path := range found {
					if strings.Count(path, "/") == 1 && path != "same/file" {
						f.wantWhole(path + "/deep/file")
					}
				}
			},
		},
		"Create": {func(fixture) {}, func(f fixture) {
			volumes, err := os.ReadDir(filepath.Dir(f.at(volume, "")))
			f.must(err)
			for _, entry := range volumes {
				if info, err := entry.Info(); err != nil || info.Mode() != os.ModeDir|0o777 {
					f.t.Errorf("%s is %v, %v", entry.Name(), info.Mode(), err)
				}
			}
		}},
		"Copy": {
			func(f fixture) { f.fill(volume, "a") },
			func(f fixture) {
				snapshots, err := filepath.Glob(filepath.Join(f.base, "dev", string(Snapshots), "*"))
				f.must(err)
				for _, snapshot := range snapshots {
					wantFilled(f.t, filepath.Join(snapshot, "in", "here"), "a")
				}
			},
		},
		"CopyOver": {
			func(f fixture) {
				f.fill(volume, "into/c")
				for i, letter := range []string{"a", "b"} {
					f.must(f.Create(f.t.Context(), numbered(i)))
					f.fill(numbered(i), letter)
				}
			},
			func(f fixture) {
				for name := range tree(f.t, f.at(volume, "into")) {
					if info, err := os.Stat(f.at(volume, "into/"+name)); err == nil && info.Mode().IsRegular() {
						f.wantWhole("into/" + name)
					}
				}
			},
		},
		"RemoveAndRestore": {
			func(f fixture) { f.fill(volume, "a") },
			func(f fixture) {
				if removed, err := f.Quarantined(f.t.Context()); err != nil || len(removed) > 1 {
					f.t.Errorf("Quarantined = %v, %v", removed, err)
				} else if len(removed) == 1 {
					_, err := f.Restore(f.t.Context(), removed[0].Entry)
					f.must(err)
				}
				wantFilled(f.t, f.at(volume, ""), "a")
			},
		},
		"Purge": {
			func(f fixture) {
				for i := range 24 {
					if err := f.Create(f.t.Context(), numbered(i)); err != nil {
						f.t.Fatal(err)
					}
					f.fill(numbered(i), "a")
				}
			},
			func(f fixture) {
				removed, err := f.Quarantined(f.t.Context())
				f.must(err)
				for _, r := range removed {
					_, err := f.Restore(f.t.Context(), r.Entry)
					f.must(err)
				}
				volumes, err := filepath.Glob(filepath.Join(f.base, "dev", string(Volumes), "n*"))
				f.must(err)
				for _, path := range volumes {
					wantFilled(f.t, path, "a")
				}
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Options{Now: time.Now})
			tc.prepare(f)
			for range 12 {
				kill(t, name, f.base)
				tc.check(f)
			}
			later := time.Now().Add(time.Hour)
			if _, err := f.Sweep(t.Context(), later); err != nil {
				t.Error(err)
			}
			if _, err := f.Purge(t.Context(), time.Time{}); err != nil {
				t.Error(err)
			}
			f.wantClean()
			tc.check(f)
		})
	}
}

// kill runs the victim and ends it at some moment after its first round.
func kill(t *testing.T, work, base string) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asVictim+"="+work+":"+base)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "round" {
		t.Errorf("%s failed: %q", work, lines.Text())
	}
	<-time.After(rand.N(15 * time.Millisecond)) // any moment will do
	_ = command.Process.Kill()
	for lines.Scan() {
		if lines.Text() != "round" {
			t.Errorf("%s failed: %q", work, lines.Text())
		}
	}
	_ = command.Wait()
}

// fill puts many files of the letter that path ends in into the folder that is
// the rest of it.
func (f fixture) fill(o Object, path string) {
	f.t.Helper()
	dir, letter := filepath.Split(path)
	for i := range manyFiles {
		f.put(o, fmt.Sprintf("%s%d/%d", dir, i%7, i), strings.Repeat(letter, block))
	}
}

func wantFilled(t testing.TB, at, letter string) {
	t.Helper()
	files := 0
	for name, content := range tree(t, at) {
		switch content {
		case strings.Repeat(letter, block):
			files++
		case "d":
		default:
			t.Errorf("%s/%s has %d bytes", at, name, len(content))
		}
	}
	if files != manyFiles {
		t.Errorf("%s has %d files of %d", at, files, manyFiles)
	}
}

// wantWhole fails unless the file is all of one version.
func (f fixture) wantWhole(path string) {
	f.t.Helper()
	got := f.content(volume, path)
	if got == "" || len(got)%block != 0 || strings.Trim(got, got[:1]) != "" || len(got) != 300*block && len(got) != 20*block && len(got) != block {
		f.t.Errorf("%s has %d bytes, of which some are not %.1q", path, len(got), got)
	}
}
