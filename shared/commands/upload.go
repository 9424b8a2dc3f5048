package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// tidyTimeout bounds the removal of a part of a file.
const tidyTimeout = 10 * time.Second

// The scripts of an upload. Paths reach them as arguments, never as text.
const (
	// receive writes its input to $1 and tells how many bytes are there.
	receive = `mkdir -p -- "$(dirname -- "$1")" && cat > "$1" && wc -c < "$1"`
	// place moves $1 to $2, whose folder is made, by way of $3 beside it: from one
	// file system to the other a file is copied bit by bit. It says so when it has
	// come to its end.
	place = `if [ -d "$2" ]; then echo "$2 is a folder: name the file in it" >&2; exit 21; fi
		mkdir -p -- "$(dirname -- "$2")" && { [ "$1" = "$3" ] || mv -f -- "$1" "$3"; } && mv -f -- "$3" "$2" && echo placed`
	remove = `rm -f -- "$@"`
)

// isFolder is the exit code of place for a destination that is one.
const isFolder = 21

// Upload writes content, whatever its size, to the file part in target, and
// returns how many bytes that were. See PartOf for its name, and Place for what
// comes after; a caller that does not get there should Discard it.
//
// Errors: KindInvalid when the container has no shell, or will not take the
// file; those of content, of the runner and of ctx.
func Upload(ctx context.Context, runner Runner, target Target, part string, content io.Reader) (size int64, err error) {
	counted := &counter{reader: content}
	told, err := shell(ctx, runner, target, counted, receive, part)
	size, failure := counted.state()
	if failure != nil { // the container may have taken a piece for the whole
		err = failure
	}
	if err == nil && strings.TrimSpace(told) != strconv.FormatInt(size, 10) {
		err = pods.Unavailable("The file did not arrive whole. Try again.", fmt.Errorf("%d bytes sent, %q arrived", size, told))
	}
	return size, err
}

// Place moves the part of an upload to its destination, where the file appears
// as a whole.
//
// Errors: as for Upload.
func Place(ctx context.Context, runner Runner, target Target, part, destination string) error {
	told, err := shell(ctx, runner, target, nil, place, part, destination, beside(destination, part))
	if err == nil && told != "placed\n" {
		err = pods.Unavailable("The file did not get to its place. Try again.", fmt.Errorf("the container says %q", told))
	}
	return err
}

// Discard removes what is left of a part that was meant for destination, which
// may be empty, also when ctx has ended.
func Discard(ctx context.Context, runner Runner, target Target, part, destination string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	_, _ = shell(ctx, runner, target, nil, remove, part, beside(destination, part)) // it is in nobody's way
}

// PartOf returns where the part of an upload to destination is kept: beside it,
// or in /tmp while there is no destination.
func PartOf(destination, unique string) string {
	return beside(destination, "/tmp/.upload-"+unique)
}

// beside returns the path of a file of part's name in the folder of destination,
// part itself for an empty one. The path stays as it was written: behind a link,
// ".." is not what it looks like.
func beside(destination, part string) string {
	if destination == "" {
		return part
	}
	folder, _ := path.Split(destination)
	return folder + path.Base(part)
}

// shell runs a script with arguments and returns what it prints.
func shell(ctx context.Context, runner Runner, target Target, stdin io.Reader, script string, arguments ...string) (string, error) {
	stdout, stderr := &output{limit: 4096}, &output{limit: 4096}
	argv := append([]string{"sh", "-c", script, "sh"}, arguments...)
	code, err := runner.Exec(ctx, target, argv, Streams{Stdin: stdin, Stdout: stdout, Stderr: stderr})
	switch {
	case errors.Is(err, ErrNoProgram):
		return "", pods.Invalid("Failed to upload file to pod: its image has no shell (sh), which an upload needs.")
	case err != nil:
		return "", err
	case code == isFolder:
		return "", pods.Invalid("Failed to upload file to pod: %s", strings.TrimSpace(stderr.text()))
	case code != 0:
		return "", pods.Invalid("Failed to upload file to pod: the container says: %s", strings.TrimSpace(stderr.text()))
	}
	return stdout.text(), nil
}

// counter counts what is read, and remembers why that ended too early. A runner
// that has given up may still read.
type counter struct {
	reader io.Reader
	mu     sync.Mutex
	size   int64
	err    error
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

func (c *counter) state() (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size, c.err
}
