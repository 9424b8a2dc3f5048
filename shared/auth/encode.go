package auth

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// EncodeTenants returns the content of a file from which FileSource reads the
// tenants as they are here.
//
// Errors: when a key cannot be encoded, or a tenant has two without an ID.
func EncodeTenants(tenants []Tenant) ([]byte, error) {
	var content struct {
		Tenants []fileTenant `json:"tenants"`
	}
	for _, tenant := range tenants {
		entry, err := newFileTenant(tenant)
		if err != nil {
			return nil, fmt.Errorf("encode tenant %s: %w", tenant.ID, err)
		}
		content.Tenants = append(content.Tenants, entry)
	}
	return json.MarshalIndent(content, "", "  ")
}

func newFileTenant(tenant Tenant) (fileTenant, error) {
	entry := fileTenant{
		TenantID: tenant.ID, SiteID: tenant.SiteID, PodsDomain: tenant.PodsDomain,
		BaseURL: tenant.BaseURL, AlternateURLs: tenant.AlternateURLs, Issuer: tenant.Issuer,
		IssuesServiceTokens: tenant.IssuesServiceTokens, Keys: map[string]string{},
		Algorithm: tenant.Tokens.Algorithm, Audience: tenant.Tokens.Audience, UsernameClaim: tenant.Tokens.UsernameClaim,
		AdminClaim: tenant.Tokens.AdminClaim, AdminRole: tenant.Tokens.AdminRole,
	}
	for _, key := range tenant.Keys {
		der, err := x509.MarshalPKIXPublicKey(key.PublicKey)
		if err != nil {
			return fileTenant{}, err
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		switch {
		case key.ID != "":
			entry.Keys[key.ID] = text
		case entry.PublicKey != "":
			return fileTenant{}, fmt.Errorf("it has two keys without an ID")
		default:
			entry.PublicKey = text
		}
	}
	return entry, nil
}
