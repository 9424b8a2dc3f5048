package files

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/pods-service/pods/shared/pods"
)

// Limits of Linux, in bytes.
const (
	maxPath = 4095
	maxName = 255
)

// CleanPath returns the path below an object's root that p names: without
// slashes at the ends, without empty parts and dots, and "" for the root. A
// slash in front means the root, as it does for a container that mounts it.
// What an upload's or a request's path is encoded in is for the caller to
// decode, once.
//
// Errors: KindInvalid for a path that leads out of the root, that holds a NUL,
// or that is longer or deeper than a path can be.
func CleanPath(p string) (string, error) {
	if strings.ContainsRune(p, 0) {
		return "", pods.Invalid("A path cannot contain the character NUL.")
	}
	if len(p) > maxPath {
		return "", pods.Invalid("The path is longer than %d bytes.", maxPath)
	}
	clean := path.Clean(strings.TrimLeft(p, "/"))
	if clean == "." {
		return "", nil
	}
	parts := strings.Split(clean, "/")
	if parts[0] == ".." {
		return "", pods.Invalid("The path leads out: it cannot contain '..' that lead above the root.")
	}
	if len(parts) > MaxDepth {
		return "", pods.Invalid("The path is deeper than %d folders.", MaxDepth)
	}
	for _, part := range parts {
		if len(part) > maxName {
			return "", pods.Invalid("A name in the path is longer than %d bytes.", maxName)
		}
	}
	return clean, nil
}

// CleanFilePath is CleanPath for a path that names something in the object and
// not its root.
//
// Errors: KindInvalid as CleanPath, and for the root.
func CleanFilePath(p string) (string, error) {
	clean, err := CleanPath(p)
	if err == nil && clean == "" {
		err = pods.Invalid("Requesting no path or / path is not allowed. Name a file or folder below it.")
	}
	return clean, err
}

// cleanNewPath is CleanFilePath for something that is to be made. It refuses
// what containers may make for themselves: names that lists cannot show, and
// backslashes, which on other systems part folders.
func cleanNewPath(p string) (string, error) {
	if !utf8.ValidString(p) {
		return "", pods.Invalid("The path is not valid UTF-8.")
	}
	if strings.Contains(p, `\`) {
		return "", pods.Invalid(`The path contains a backslash. Folders are parted by '/'.`)
	}
	return CleanFilePath(p)
}

// join returns the path of name in the folder at dir, where "" is the root.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
