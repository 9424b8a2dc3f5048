package pods

import (
	"crypto/rand"
	"regexp"
	"strings"
)

// Credentials are made with a pod, removed with it and never changed.
type Credentials struct {
	UserUsername  string
	UserPassword  string
	AdminUsername string
	AdminPassword string
}

const passwordAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewCredentials returns fresh credentials for a pod: the user's name is the
// pod id, both passwords are 30 random letters and digits.
func NewCredentials(podID string) Credentials {
	return Credentials{
		UserUsername:  podID,
		UserPassword:  randomPassword(30),
		AdminUsername: "podsservice",
		AdminPassword: randomPassword(30),
	}
}

func randomPassword(length int) string {
	password, random := make([]byte, 0, length), make([]byte, 2*length)
	for len(password) < length {
		_, _ = rand.Read(random) // never fails
		for _, b := range random {
			// Six bits are a letter or are dropped, so that each is as likely.
			if i := int(b & 63); i < len(passwordAlphabet) && len(password) < length {
				password = append(password, passwordAlphabet[i])
			}
		}
	}
	return string(password)
}

// placeholder matches the double-bracket forms before the single one, so that
// "<<TAPIS_x>>" leaves no brackets behind.
var placeholder = regexp.MustCompile(`<<(?:TAPIS|tapissecret)_([A-Za-z0-9_]+)>>|<(?:TAPIS|tapissecret)_([A-Za-z0-9_]+)>`)

// Expand replaces the credential placeholders in text. An unknown key becomes
// the empty string.
func (c Credentials) Expand(text string) string {
	if !strings.Contains(text, "<") {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		groups := placeholder.FindStringSubmatch(match)
		return c.value(groups[1] + groups[2])
	})
}

func (c Credentials) value(key string) string {
	switch key {
	case "user_username", "pod_id":
		return c.UserUsername
	case "user_password":
		return c.UserPassword
	case "admin_username", "service_username":
		return c.AdminUsername
	case "admin_password", "service_password":
		return c.AdminPassword
	}
	return ""
}

// ExpandAll returns texts with placeholders replaced, nil for nil.
func (c Credentials) ExpandAll(texts []string) []string {
	if texts == nil {
		return nil
	}
	expanded := make([]string, len(texts))
	for i, text := range texts {
		expanded[i] = c.Expand(text)
	}
	return expanded
}
