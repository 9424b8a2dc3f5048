package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the system user that a server runs as.
type account struct {
	name     string
	uid, gid int
	drops    bool // it is another one than this process's
}

// accountFor returns the user to run a server as: the one of that name when
// this process is root, else its own. pkg is the package that makes the user.
func accountFor(name, pkg string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("the system user %q is missing; install it with: apt-get install %s", name, pkg)
	}
	uid, err1 := strconv.Atoi(found.Uid)
	gid, err2 := strconv.Atoi(found.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return account{}, fmt.Errorf("read the system user %q: %w", name, err)
	}
	return account{name: name, uid: uid, gid: gid, drops: true}, nil
}

// attributes make a child run as the account.
func (a account) attributes() *syscall.SysProcAttr {
	if !a.drops {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{
		Uid: uint32(a.uid), Gid: uint32(a.gid), Groups: []uint32{uint32(a.gid)}, //nolint:gosec // ids of the system are not negative
	}}
}

// own makes dir with that mode and gives it to the account.
func (a account) own(dir string, mode os.FileMode) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if a.drops {
		if err := os.Lchown(dir, a.uid, a.gid); err != nil {
			return fmt.Errorf("give %s to the user %q: %w", dir, a.name, err)
		}
	}
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("set the mode of %s: %w", dir, err)
	}
	return nil
}

// checkAccess makes sure that the account can work in home, a folder in dir:
// it lets others pass through dir and tries.
func (a account) checkAccess(dir, home, program string) error {
	if !a.drops {
		return nil
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // passing through shows nothing
		return fmt.Errorf("let the user %q pass: %w", a.name, err)
	}
	probe := exec.Command(program, "--version")
	probe.Dir, probe.SysProcAttr = home, a.attributes()
	err := probe.Run()
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the user %q cannot enter %s: %s lets nobody but its owner pass; "+
			"choose a folder elsewhere, as /var/lib/pods, or allow it with: chmod o+x %[3]s", a.name, home, closed(dir))
	}
	if err != nil {
		return fmt.Errorf("run %s as the user %q: %w", program, a.name, err)
	}
	return nil
}

// closed returns the topmost folder above dir through which not all may pass,
// or dir's parent when permissions do not tell.
func closed(dir string) string {
	found := filepath.Dir(dir)
	for parent := found; ; parent = filepath.Dir(parent) {
		if info, err := os.Stat(parent); err == nil && info.Mode().Perm()&0o001 == 0 {
			found = parent
		}
		if parent == filepath.Dir(parent) {
			return found
		}
	}
}
