package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	json2 "github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	connectTimeout   = 5 * time.Second
	statementTimeout = "15s"
	lockTimeout      = "10s"
	idleTxTimeout    = "30s"
	minPoolSize      = 2 // TryLead holds one connection while its work uses others
)

// Open returns a pool of at most maxConns connections, but no fewer than two,
// to the database at url (libpq's URL or keyword form). It connects when first
// used, so the database need not be up yet. Statements end after 15 s, waits
// for a lock after 10 s, unless url sets other limits.
//
// Errors: KindInternal when url cannot be understood.
func Open(ctx context.Context, url string, maxConns int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}
	config.MaxConns = max(maxConns, minPoolSize)
	config.MinConns = 0
	config.MaxConnLifetimeJitter = 5 * time.Minute
	config.PingTimeout = connectTimeout
	config.ConnConfig.ConnectTimeout = connectTimeout
	setDefault(config.ConnConfig.RuntimeParams, map[string]string{
		"application_name":                    "pods",
		"statement_timeout":                   statementTimeout,
		"lock_timeout":                        lockTimeout,
		"idle_in_transaction_session_timeout": idleTxTimeout,
	})
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		readDocuments(conn.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make the database pool: %w", err)
	}
	return pool, nil
}

// readDocuments has columns of JSON read in half the time that encoding/json
// takes, which goes through each document twice. They are written as before.
func readDocuments(types *pgtype.Map) {
	unmarshal := func(document []byte, to any) error { return json2.Unmarshal(document, to) }
	text := &pgtype.JSONCodec{Marshal: json.Marshal, Unmarshal: unmarshal}
	binary := &pgtype.JSONBCodec{Marshal: json.Marshal, Unmarshal: unmarshal}
	types.RegisterType(&pgtype.Type{Name: "json", OID: pgtype.JSONOID, Codec: text})
	types.RegisterType(&pgtype.Type{Name: "jsonb", OID: pgtype.JSONBOID, Codec: binary})
}

func setDefault(params, defaults map[string]string) {
	for name, value := range defaults {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
}
