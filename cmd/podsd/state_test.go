package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestLockState(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "state")
	release, err := lockState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockState(dir); !errors.Is(err, errRunning) {
		t.Errorf("second lock = %v, want errRunning", err)
	}
	if pid, err := lockHolder(dir); err != nil || pid != os.Getpid() {
		t.Errorf("holder = %d, %v, want this process", pid, err)
	}
	release()
	release, err = lockState(dir)
	if err != nil {
		t.Fatalf("lock after release: %v", err)
	}
	release()
}

func TestEncryptionKey(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	first, err := encryptionKey(dir)
	if err != nil || first == [32]byte{} {
		t.Fatalf("key is zero: %v; error %v", first == [32]byte{}, err)
	}
	if again, err := encryptionKey(dir); err != nil || again != first {
		t.Errorf("the key is not kept: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "encryption.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is readable by others: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "encryption.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := encryptionKey(dir); err == nil {
		t.Error("a damaged key is replaced, which would lose every credential")
	}
}

func TestListenOnBothLoopbacks(t *testing.T) {
	t.Parallel()

	listener, address, err := listen("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "here")
			_ = conn.Close()
		}
	}()
	hosts := []string{"127.0.0.1"}
	if _, isJoined := listener.(*both); isJoined {
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(conn); err != nil || string(data) != "here" {
			t.Errorf("%s answers %q, %v", host, data, err)
		}
		_ = conn.Close()
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
		t.Error("the port is still open after Close")
	}
}
