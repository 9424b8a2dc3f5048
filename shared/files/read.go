package files

import (
	"context"
	"os"

	"github.com/pods-service/pods/shared/pods"
)

// Read opens the regular file that path leads to. The caller closes it. It is
// the file as it was named: an upload that replaces it meanwhile does not
// change what is read, a container that writes into it does.
//
// Errors: KindInvalid for a path that leads out, for the root, a folder or a
// special file, none of which is opened; KindNotFound; KindForbidden for a file
// that the process may not read.
func (s *Store) Read(_ context.Context, o Object, path string) (*os.File, File, error) {
	clean, err := CleanFilePath(path)
	if err != nil {
		return nil, File{}, err
	}
	at, err := s.resolve(o, clean)
	if err != nil {
		return nil, File{}, err
	}
	defer at.close()
	if at.isFolder() {
		return nil, File{}, pods.Invalid("%q is a folder. Ask for it as a zip.", clean)
	}
	file, stat, err := openHandle(at.handle)
	if err != nil {
		return nil, File{}, pathError(clean, err)
	}
	return file, newFile(clean, stat), nil
}
