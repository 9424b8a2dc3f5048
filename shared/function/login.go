package function

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/oauth"
	"github.com/pods-service/pods/shared/secretfile"
)

// Login says with which key visitors' logins are sealed. Programs that decide
// who may visit pods need it, and all of them the same.
type Login struct {
	LoginKeyFile string `env:"PODS_LOGIN_KEY_FILE,required,notEmpty"` // holds 32 bytes
}

// LoginKey returns the key.
//
// Errors: those of secretfile.ReadKey.
func (l Login) LoginKey() ([login.KeySize]byte, error) { return secretfile.ReadKey(l.LoginKeyFile) }

// Service says how tenants know this service. The program that leads visitors
// through their tenants' logins needs it.
type Service struct {
	ServiceName string `env:"PODS_SERVICE_NAME" envDefault:"pods"`
	// ServiceKeyFile holds the key by which the service gets its own tokens.
	// Without it only tenants with clients in LoginClientsFile have a login.
	ServiceKeyFile string `env:"PODS_SERVICE_KEY_FILE"`
	// LoginClientsFile holds the clients of tenants with an OpenID Connect
	// provider: {"<tenant>": {"client_id": "...", "client_secret": "..."}}.
	LoginClientsFile string `env:"PODS_LOGIN_CLIENTS_FILE"`
}

// Credentials returns the name and the key of the service, with an empty key
// when there is none.
//
// Errors: those of secretfile.Read; an empty file.
func (s Service) Credentials() (oauth.Credentials, error) {
	credentials := oauth.Credentials{ID: s.ServiceName}
	if s.ServiceKeyFile == "" {
		return credentials, nil
	}
	key, err := secretfile.Read(s.ServiceKeyFile)
	if err != nil {
		return credentials, fmt.Errorf("PODS_SERVICE_KEY_FILE: %w", err)
	}
	if credentials.Secret = string(bytes.TrimSpace(key)); credentials.Secret == "" {
		return credentials, errors.New("PODS_SERVICE_KEY_FILE: the file is empty")
	}
	return credentials, nil
}

// LoginClients returns the clients by the IDs of their tenants.
//
// Errors: those of secretfile.Read; a file of another form.
func (s Service) LoginClients() (map[string]oauth.Credentials, error) {
	if s.LoginClientsFile == "" {
		return nil, nil
	}
	text, err := secretfile.Read(s.LoginClientsFile)
	if err != nil {
		return nil, fmt.Errorf("PODS_LOGIN_CLIENTS_FILE: %w", err)
	}
	clients := map[string]oauth.Credentials{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&clients) != nil {
		return nil, errors.New(`PODS_LOGIN_CLIENTS_FILE: the file is not of the form {"<tenant>": {"client_id": "...", "client_secret": "..."}}`)
	}
	for tenant, client := range clients {
		if client.ID == "" {
			return nil, fmt.Errorf("PODS_LOGIN_CLIENTS_FILE: the client of tenant %s has no client_id", tenant)
		}
	}
	return clients, nil
}
