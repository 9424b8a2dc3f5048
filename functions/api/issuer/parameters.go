package issuer

import (
	"encoding/json"
	"mime"
	"net/url"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// maxTokenRequestBytes bounds the body of a request for tokens; the longest
// parameter is a refresh token of about 1 KiB.
const maxTokenRequestBytes = 16 << 10

// parameters are those of a request for tokens, from a form or a JSON object.
// Any that the grant does not know are ignored (RFC 6749 section 3.2).
type parameters map[string]string

// parameterNames are the ones that some grant reads.
var parameterNames = []string{"grant_type", "username", "password", "refresh_token", "code", "redirect_uri", "code_verifier"}

// readParameters reads the body of req.
//
// Errors: KindInvalid, KindTooLarge. None quotes a value.
func readParameters(req *rest.Request) (parameters, error) {
	mediaType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	isForm := mediaType == "application/x-www-form-urlencoded"
	if mediaType != "application/json" && !isForm {
		return nil, invalidBody("the request needs Content-Type: application/json or application/x-www-form-urlencoded")
	}
	body, err := req.ReadBody(maxTokenRequestBytes)
	if err != nil {
		return nil, err
	}
	if isForm {
		return formParameters(string(body))
	}
	return jsonParameters(body)
}

// readLogin reads the form of the login page.
//
// Errors: KindInvalid, KindTooLarge.
func readLogin(req *rest.Request) (parameters, error) {
	mediaType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if mediaType != "application/x-www-form-urlencoded" {
		return nil, invalidBody("the request needs Content-Type: application/x-www-form-urlencoded")
	}
	body, err := req.ReadBody(maxTokenRequestBytes)
	if err != nil {
		return nil, err
	}
	return formParameters(string(body))
}

func jsonParameters(body []byte) (parameters, error) {
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return nil, invalidBody("expected a JSON object")
	}
	read, wrong := parameters{}, []pods.FieldError{}
	for _, name := range parameterNames {
		switch value := object[name].(type) {
		case nil:
		case string:
			read[name] = value
		default:
			wrong = append(wrong, field(name, "must be a string"))
		}
	}
	return read, pods.InvalidFields(wrong)
}

func formParameters(body string) (parameters, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, invalidBody("the form is not well-formed")
	}
	read, wrong := parameters{}, []pods.FieldError{}
	for _, name := range parameterNames {
		if len(form[name]) > 1 {
			wrong = append(wrong, field(name, "must be there once"))
		}
		read[name] = form.Get(name)
	}
	return read, pods.InvalidFields(wrong)
}

// need reports every one of names that is missing or empty.
func (p parameters) need(names ...string) error {
	var missing []pods.FieldError
	for _, name := range names {
		if p[name] == "" {
			missing = append(missing, field(name, "is required"))
		}
	}
	return pods.InvalidFields(missing)
}

func field(name, problem string) pods.FieldError {
	return pods.FieldError{Location: []string{"body", name}, Message: name + " " + problem}
}

func invalidBody(message string) error {
	return pods.InvalidFields([]pods.FieldError{{Location: []string{"body"}, Message: message}})
}
