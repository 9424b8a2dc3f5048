// Package secretfile reads files that hold a secret and keeps an eye on who
// else can.
package secretfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// KeySize is how many bytes a symmetric key has.
const KeySize = 32

// Read returns the content of the file at path. A file of this process's own,
// or any file for root, must be closed to group and others. One that somebody
// else has put there, as Kubernetes does with a mounted Secret, is theirs to
// protect: its mode cannot be changed from here, and often it must be open to
// be read at all.
//
// Errors: fs.ErrNotExist when there is none; a file of our own that others can
// read or write.
func Read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open secret: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at secret: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 && isOurs(info, os.Geteuid()) {
		return nil, fmt.Errorf("others can read %s (mode %v): chmod 600, or remove it where a new one can be made",
			path, info.Mode().Perm())
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	return data, nil
}

// isOurs reports whether a process of that user may change the mode.
func isOurs(info fs.FileInfo, user int) bool {
	stat, known := info.Sys().(*syscall.Stat_t)
	return !known || user == 0 || int64(stat.Uid) == int64(user)
}

// ReadKey returns the symmetric key in the file at path.
//
// Errors: those of Read; a file of another size than KeySize.
func ReadKey(path string) ([KeySize]byte, error) {
	data, err := Read(path)
	if err != nil {
		return [KeySize]byte{}, err
	}
	if len(data) != KeySize {
		return [KeySize]byte{}, fmt.Errorf("%s has %d bytes, want %d; restore it, or remove it and lose all that was encrypted with it",
			path, len(data), KeySize)
	}
	return [KeySize]byte(data), nil
}
