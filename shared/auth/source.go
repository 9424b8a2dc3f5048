package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pods-service/pods/shared/pods"
)

// Source tells which tenants there are and with which keys they sign. A
// Registry asks it again when a token does not fit what it knows.
type Source interface {
	// Tenants returns every tenant. It is never called twice at once by one
	// Registry, and ctx always has a deadline.
	Tenants(ctx context.Context) ([]Tenant, error)
}

// SourceFunc is a function that serves as a Source.
type SourceFunc func(ctx context.Context) ([]Tenant, error)

// Tenants calls f.
func (f SourceFunc) Tenants(ctx context.Context) ([]Tenant, error) { return f(ctx) }

// StaticSource always returns the same tenants.
type StaticSource []Tenant

// Tenants returns s.
func (s StaticSource) Tenants(context.Context) ([]Tenant, error) { return s, nil }

// maxTenantFileBytes bounds a tenants file; a tenant takes about 1 KiB.
const maxTenantFileBytes = 1 << 20

// FileSource reads tenants from the JSON file at its path, anew at each load, so
// that an edited file takes effect without a restart. The file holds
//
//	{"tenants": [{
//	  "tenant_id": "dev", "site_id": "dev",
//	  "base_url": "https://dev.example.org", "alternate_urls": [],
//	  "pods_domain": "pods.dev.example.org",
//	  "issuer": "https://dev.example.org/v3/tokens",
//	  "public_key": "-----BEGIN PUBLIC KEY-----...",
//	  "keys": {"2026": "-----BEGIN PUBLIC KEY-----..."},
//	  "issues_service_tokens": false,
//	  "algorithm": "RS256",
//	  "audience": "", "username_claim": "",
//	  "admin_claim": "", "admin_role": ""
//	}]}
//
// with public_key (a key without an ID), keys (by ID), or both, and with what
// TokenRules says of the last three lines. Only tenant_id, site_id, base_url,
// pods_domain and a key are needed, for a tenant with an audience its issuer
// instead of a key.
type FileSource string

type fileTenant struct {
	TenantID            string            `json:"tenant_id"`
	SiteID              string            `json:"site_id"`
	BaseURL             string            `json:"base_url"`
	AlternateURLs       []string          `json:"alternate_urls"`
	PodsDomain          string            `json:"pods_domain"`
	Issuer              string            `json:"issuer"`
	PublicKey           string            `json:"public_key"`
	Keys                map[string]string `json:"keys"`
	IssuesServiceTokens bool              `json:"issues_service_tokens"`
	Algorithm           string            `json:"algorithm,omitempty"`
	Audience            string            `json:"audience,omitempty"`
	UsernameClaim       string            `json:"username_claim,omitempty"`
	AdminClaim          string            `json:"admin_claim,omitempty"`
	AdminRole           string            `json:"admin_role,omitempty"`
}

// Tenants reads the file. An unknown key in it is an error, because a misspelt
// one would otherwise go unnoticed.
func (s FileSource) Tenants(context.Context) ([]Tenant, error) {
	file, err := os.Open(string(s))
	if err != nil {
		return nil, fmt.Errorf("open tenants file: %w", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxTenantFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read tenants file %s: %w", s, err)
	}
	if len(text) > maxTenantFileBytes {
		return nil, fmt.Errorf("tenants file %s has more than %d bytes", s, maxTenantFileBytes)
	}
	var content struct {
		Tenants []fileTenant `json:"tenants"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&content); err != nil {
		return nil, fmt.Errorf("parse tenants file %s: %w", s, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parse tenants file %s: text after the object", s)
	}
	tenants := make([]Tenant, len(content.Tenants))
	for i, entry := range content.Tenants {
		if tenants[i], err = entry.tenant(); err != nil {
			return nil, fmt.Errorf("tenants file %s: tenant %s: %w", s, entry.TenantID, err)
		}
	}
	return tenants, nil
}

func (f fileTenant) tenant() (Tenant, error) {
	tenant := Tenant{
		Tenant:              pods.Tenant{ID: f.TenantID, SiteID: f.SiteID, PodsDomain: f.PodsDomain},
		BaseURL:             f.BaseURL,
		AlternateURLs:       f.AlternateURLs,
		Issuer:              f.Issuer,
		IssuesServiceTokens: f.IssuesServiceTokens,
		Tokens: TokenRules{
			Algorithm: f.Algorithm, Audience: f.Audience, UsernameClaim: f.UsernameClaim,
			AdminClaim: f.AdminClaim, AdminRole: f.AdminRole,
		},
	}
	texts := make(map[string]string, len(f.Keys)+1)
	for id, text := range f.Keys {
		if id == "" {
			return Tenant{}, errors.New("a key in \"keys\" has no ID")
		}
		texts[id] = text
	}
	if f.PublicKey != "" {
		texts[""] = f.PublicKey
	}
	for id, text := range texts {
		key, err := ParsePublicKey(text)
		if err != nil {
			return Tenant{}, fmt.Errorf("key %q: %w", id, err)
		}
		tenant.Keys = append(tenant.Keys, Key{ID: id, PublicKey: key})
	}
	return tenant, nil
}
