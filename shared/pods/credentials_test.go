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

// FuzzExpand compares with a reading of the text by hand: all that is no
// placeholder stays, byte by byte, and nothing that comes out is read again.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{
		"<TAPIS_user_username>", "<<TAPIS_user_password>>", "<<<TAPIS_x>>>", "<TAPIS_<TAPIS_pod_id>>", "<<tapissecret_admin_password>", "<TAPIS_>",
		"<<TAPIS_service_password>>/<TAPIS_service_username>>", "<tapis_pod_id>", "<TAPIS_pod-id>", "\xff<TAPIS_admin_username>\x00",
	} {
		f.Add(seed)
	}
	credentials := pods.Credentials{UserUsername: "u", UserPassword: "<TAPIS_pod_id>", AdminUsername: "$1", AdminPassword: "q"}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := credentials.Expand(text), expandByHand(credentials, text); got != want {
			t.Errorf("Expand(%q) = %q, want %q", text, got, want)
		}
		if got := credentials.ExpandAll([]string{text, "<TAPIS_pod_id>"}); len(got) != 2 || got[0] != credentials.Expand(text) || got[1] != "u" {
			t.Errorf("ExpandAll gives %q", got)
		}
	})
}

func expandByHand(c pods.Credentials, text string) string {
	values := map[string]string{
		"user_username": c.UserUsername, "pod_id": c.UserUsername, "user_password": c.UserPassword,
		"admin_username": c.AdminUsername, "service_username": c.AdminUsername,
		"admin_password": c.AdminPassword, "service_password": c.AdminPassword,
	}
	var out strings.Builder
	for text != "" {
		if key, length := placeholderAt(text); length > 0 {
			out.WriteString(values[key])
			text = text[length:]
			continue
		}
		out.WriteByte(text[0])
		text = text[1:]
	}
	return out.String()
}

// placeholderAt returns the key of the placeholder that text begins with, and
// the length of the placeholder, 0 for none.
func placeholderAt(text string) (key string, length int) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	for _, brackets := range []string{"<<", "<"} {
		for _, prefix := range []string{"TAPIS_", "tapissecret_"} {
			rest, found := strings.CutPrefix(text, brackets+prefix)
			end := strings.Repeat(">", len(brackets))
			after := strings.TrimLeft(rest, letters)
			if key := rest[:len(rest)-len(after)]; found && key != "" && strings.HasPrefix(after, end) {
				return key, len(text) - len(after) + len(end)
			}
		}
	}
	return "", 0
}
