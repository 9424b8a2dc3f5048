package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/shared/auth"
)

func TestDeploySecrets(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "secrets")
	if err := deploySecrets(t.Context(), dir, "dev.localhost:8080"); err != nil {
		t.Fatal(err)
	}
	names := []string{"tenants.json", "encryption.key", "login/login.key", "login/service.key", "issuer/dev.pem", "issuer/dev2.pem", "ca/ca.pem", "ca/ca-key.pem"}
	first := map[string][]byte{}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		first[name] = data
	}
	if err := deploySecrets(t.Context(), dir, "dev.localhost:8080"); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(data, first[name]) {
			t.Errorf("%s is not kept: %v", name, err)
		}
	}

	registry, err := auth.NewRegistry(t.Context(), auth.FileSource(filepath.Join(dir, "tenants.json")), auth.RegistryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"dev.localhost:8080": "dev", "localhost:8080": "dev", "dev2.localhost:8080": "dev2", "127.0.0.1:8080": "dev2",
	} {
		if tenant, found := registry.TenantByHost(host); !found || tenant.ID != want {
			t.Errorf("%s is tenant %q, want %s", host, tenant.ID, want)
		} else if tenant.BaseURL != "http://"+want+".localhost:8080" || tenant.Issuer == "" {
			t.Errorf("visitors log in at %s of the issuer %q", tenant.BaseURL, tenant.Issuer)
		}
	}
	if key, err := encryptionKey(dir); err != nil || !bytes.Equal(key[:], first["encryption.key"]) {
		t.Errorf("the encryption key cannot be used: %v", err)
	}
	if len(first["login/login.key"]) != 32 || bytes.Equal(first["login/login.key"], first["encryption.key"]) {
		t.Error("the login key is none of its own")
	}
	config, err := issuer.Development("dev.localhost:8080", filepath.Join(dir, "issuer"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := issuer.New(config); err != nil {
		t.Errorf("the issuer's keys cannot be used: %v", err)
	}
	if _, err := certs.Open(certs.Options{Dir: filepath.Join(dir, "ca"), Domains: registry.Domains()}); err != nil {
		t.Errorf("the CA cannot be used: %v", err)
	}
}

func TestDeploySecretsRefusesOtherAddresses(t *testing.T) {
	t.Parallel()

	for _, address := range []string{"pods.example.org:443", "0.0.0.0:8080", "localhost"} {
		if err := deploySecrets(t.Context(), t.TempDir(), address); err == nil {
			t.Errorf("%s is taken, where everybody could log in as anybody", address)
		}
	}
}
