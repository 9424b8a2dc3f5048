package function_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/oauth"
)

func secret(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServiceCredentials(t *testing.T) {
	t.Parallel()

	got, err := function.Service{ServiceName: "pods", ServiceKeyFile: secret(t, "key\n")}.Credentials()
	if err != nil || got != (oauth.Credentials{ID: "pods", Secret: "key"}) {
		t.Errorf("credentials %v, %v", got, err)
	}
	if got, err := (function.Service{ServiceName: "pods"}).Credentials(); err != nil || got.Secret != "" {
		t.Errorf("without a file: %v, %v", got, err)
	}
	if _, err := (function.Service{ServiceKeyFile: secret(t, "\n")}).Credentials(); err == nil {
		t.Error("an empty key is taken")
	}
}

func TestLoginClients(t *testing.T) {
	t.Parallel()

	got, err := function.Service{LoginClientsFile: secret(t, `{"far":{"client_id":"a","client_secret":"b"}}`)}.LoginClients()
	if err != nil || got["far"] != (oauth.Credentials{ID: "a", Secret: "b"}) {
		t.Errorf("clients %v, %v", got, err)
	}
	for _, content := range []string{"", "[]", `{"far":{"client_secret":"b"}}`, `{"far":{"client_id":"a","id":"hidden"}}`} {
		_, err := function.Service{LoginClientsFile: secret(t, content)}.LoginClients()
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestLoginKey(t *testing.T) {
	t.Parallel()

	key := bytes.Repeat([]byte{7}, 32)
	got, err := function.Login{LoginKeyFile: secret(t, string(key))}.LoginKey()
	if err != nil || !bytes.Equal(got[:], key) {
		t.Errorf("key %v, %v", got, err)
	}
	if _, err := (function.Login{LoginKeyFile: secret(t, "short")}).LoginKey(); err == nil {
		t.Error("a short key is taken")
	}
}
