package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// settings are the same for every database of ours. Errors are logged without
// the statement and without details: both can hold what users stored.
const settings = `
listen_addresses = ''
port = 5432
unix_socket_permissions = 0777
max_connections = 100
shared_buffers = 64MB
log_destination = stderr
logging_collector = off
log_line_prefix = '%m [%p] '
log_timezone = UTC
log_error_verbosity = terse
log_min_error_statement = panic
`

// scratchSettings are for data that need not survive a crash of the machine.
const scratchSettings = `
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum_naptime = 1h
max_connections = 500
`

// writeConfiguration replaces what initdb wrote, so that all there is to know
// stands here.
func (p *postgres) writeConfiguration() error {
	me, err := whoami()
	if err != nil {
		return err
	}
	zone := p.config.TimeZone
	if zone == "" {
		zone = "UTC"
	}
	conf := settings + "unix_socket_directories = " + quote(p.sockets) + "\ntimezone = " + quote(zone) + "\n"
	if p.config.Scratch {
		conf += scratchSettings
	}
	files := map[string]string{
		"postgresql.conf": conf,
		"pg_hba.conf":     "local all pods,postgres peer map=pods\n",
		"pg_ident.conf":   fmt.Sprintf("pods %q pods\npods %[1]q postgres\n", me),
	}
	for name, text := range files {
		path := filepath.Join(p.data, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure the database: %w", err)
		}
		if p.account.drops {
			if err := os.Chown(path, p.account.uid, p.account.gid); err != nil {
				return fmt.Errorf("configure the database: %w", err)
			}
		}
	}
	return nil
}

// quote writes a value as postgresql.conf takes it.
func quote(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + "'"
}
