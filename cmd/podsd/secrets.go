package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/shared/auth"
)

// deploySecretsCommand makes what a deployment for development keeps in its
// Secrets and config maps.
func deploySecretsCommand() *cobra.Command {
	var dir, address string
	command := &cobra.Command{
		Use:   "deploy-secrets",
		Short: "Make the keys, certificates and tenants of a deployment for development",
		Long: `Make the keys, certificates and tenants of a deployment for development, as files
in a folder. What is there already is kept, so that a deployment can be repeated.

  tenants.json      tenants dev and dev2 with the public keys of the development issuer
  encryption.key    the key that credentials are encrypted with
  login/login.key   the key that visitors' logins are sealed with
  login/service.key the key by which the development issuer knows the service
  issuer/*.pem      the private keys of the development issuer
  ca/ca.pem         the development CA for visitors over TLS
  ca/ca-key.pem     its key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return deploySecrets(cmd.Context(), dir, address) },
	}
	command.Flags().StringVar(&dir, "dir", "", "folder to write to")
	command.Flags().StringVar(&address, "address", "dev.localhost:8080", "address of the API on the loopback: everybody can log in as anybody")
	_ = command.MarkFlagRequired("dir")
	return command
}

func deploySecrets(ctx context.Context, dir, address string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	config, err := issuer.Development(address, filepath.Join(dir, "issuer"))
	if err != nil {
		return err
	}
	tokens, err := issuer.New(config)
	if err != nil {
		return err
	}
	tenants, err := tokens.Tenants().Tenants(ctx)
	if err != nil {
		return err
	}
	for i := range tenants {
		useAddressOn(&tenants[i], address)
	}
	content, err := auth.EncodeTenants(tenants)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, "tenants.json"), content, 0o644); err != nil {
		return err
	}
	if err := loginSecrets(dir); err != nil {
		return err
	}
	domains := make([]string, len(tenants))
	for i, tenant := range tenants {
		domains[i] = tenant.PodsDomain
	}
	if _, err := certs.Open(certs.Options{Dir: caDir(dir), Domains: domains}); err != nil {
		return fmt.Errorf("development CA: %w", err)
	}
	return nil
}

// useAddressOn makes that address of a tenant its first one at which the API is
// reached from outside, "<tenant>.localhost", if address is of that kind:
// visitors are sent there to log in.
func useAddressOn(tenant *auth.Tenant, address string) {
	host, port, _ := net.SplitHostPort(address)
	if !strings.HasSuffix(host, ".localhost") {
		return
	}
	first, found := tenant.AddressOn(net.JoinHostPort(tenant.ID+".localhost", port))
	if !found || first == tenant.BaseURL {
		return
	}
	others := slices.DeleteFunc(slices.Clone(tenant.AlternateURLs), func(other string) bool { return other == first })
	tenant.AlternateURLs = append(others, tenant.BaseURL)
	tenant.BaseURL = first
}

// loginSecrets writes what logins need, made from the encryption key, which is
// made too if need be.
func loginSecrets(dir string) error {
	encryption, err := encryptionKey(dir)
	if err != nil {
		return err
	}
	key, err := loginKey(encryption)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "login")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	if err := replaceFile(filepath.Join(folder, "login.key"), key[:], 0o600); err != nil {
		return err
	}
	return replaceFile(filepath.Join(folder, "service.key"), []byte(developmentService.Secret), 0o600)
}
