package servers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketDir is how long a socket's folder may be: the kernel takes paths of
// 107 bytes, and the longest name in it has 20.
const maxSocketDir = 86

// socketDir returns the folder of a server's socket: in its home, or, where
// the path would be too long, a short one that is the same at each start.
func socketDir(home string) string {
	if dir := filepath.Join(home, "run"); len(dir) <= maxSocketDir {
		return dir
	}
	sum := sha256.Sum256([]byte(home))
	return "/tmp/pods-" + hex.EncodeToString(sum[:8])
}

// makeSocketDir makes a socket's folder and gives it to the account.
func makeSocketDir(dir string, a account, mode os.FileMode) error {
	if err := a.own(dir, mode); err != nil {
		return err
	}
	// In /tmp, anybody could have made it before us.
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != a.uid {
		return fmt.Errorf("%s is not a folder of ours; remove it", dir)
	}
	return nil
}
