package network

import (
	"os"
	"strconv"
	"strings"
)

// ListensEverywhere reports whether a program listens on the TCP port at every
// address of this machine.
func ListensEverywhere(port int) bool {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err == nil && listensEverywhere(string(content), port) {
			return true
		}
	}
	return false
}

// listensEverywhere looks into the kernel's list of sockets, where the second
// column is address:port in hexadecimal and the fourth the socket's state.
func listensEverywhere(sockets string, port int) bool {
	const listening = "0A"
	for line := range strings.Lines(sockets) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != listening {
			continue
		}
		address, hexPort, found := strings.Cut(fields[1], ":")
		number, err := strconv.ParseUint(hexPort, 16, 16)
		if found && err == nil && int(number) == port && strings.Trim(address, "0") == "" {
			return true
		}
	}
	return false
}
