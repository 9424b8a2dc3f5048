package rest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sessionWords are those by which web interfaces log their user out.
var sessionWords = regexp.MustCompile(`(?i)token|401|unauthorized|unauthenticated|invalid_credentials`)

// TestSessionWords: errors about the login have one of the words, all others
// have none, whatever users call their things.
func TestSessionWords(t *testing.T) {
	t.Parallel()

	router := newRouter(nil, time.Minute)
	for _, text := range []string{"token", "myTokens401", "Unauthorized", "UNAUTHENTICATED", "invalid_credentials", "pod"} {
		for _, kind := range []string{"forbidden", "missing", "conflict", "down", "invalid", "field", "internal"} {
			w, message := do(t, router, "alice", http.MethodGet, "/fail/"+kind+"/"+text, nil)
			if sessionWords.MatchString(message) {
				t.Errorf("%s %s: %d %q ends the session", kind, text, w.Code, message)
			}
			if kind != "internal" && !strings.Contains(strings.ReplaceAll(message, "\u200b", ""), text) {
				t.Errorf("%s %s: %q does not name it", kind, text, message)
			}
		}
	}
	if _, message := do(t, router, "alice", http.MethodGet, "/fail/missing/pod", nil); message != "There is no pod." {
		t.Errorf("message %q is not as it was", message)
	}
	if _, message := do(t, router, "alice", http.MethodGet, "/tokens", nil); sessionWords.MatchString(message) {
		t.Errorf("the error for a path that is not there, %q, ends the session", message)
	}
	for user, path := range map[string]string{"": "/fail/missing/pod", "stranger": "/fail/missing/pod", "alice": "/fail/refused/alice"} {
		if w, message := do(t, router, user, http.MethodGet, path, nil); !sessionWords.MatchString(message) {
			t.Errorf("user %q: %d %q does not end the session", user, w.Code, message)
		}
	}
}

// The functions that make errors for users, by whether a login is to blame.
var (
	aboutLogin = []string{"Unauthenticated", "unauthenticated", "refuse"}
	aboutElse  = []string{"Invalid", "Forbidden", "NotFound", "Conflict", "TooLarge", "Exhausted", "Unavailable", "Timeout", "invalidBody"}
)

// TestTextsInTheCode reads the texts of errors in the code of the service.
func TestTextsInTheCode(t *testing.T) {
	t.Parallel()

	files, texts := token.NewFileSet(), 0
	check := func(path string, node ast.Expr, login bool) {
		for _, text := range literals(node) {
			texts++
			if has := strings.Contains(text, "token"); login && !has {
				t.Errorf("%s: %s is about the login and does not say \"token\"", files.Position(node.Pos()), text)
			}
			// What makes a caller out of a token may speak of it whatever the kind.
			if !login && sessionWords.MatchString(text) && !strings.Contains(path, filepath.Join("shared", "auth")) {
				t.Errorf("%s: %s would end the user's session", files.Position(node.Pos()), text)
			}
		}
	}
	for _, part := range []string{"shared", "functions", "gateway", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", "..", part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.Contains(path, "podstest") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(node ast.Node) bool {
				switch node := node.(type) {
				case *ast.CallExpr:
					name := lastName(node.Fun)
					login := slices.Contains(aboutLogin, name)
					if !login && !slices.Contains(aboutElse, name) {
						break
					}
					for _, argument := range node.Args {
						check(path, argument, login)
					}
				case *ast.CompositeLit:
					kind, message := fields(node)
					// Within a list the type is left out.
					if message != nil && slices.Contains([]string{"Error", "FieldError", ""}, lastName(node.Type)) {
						check(path, message, kind != nil && lastName(kind) == "KindUnauthenticated")
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if texts < 60 {
		t.Errorf("only %d texts were found; the test looks for them in the wrong way", texts)
	}
}

// literals returns the texts that are written in an expression and long enough
// to be messages, not names.
func literals(node ast.Expr) (texts []string) {
	ast.Inspect(node, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.Contains(literal.Value, " ") {
			texts = append(texts, literal.Value)
		}
		return true
	})
	return texts
}

// fields returns the values of Kind and Message in a composite literal.
func fields(literal *ast.CompositeLit) (kind, message ast.Expr) {
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch fmt.Sprint(pair.Key) {
		case "Kind":
			kind = pair.Value
		case "Message":
			message = pair.Value
		}
	}
	return kind, message
}

// lastName returns the name of a function or type without its package.
func lastName(node ast.Expr) string {
	switch node := node.(type) {
	case *ast.Ident:
		return node.Name
	case *ast.SelectorExpr:
		return node.Sel.Name
	}
	return ""
}
