package pods_test

import (
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

func TestExpand(t *testing.T) {
	t.Parallel()

	credentials := pods.Credentials{UserUsername: "db", UserPassword: "u$1", AdminUsername: "podsservice", AdminPassword: "adm"}
	tests := map[string]struct{ text, want string }{
		"Single":         {"<TAPIS_user_username>", "db"},
		"Double":         {"<<TAPIS_user_password>>", "u$1"},
		"Secret":         {"<<tapissecret_admin_password>>", "adm"},
		"ServiceName":    {"<<TAPIS_service_username>>/<<TAPIS_service_password>>", "podsservice/adm"},
		"Embedded":       {"neo4j/<<TAPIS_user_password>>!", "neo4j/u$1!"},
		"PodID":          {"<<TAPIS_pod_id>>", "db"},
		"UnknownIsEmpty": {"a<<TAPIS_nothing>>b", "ab"},
		"OtherBrackets":  {"<html> << 1", "<html> << 1"},
		"IdentityStays":  {"<<tapisusername>>", "<<tapisusername>>"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := credentials.Expand(tc.text); got != tc.want {
				t.Errorf("Expand(%q) = %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

func TestNewCredentials(t *testing.T) {
	t.Parallel()

	a, b := pods.NewCredentials("db"), pods.NewCredentials("db")
	if a.UserPassword == b.UserPassword || a.UserPassword == a.AdminPassword {
		t.Error("two passwords are the same")
	}
	if len(a.UserPassword) != 30 || strings.Trim(a.UserPassword, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Error("a password is not 30 letters and digits")
	}
	if a.UserUsername != "db" || a.AdminUsername != "podsservice" {
		t.Errorf("names are %q and %q", a.UserUsername, a.AdminUsername)
	}
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"<TAPIS_user_username>", "<<TAPIS_user_password>>", "<<<TAPIS_x>>>", "<TAPIS_<TAPIS_pod_id>>"} {
		f.Add(seed)
	}
	credentials := pods.Credentials{UserUsername: "u", UserPassword: "p", AdminUsername: "a", AdminPassword: "q"}
	f.Fuzz(func(t *testing.T, text string) {
		got := credentials.Expand(text)
		if !strings.Contains(text, "<") && got != text {
			t.Errorf("Expand(%q) = %q, want it as it was", text, got)
		}
		if len(got) > len(text) {
			t.Errorf("Expand(%q) = %q grew", text, got)
		}
	})
}
