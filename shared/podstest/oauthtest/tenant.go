// Package oauthtest is the login of a tenant for tests: strict about what it is
// sent, and able to fail as tests want it to.
package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
)

// The service that may register clients.
const (
	ServiceName = "pods"
	ServiceKey  = "service-key"
)

// Client is what the tenant knows of a client.
type Client struct {
	ID       string `json:"client_id"`
	Key      string `json:"client_key"`
	Callback string `json:"callback_url"`
	Name     string `json:"display_name"`
}

// Tenant serves the endpoints of a tenant below /v3/. Visitors who come to
// authorize are logged in at once.
type Tenant struct {
	t     testing.TB
	token func(user string) string

	mu      sync.Mutex
	user    string
	fail    map[string]int // HTTP statuses by paths
	clients map[string]Client
	codes   map[string]url.Values // the queries they were given for
	counts  map[string]int        // of requests, by method and path
	service int                   // the number of the service token that counts
}

// New returns a Tenant whose visitors are alice. token makes access tokens.
func New(t testing.TB, token func(user string) string) *Tenant {
	return &Tenant{
		t: t, token: token, user: "alice", fail: map[string]int{}, clients: map[string]Client{},
		codes: map[string]url.Values{}, counts: map[string]int{},
	}
}

// LogIn makes user the visitor who comes next.
func (o *Tenant) LogIn(user string) { o.set(func() { o.user = user }) }

// Fail answers a path with status from now on; 0 ends that.
func (o *Tenant) Fail(path string, status int) { o.set(func() { o.fail[path] = status }) }

// Forget ends what is known of clients and service tokens.
func (o *Tenant) Forget() {
	o.set(func() { o.clients = map[string]Client{}; o.service++ })
}

// Put registers a client.
func (o *Tenant) Put(client Client) { o.set(func() { o.clients[client.ID] = client }) }

// Client returns what is known of a client.
func (o *Tenant) Client(id string) Client {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clients[id]
}

// Count returns how often "METHOD path" was asked for.
func (o *Tenant) Count(request string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts[request]
}

func (o *Tenant) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// ServeHTTP implements http.Handler.
func (o *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts[r.Method+" "+r.URL.Path]++
	if status := o.fail[r.URL.Path]; status != 0 {
		refuse(w, status, "The tenant fails as it was told to.")
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v3/tokens", o.serviceToken)
	mux.HandleFunc("POST /v3/oauth2/clients", o.createClient)
	mux.HandleFunc("PUT /v3/oauth2/clients/{id}", o.updateClient)
	mux.HandleFunc("GET /v3/oauth2/authorize", o.authorize)
	mux.HandleFunc("POST /v3/oauth2/tokens", o.exchange)
	mux.ServeHTTP(w, r)
}

func (o *Tenant) serviceToken(w http.ResponseWriter, r *http.Request) {
	if name, key, _ := r.BasicAuth(); name != ServiceName || key != ServiceKey {
		refuse(w, http.StatusUnauthorized, "Invalid service credentials.")
		return
	}
	var wanted struct {
		Username   string `json:"token_username"`
		TenantID   string `json:"token_tenant_id"`
		Account    string `json:"account_type"`
		TargetSite string `json:"target_site_id"`
	}
	if json.NewDecoder(r.Body).Decode(&wanted) != nil || wanted.Username != ServiceName || wanted.TenantID == "" ||
		wanted.Account != "service" || wanted.TargetSite == "" {
		refuse(w, http.StatusBadRequest, "Not a request for a service token.")
		return
	}
	answer(w, map[string]any{"access_token": map[string]any{"access_token": o.serviceTokenText(), "expires_in": 86400}})
}

func (o *Tenant) serviceTokenText() string { return "service-token-" + strconv.Itoa(o.service) }

// isService reports whether the service sends a request for a tenant, and
// refuses others.
func (o *Tenant) isService(w http.ResponseWriter, r *http.Request) bool {
	isService := r.Header.Get("X-Tapis-Token") == o.serviceTokenText() && r.Header.Get("X-Tapis-Tenant") != "" && r.Header.Get("X-Tapis-User") != ""
	if !isService {
		refuse(w, http.StatusUnauthorized, "Invalid Tapis token.")
	}
	return isService
}

func (o *Tenant) createClient(w http.ResponseWriter, r *http.Request) {
	var client Client
	switch {
	case !o.isService(w, r):
	case json.NewDecoder(r.Body).Decode(&client) != nil || client.ID == "" || client.Key == "" || client.Callback == "":
		refuse(w, http.StatusBadRequest, "Not a client.")
	case o.clients[client.ID] != Client{}:
		refuse(w, http.StatusBadRequest, "This change would violate uniqueness constraints; there is such a client.")
	default:
		o.clients[client.ID] = client
		answer(w, client)
	}
}

func (o *Tenant) updateClient(w http.ResponseWriter, r *http.Request) {
	client, change := o.clients[r.PathValue("id")], Client{}
	switch {
	case !o.isService(w, r):
	case client.ID == "":
		refuse(w, http.StatusNotFound, "There is no such client.")
	case json.NewDecoder(r.Body).Decode(&change) != nil || change.ID != "" || change.Key != "":
		refuse(w, http.StatusBadRequest, "Only callback_url and display_name can be changed.")
	default:
		client.Callback, client.Name = change.Callback, change.Name
		o.clients[client.ID] = client
		answer(w, client)
	}
}

func (o *Tenant) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	client := o.clients[query.Get("client_id")]
	if client.ID == "" || query.Get("redirect_uri") != client.Callback || query.Get("response_type") != "code" ||
		query.Get("code_challenge_method") != "S256" {
		refuse(w, http.StatusBadRequest, "Not a login of a client that is known.")
		return
	}
	code := "code" + strconv.Itoa(len(o.codes))
	o.codes[code] = query
	back := client.Callback + "?" + url.Values{"code": {code}, "state": {query.Get("state")}}.Encode()
	http.Redirect(w, r, back, http.StatusFound)
}

func (o *Tenant) exchange(w http.ResponseWriter, r *http.Request) {
	id, key, _ := r.BasicAuth()
	client, given := o.clients[id], o.codes[r.FormValue("code")]
	delete(o.codes, r.FormValue("code"))
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case client.ID == "" || key != client.Key:
		refuse(w, http.StatusUnauthorized, "Invalid client credentials.")
	case r.FormValue("grant_type") != "authorization_code" || given == nil || given.Get("client_id") != id ||
		r.FormValue("redirect_uri") != given.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != given.Get("code_challenge"):
		refuse(w, http.StatusBadRequest, "The code is not good.")
	default:
		answer(w, map[string]any{"access_token": map[string]any{"access_token": o.token(o.user)}})
	}
}

func answer(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"result": result, "status": "success"})
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"message": message, "status": "error"})
}
