package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A program the cluster needs from the machine and the Debian package it is in.
type tool struct {
	name    string
	folders []string // where to look; empty means the search path
	pkg     string
}

// cniFolders are where distributions and containerd's own releases put the
// network plugins.
var cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}

var tools = []tool{
	{name: "containerd", pkg: "containerd"},
	{name: "containerd-shim-runc-v2", pkg: "containerd"},
	{name: "ctr", pkg: "containerd"},
	{name: "runc", pkg: "runc"},
	{name: "bridge", folders: cniFolders, pkg: "containernetworking-plugins"},
	{name: "host-local", folders: cniFolders, pkg: "containernetworking-plugins"},
	{name: "loopback", folders: cniFolders, pkg: "containernetworking-plugins"},
	{name: "portmap", folders: cniFolders, pkg: "containernetworking-plugins"},
	{name: "iptables-save", pkg: "iptables"},
	{name: "iptables-restore", pkg: "iptables"},
	{name: "ip", pkg: "iproute2"},
	{name: "conntrack", pkg: "conntrack"},
}

// SearchPath is the PATH of every program the cluster starts: the caller's own
// one and the folders of system programs, which some shells leave out.
func SearchPath() string {
	folders := filepath.SplitList(os.Getenv("PATH"))
	for _, folder := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return strings.Join(folders, string(filepath.ListSeparator))
}

// FindTool returns the path of a program in SearchPath, or "".
func FindTool(name string) string {
	return findIn(filepath.SplitList(SearchPath()), name)
}

// NetworkPlugins returns the folder that holds the network plugins, or "".
func NetworkPlugins() string {
	bridge := findIn(cniFolders, "bridge")
	if bridge == "" {
		return ""
	}
	return filepath.Dir(bridge)
}

func findIn(folders []string, name string) string {
	for _, folder := range folders {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// MissingPackages returns the Debian packages whose programs are not installed,
// each once, in a fixed order. It looks for the programs, so that the same
// programs from another source will do.
func MissingPackages() []string {
	var missing []string
	for _, tool := range tools {
		folders := tool.folders
		if len(folders) == 0 {
			folders = filepath.SplitList(SearchPath())
		}
		if findIn(folders, tool.name) == "" && !slices.Contains(missing, tool.pkg) {
			missing = append(missing, tool.pkg)
		}
	}
	return missing
}

// InstallCommand is what a person would type to install the packages.
func InstallCommand(packages []string) string {
	return "apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
}

// Install installs the Debian packages with apt, without letting any of them
// start a service. It reports what it does to progress, at least every ten
// seconds.
func Install(ctx context.Context, packages []string, progress io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return fmt.Errorf("installing packages needs root; as root, run: %s", InstallCommand(packages))
	}
	if FindTool("apt-get") == "" {
		return fmt.Errorf("this machine has no apt-get; install the programs of these Debian packages by other means: %s",
			strings.Join(packages, ", "))
	}
	restore, err := denyServiceStarts(policyPath)
	if err != nil {
		return err
	}
	defer func() {
		if restoreErr := restore(); err == nil {
			err = restoreErr
		}
	}()

	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	_, firstErr := apt(ctx, progress, "installing "+strings.Join(packages, " "), install...)
	if firstErr == nil {
		return nil
	}
	// Most often the package lists are missing or too old.
	if output, err := apt(ctx, progress, "updating the package lists", "update"); err != nil {
		return fmt.Errorf("apt-get update: %w\n%s", err, output)
	}
	if output, err := apt(ctx, progress, "installing again", install...); err != nil {
		return fmt.Errorf("%s: %w\n%s", InstallCommand(packages), err, output)
	}
	return nil
}

// apt runs apt-get and returns the end of what it said.
func apt(ctx context.Context, progress io.Writer, what string, args ...string) (string, error) {
	started := time.Now()
	fmt.Fprintf(progress, "%s ...\n", what)
	done := make(chan struct{})
	defer close(done)
	go func() {
		ticker := time.NewTicker(10 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fmt.Fprintf(progress, "%s: %d s so far\n", what, int(time.Since(started).Seconds()))
			}
		}
	}()

	command := exec.CommandContext(ctx, FindTool("apt-get"), args...) //nolint:gosec // fixed names
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "PATH="+SearchPath())
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	return lastLines(output.String(), 15), err
}

// lastLines returns the last count lines of text.
func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
