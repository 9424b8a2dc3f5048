package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const sysctlRoot = "/proc/sys"

// Kernel settings the cluster needs. A packet between two pods of one bridge
// must pass the packet filter, or answers of a service come from an address
// nobody asked.
var neededSysctls = map[string]string{
	"net/ipv4/ip_forward":                 "1",
	"net/bridge/bridge-nf-call-iptables":  "1",
	"net/bridge/bridge-nf-call-ip6tables": "1",
}

// changedSysctls are settings that Kubernetes changes by itself.
var changedSysctls = []string{
	"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys",
	"kernel/panic", "kernel/panic_on_oops",
	"net/ipv4/conf/all/route_localnet",
	"net/netfilter/nf_conntrack_max",
	"net/netfilter/nf_conntrack_tcp_timeout_close_wait",
	"net/netfilter/nf_conntrack_tcp_timeout_established",
	"vm/overcommit_memory", "vm/panic_on_oom",
}

// SetSysctls sets what the cluster needs, after it noted in the file record how
// things were. A record that is there already is older and stays.
func SetSysctls(record string) error {
	if _, err := os.Stat(record); errors.Is(err, fs.ErrNotExist) {
		if err := recordSysctls(record); err != nil {
			return err
		}
	}
	for name, value := range neededSysctls {
		if err := os.WriteFile(filepath.Join(sysctlRoot, name), []byte(value), 0o644); err != nil { //nolint:gosec // exists
			return fmt.Errorf("set the kernel's %s: %w", strings.ReplaceAll(name, "/", "."), err)
		}
	}
	return nil
}

func recordSysctls(record string) error {
	before := map[string]string{}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(neededSysctls)), changedSysctls) {
		value, err := os.ReadFile(filepath.Join(sysctlRoot, name))
		if err == nil { // a setting this kernel does not have is not changed either
			before[name] = strings.TrimSpace(string(value))
		}
	}
	content, err := json.MarshalIndent(before, "", "  ")
	if err != nil {
		return fmt.Errorf("record kernel settings: %w", err)
	}
	if err := os.WriteFile(record, content, 0o600); err != nil {
		return fmt.Errorf("record kernel settings: %w", err)
	}
	return nil
}

// RestoreSysctls sets everything in the file record back. No record is success.
func RestoreSysctls(record string) error {
	content, err := os.ReadFile(record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the recorded kernel settings: %w", err)
	}
	var before map[string]string
	if err := json.Unmarshal(content, &before); err != nil {
		return fmt.Errorf("recorded kernel settings in %s: %w", record, err)
	}
	var problems []error
	for name, value := range before {
		path := filepath.Join(sysctlRoot, name)
		if current, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(current)) == value {
			continue
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil { //nolint:gosec // exists
			problems = append(problems, fmt.Errorf("set the kernel's %s back: %w", name, err))
		}
	}
	return errors.Join(problems...)
}
