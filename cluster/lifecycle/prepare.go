package lifecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/network"
)

// prepare makes all that must be there before the first component starts.
func (c *Cluster) prepare() error {
	for _, folder := range []string{c.layout.State, c.layout.Run} {
		if err := claim(folder); err != nil {
			return err
		}
	}
	for _, folder := range c.layout.Folders() {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make the cluster's folders: %w", err)
		}
	}
	if err := machine.SetSysctls(c.layout.Sysctls()); err != nil {
		return err
	}
	if err := c.group.Child("system").Create(); err != nil {
		return err
	}
	if err := network.EnsureBridge(components.NodeBridge, components.NodeAddress, components.ServiceRange); err != nil {
		return err
	}
	if err := c.layout.WriteCredentials(); err != nil {
		return err
	}
	return c.layout.WriteConfig(machineConfig())
}

// machineConfig finds what the configuration files need to know of the machine.
func machineConfig() components.Config {
	// Where a resolver runs on the machine itself, this names the real servers.
	const behindResolver = "/run/systemd/resolve/resolv.conf"
	config := components.Config{PluginFolder: machine.NetworkPlugins(), ResolvConf: "/etc/resolv.conf"}
	if _, err := os.Stat(behindResolver); err == nil {
		config.ResolvConf = behindResolver
	}
	content, err := os.ReadFile(config.ResolvConf)
	if err != nil {
		config.ResolvConf = os.DevNull
	}
	config.DNSServers = components.DNSServers(string(content))
	return config
}

// ownerFile marks a folder as one that may be deleted with all that is in it.
const ownerFile = ".pods-cluster"

// claim makes the folder and marks it as the cluster's.
func claim(folder string) error {
	if err := checkOwner(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, ownerFile), nil, 0o600); err != nil {
		return fmt.Errorf("mark the cluster's folder: %w", err)
	}
	return nil
}

// checkOwner refuses a folder with anything in it that no cluster has marked.
func checkOwner(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the cluster's folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(folder, ownerFile)); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty and not a cluster's: choose another folder", folder)
	}
	return nil
}
