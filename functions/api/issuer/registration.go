package issuer

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/pods-service/pods/shared/pods"
)

// How many clients one owner can have in a tenant at once. A service has one for
// each name of a pod.
const (
	maxClientsOfUser    = 50
	maxClientsOfService = 10_000
)

// owner is who has registered a client: a user, or a service for whomever it
// acted. The zero value is the configuration.
type owner struct {
	name      string
	isService bool
}

// most returns how many clients the owner can have.
func (o owner) most() int {
	if o.isService {
		return maxClientsOfService
	}
	return maxClientsOfUser
}

// registered is a client with its owner, whose alone it is to see and change.
type registered struct {
	Client
	owner owner
}

// clients are those of one tenant, configured or registered, in memory: after a
// restart the registered ones are gone. It is safe for concurrent use.
type clients struct {
	mu   sync.RWMutex
	byID map[string]registered
}

// newClients returns the configured clients, which belong to nobody.
func newClients(configured []Client) *clients {
	c := &clients{byID: map[string]registered{}}
	for _, client := range configured {
		c.byID[client.ID] = registered{Client: client}
	}
	return c
}

// get returns the client with the given ID, or false.
func (c *clients) get(id string) (registered, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	client, found := c.byID[id]
	return client, found
}

// list returns the clients of o, by ID.
func (c *clients) list(o owner) []registered {
	c.mu.RLock()
	defer c.mu.RUnlock()
	own := []registered{}
	for _, client := range c.byID {
		if client.owner == o {
			own = append(own, client)
		}
	}
	slices.SortFunc(own, func(a, b registered) int { return cmp.Compare(a.ID, b.ID) })
	return own
}

// add registers a client.
//
// Errors: KindInvalid for an ID that is taken, in the words that clients look
// for; KindExhausted when its owner has too many.
func (c *clients) add(client registered) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.byID[client.ID]; taken {
		return pods.Invalid("This change would violate uniqueness constraints: there is a client %s already.", client.ID)
	}
	count := 0
	for _, other := range c.byID {
		if other.owner == client.owner {
			count++
		}
	}
	if count >= client.owner.most() {
		return pods.Exhausted("%s has %d clients, which is the most there can be. Delete one first.", client.owner.name, count)
	}
	c.byID[client.ID] = client
	return nil
}

// change gives the client id of o to edit and keeps what that leaves.
//
// Errors: KindNotFound for an ID that is not o's; those of edit.
func (c *clients) change(id string, o owner, edit func(*Client) error) (registered, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	client, found := c.byID[id]
	if !found || client.owner != o {
		return registered{}, noClient(id)
	}
	if err := edit(&client.Client); err != nil {
		return registered{}, err
	}
	c.byID[id] = client
	return client, nil
}

// remove forgets the client id of o.
//
// Errors: KindNotFound for an ID that is not o's.
func (c *clients) remove(id string, o owner) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client, found := c.byID[id]; !found || client.owner != o {
		return noClient(id)
	}
	delete(c.byID, id)
	return nil
}

func noClient(id string) error {
	return pods.NotFound("Client with identifier client_id: '%s' not found", id)
}

// reservedFor returns the service that alone can register a client with the given
// ID, or "": nobody else is to take the IDs that PODS-SERVICE-<name> stands for
// before the service pods does.
func (i *Issuer) reservedFor(id string) string {
	for _, service := range i.config.Services {
		if strings.HasPrefix(strings.ToUpper(id), strings.ToUpper(service.ID)+"-SERVICE-") {
			return service.ID
		}
	}
	return ""
}
