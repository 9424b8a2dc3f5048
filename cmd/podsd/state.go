package main

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/oauth"
	"github.com/pods-service/pods/shared/secretfile"
)

// addresses is where the parts of a running service listen, as it writes it
// into its state folder.
type addresses struct {
	API          string `json:"api"`           // URL
	GatewayHTTP  string `json:"gateway_http"`  // host:port
	GatewayHTTPS string `json:"gateway_https"` // host:port
}

// errRunning says that another process holds the state folder.
var errRunning = errors.New("the service is already running")

// lockState takes the state folder for this process until it ends.
//
// Errors: errRunning while another process has it.
func lockState(dir string) (release func(), err error) {
	// The database runs as another user and has to pass through.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // passing through shows nothing
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w (state in %s)", errRunning, dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	// The number of the process that holds the lock, for `podsd stop`.
	if err := errors.Join(lock.Truncate(0), writePID(lock)); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("write %s: %w", lock.Name(), err)
	}
	return func() { _ = lock.Close() }, nil
}

func writePID(lock *os.File) error {
	_, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return err
}

// lockHolder returns the number of the process that holds the state folder.
func lockHolder(dir string) (int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "lock"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

func addressFile(dir string) string { return filepath.Join(dir, "addresses.json") }

func writeAddresses(dir string, a addresses) error {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode addresses: %w", err)
	}
	return replaceFile(addressFile(dir), data, 0o644)
}

func readAddresses(dir string) (addresses, error) {
	var a addresses
	data, err := os.ReadFile(addressFile(dir))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(data, &a)
}

// encryptionKey returns the key that credentials are encrypted with, made at
// the first start.
func encryptionKey(dir string) (key [secretfile.KeySize]byte, err error) {
	path := filepath.Join(dir, "encryption.key")
	if key, err = secretfile.ReadKey(path); !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	_, _ = rand.Read(key[:]) // never fails
	return key, replaceFile(path, key[:], 0o600)
}

// loginKey derives the key that visitors' logins are sealed with from that of
// credentials.
func loginKey(encryption [secretfile.KeySize]byte) (key [login.KeySize]byte, err error) {
	derived, err := hkdf.Key(sha256.New, encryption[:], nil, "pods login key", login.KeySize)
	if err != nil {
		return key, fmt.Errorf("derive the login key: %w", err)
	}
	return [login.KeySize]byte(derived), nil
}

// developmentService is what the development issuer knows this service as.
var developmentService = oauth.Credentials{ID: "pods", Secret: "pods"}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return nil
}
