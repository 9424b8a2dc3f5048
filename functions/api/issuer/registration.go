package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
)

// How many clients one owner can have in a tenant at once. A service has one for
// each name of a pod.
const (
	maxClientsOfUser    = 50
	maxClientsOfService = 10_000
)

// owner is who has registered a client, as records name them: a user, or a
// service for whomever it acted. The empty one is the configuration.
type owner string

const (
	ofUser    = "user/"
	ofService = "service/"
)

// name returns how the owner is called.
func (o owner) name() string {
	_, name, _ := strings.Cut(string(o), "/")
	return name
}

// most returns how many clients the owner can have.
func (o owner) most() int {
	if strings.HasPrefix(string(o), ofService) {
		return maxClientsOfService
	}
	return maxClientsOfUser
}

// registered is a client with its owner, whose alone it is to see and change.
type registered struct {
	Client
	owner owner
}

// clients are those of one tenant: the configured ones, which belong to nobody,
// and in records the registered ones. It is safe for concurrent use.
type clients struct {
	kind       string // of the records
	configured []Client
	records    Records
}

func newClients(tenantID string, configured []Client, records Records) *clients {
	return &clients{kind: "client/" + tenantID, configured: configured, records: records}
}

// get returns the client with the given ID.
//
// Errors: KindNotFound, KindUnavailable.
func (c *clients) get(ctx context.Context, id string) (registered, error) {
	for _, client := range c.configured {
		if client.ID == id {
			return registered{Client: client}, nil
		}
	}
	record, err := c.records.Record(ctx, c.kind, id)
	if pods.KindOf(err) == pods.KindNotFound {
		return registered{}, noClient(id)
	}
	if err != nil {
		return registered{}, err
	}
	return decode(record)
}

func decode(record cache.Record) (registered, error) {
	client := registered{owner: owner(record.Owner)}
	if err := json.Unmarshal(record.Value, &client.Client); err != nil {
		return registered{}, fmt.Errorf("read client %s: %w", record.Name, err)
	}
	return client, nil
}

// list returns the clients of o, by ID.
//
// Errors: KindUnavailable.
func (c *clients) list(ctx context.Context, o owner) ([]registered, error) {
	records, err := c.records.Records(ctx, c.kind, string(o))
	if err != nil {
		return nil, err
	}
	own := make([]registered, len(records))
	for i, record := range records {
		if own[i], err = decode(record); err != nil {
			return nil, err
		}
	}
	return own, nil
}

// add registers a client.
//
// Errors: KindInvalid for an ID that is taken, in the words that clients look
// for; KindExhausted when its owner has too many; KindUnavailable.
func (c *clients) add(ctx context.Context, client registered) error {
	isConfigured := slices.ContainsFunc(c.configured, func(other Client) bool { return other.ID == client.ID })
	var err error
	if !isConfigured {
		err = c.records.AddRecord(ctx, c.record(client), client.owner.most(), 0)
	}
	switch {
	case isConfigured, pods.KindOf(err) == pods.KindConflict:
		return pods.Invalid("This change would violate uniqueness constraints: there is a client %s already.", client.ID)
	case pods.KindOf(err) == pods.KindExhausted:
		return pods.Exhausted("%s has %d clients, which is the most there can be. Delete one first.", client.owner.name(), client.owner.most())
	}
	return err
}

func (c *clients) record(client registered) cache.Record {
	return cache.Record{Kind: c.kind, Name: client.ID, Owner: string(client.owner), Value: encode(client.Client)}
}

// change gives the client id of o to edit and keeps what that leaves.
//
// Errors: KindNotFound for an ID that is not o's; KindConflict when it is changed
// at the same time; KindUnavailable; those of edit.
func (c *clients) change(ctx context.Context, id string, o owner, edit func(*Client) error) (registered, error) {
	client, err := c.get(ctx, id)
	if err != nil {
		return registered{}, err
	}
	if client.owner != o {
		return registered{}, noClient(id)
	}
	before := c.record(client)
	if err := edit(&client.Client); err != nil {
		return registered{}, err
	}
	return client, c.records.ReplaceRecord(ctx, before, encode(client.Client))
}

// remove forgets the client id of o.
//
// Errors: KindNotFound for an ID that is not o's; KindUnavailable.
func (c *clients) remove(ctx context.Context, id string, o owner) error {
	_, err := c.records.TakeRecord(ctx, c.kind, string(o), id)
	if pods.KindOf(err) == pods.KindNotFound {
		return noClient(id)
	}
	return err
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
