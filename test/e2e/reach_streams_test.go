package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/test/suite"
)

// redis returns a client of the Redis behind an entry of the pod cache.
func (v visitor) redis(key string) *redis.Client {
	host := v.host("cache", key)
	to := redis.NewClient(&redis.Options{
		Addr: host + ":443", Password: v.site.password, MaxRetries: -1,
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&tls.Dialer{Config: v.tls(host)}).DialContext(ctx, network, v.way.secure)
		},
	})
	v.Cleanup(func() { _ = to.Close() })
	return to
}

func checkRedis(v visitor) { v.useRedis("default") }

func checkRedisInside(v visitor) { v.useRedis("inside") }

func (v visitor) useRedis(key string) {
	v.Helper()
	to, name := v.redis(key), suite.NewID("key")
	err := suite.Eventually(v.Context(), func() error { return to.Ping(v.Context()).Err() }) // once it listens
	if err != nil {
		v.Fatal(err)
	}
	if err := to.Set(v.Context(), name, "kept", time.Minute).Err(); err != nil {
		v.Fatal(err)
	}
	if got, err := to.Get(v.Context(), name).Result(); err != nil || got != "kept" {
		v.Errorf("Redis says %q, %v", got, err)
	}
}

// checkRedisOutside: the entry beside it, of the same program, works.
func checkRedisOutside(v visitor) {
	v.useRedis("inside")
	if err := v.redis("outside").Ping(v.Context()).Err(); err == nil {
		v.Error("an address that is not in the list is let in")
	}
}

// connect connects to the Postgres behind an entry.
func (v visitor) connect(pod, key, sslmode string) (*pgx.Conn, error) {
	host := v.host(pod, key)
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=443 user=tester password=%s dbname=app sslmode=%s connect_timeout=20", host, v.site.password, sslmode))
	if err != nil {
		v.Fatal(err)
	}
	if sslmode == "verify-full" {
		config.TLSConfig.RootCAs = v.way.roots
	}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	config.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, v.way.secure)
	}
	return pgx.ConnectConfig(v.Context(), config)
}

// usePostgres asks the Postgres behind an entry for something once it takes
// connections, and returns the name in the certificate that its client has seen.
func (v visitor) usePostgres(pod, key, sslmode string) string {
	v.Helper()
	var to *pgx.Conn
	err := suite.Eventually(v.Context(), func() (err error) {
		to, err = v.connect(pod, key, sslmode)
		return err
	})
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = to.Close(context.WithoutCancel(v.Context())) }()
	var who, database string
	err = to.QueryRow(v.Context(), "SELECT current_user, current_database() WHERE $1 = 'kept'", "kept").Scan(&who, &database)
	if err != nil || who != "tester" || database != "app" {
		v.Errorf("Postgres says %q, %q, %v", who, database, err)
	}
	secure, isTLS := to.PgConn().Conn().(*tls.Conn)
	if !isTLS {
		v.Fatal("the connection is not encrypted")
	}
	return secure.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// checkPgx: the certificate is the container's own.
func checkPgx(v visitor) {
	if name := v.usePostgres("db", "postgres", "require"); name != v.site.ids["db"] {
		v.Errorf("the certificate is for %q", name)
	}
}

// checkPostgresEndedHere: the certificate is that of the host, and can be
// checked.
func checkPostgresEndedHere(v visitor) { v.usePostgres("plaindb", "postgres", "verify-full") }

// checkPostgresNeedsTLS: by the other way there is a connection.
func checkPostgresNeedsTLS(v visitor) {
	checkPostgresEndedHere(visitor{v.T, v.site, v.site.ways[0]})
	checkNoPostgres("plaindb", "postgres")(v)
}

// checkPsql connects as docs/networking.md shows it.
func checkPsql(v visitor) {
	host, port, err := net.SplitHostPort(v.way.secure)
	if err != nil {
		v.Fatal(err)
	}
	conninfo := fmt.Sprintf("host=%s hostaddr=%s port=%s user=tester dbname=app sslmode=require connect_timeout=20", v.host("db", "postgres"), host, port)
	err = suite.Poll(v.Context(), time.Second, func() error {
		psql := exec.CommandContext(v.Context(), "psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align",
			"--command", "SELECT 'ssl ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", conninfo)
		psql.Env = append(os.Environ(), "PGPASSWORD="+v.site.password)
		output, err := psql.CombinedOutput()
		if err == nil && strings.TrimSpace(string(output)) != "ssl true" {
			return suite.Fatal(fmt.Errorf("psql prints %q", output))
		}
		if err != nil {
			return fmt.Errorf("psql: %w: %s", err, output)
		}
		return nil
	})
	if err != nil {
		v.Error(err)
	}
}

// checkPostgresRefused: the client is told why, by a SQLSTATE.
func checkPostgresRefused(pod, key, state string) func(visitor) {
	return func(v visitor) {
		to, err := v.connect(pod, key, "require")
		if err == nil {
			_ = to.Close(v.Context())
		}
		if reason, ok := errors.AsType[*pgconn.PgError](err); !ok || reason.Code != state {
			v.Errorf("connecting ends with %v, want %s", err, state)
		}
	}
}

// checkNoPostgres: the connection is closed before a session begins.
func checkNoPostgres(pod, key string) func(visitor) {
	return func(v visitor) {
		to, err := v.connect(pod, key, "require")
		if err == nil {
			_ = to.Close(v.Context())
			v.Error("connecting succeeds")
		}
		if _, isPostgres := errors.AsType[*pgconn.PgError](err); isPostgres {
			v.Errorf("something has answered: %v", err)
		}
	}
}
