package servers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// minPostgres is the oldest major version whose features the service uses.
const minPostgres = 14

// packages is where Debian puts each version's programs, by major version.
const packages = "/usr/lib/postgresql"

// findPostgres returns the folder of the programs to run: of the version that
// made data, or, when there is none yet, of the newest.
func findPostgres(data string) (string, error) {
	made, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the database's version: %w", err)
	}
	want, _ := strconv.Atoi(strings.TrimSpace(string(made)))
	installed := installedPostgres()
	for _, candidate := range installed {
		if candidate.version == want || want == 0 && candidate.version >= minPostgres {
			return candidate.dir, nil
		}
	}
	if want != 0 {
		return "", fmt.Errorf("the database in %s was made by PostgreSQL %d, which is missing; "+
			"install it with: apt-get install postgresql-%[2]d", data, want)
	}
	return "", fmt.Errorf("PostgreSQL %d or later is missing; install it with: apt-get install postgresql", minPostgres)
}

type postgresDir struct {
	version int
	dir     string
}

// installedPostgres lists the versions on this machine, newest first.
func installedPostgres() []postgresDir {
	var found []postgresDir
	dirs, _ := filepath.Glob(packages + "/*/bin") // the pattern is well formed
	if inPath, err := exec.LookPath("postgres"); err == nil {
		if program, err := filepath.EvalSymlinks(inPath); err == nil {
			dirs = append(dirs, filepath.Dir(program))
		}
	}
	for _, dir := range dirs {
		output, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // Postgres's own program
		if _, initdb := os.Stat(filepath.Join(dir, "initdb")); err == nil && initdb == nil {
			found = append(found, postgresDir{parseVersion(string(output)), dir})
		}
	}
	slices.SortStableFunc(found, func(a, b postgresDir) int { return cmp.Compare(b.version, a.version) })
	return found
}

// parseVersion reads the major version from "postgres (PostgreSQL) 15.18 (...)".
func parseVersion(output string) int {
	_, number, _ := strings.Cut(output, "(PostgreSQL) ")
	end := strings.IndexFunc(number, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(number)
	}
	version, _ := strconv.Atoi(number[:end])
	return version
}

// initialize makes the database cluster. It becomes visible whole or not at
// all, so that an interrupted start is made good by the next.
func (p *postgres) initialize(ctx context.Context) error {
	fresh := p.data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove a half-made database: %w", err)
	}
	args := []string{"-D", fresh, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=peer"}
	if p.config.Scratch {
		args = append(args, "--no-sync")
	}
	if err := p.finish(ctx, p.program("initdb", args...), "make the database"); err != nil {
		return err
	}
	setUp := p.program("postgres", "--single", "-D", fresh, "postgres")
	setUp.Stdin = strings.NewReader("CREATE ROLE pods LOGIN CREATEDB\nCREATE DATABASE pods OWNER pods\n")
	if err := p.finish(ctx, setUp, "set up the database"); err != nil {
		return err
	}
	if err := os.Rename(fresh, p.data); err != nil {
		return fmt.Errorf("keep the new database: %w", err)
	}
	return nil
}

// finish runs a program to its end; ctx kills it.
func (p *postgres) finish(ctx context.Context, command *exec.Cmd, purpose string) error {
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s: %w", purpose, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = command.Process.Kill() })
	defer stop()
	if err := command.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", purpose, errors.Join(ctx.Err(), err), bytes.TrimSpace(output.Bytes()))
	}
	return nil
}
