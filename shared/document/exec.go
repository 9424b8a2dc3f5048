package document

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Limits of one request to run commands.
const (
	maxCommands       = 100
	maxArgumentBytes  = 64 << 10 // of one command, all arguments
	defaultTotal      = 300      // seconds
	defaultPerCommand = 60       // seconds
	// MaxExec is the longest time that all commands of one request may take.
	MaxExec = 50 * time.Minute
)

// Exec is a list of commands to run one after the other.
type Exec struct {
	Commands       [][]string
	IsFlat         bool // one command was sent, not a list of them
	TotalTimeout   time.Duration
	CommandTimeout time.Duration
	// FailOnNonSuccess says that a command that fails is the last.
	FailOnNonSuccess bool
}

// ExecCommands reads the body of a request that runs commands: a list of strings
// is one command, a list of lists several.
//
// Errors: KindInvalid naming every field at fault.
func ExecCommands(data []byte) (Exec, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	e := Exec{FailOnNonSuccess: true}
	e.Commands, e.IsFlat = o.commands("commands")
	e.TotalTimeout = o.seconds("total_timeout", defaultTotal)
	e.CommandTimeout = o.seconds("command_timeout", defaultPerCommand)
	set(&e.FailOnNonSuccess, o.flag("fail_on_non_success"))
	o.close()
	return e, pods.InvalidFields(errs)
}

// seconds reads a time from 1 s to MaxExec.
func (o object) seconds(key string, standard int64) time.Duration {
	value := o.number(key)
	if !value.Set {
		return time.Duration(standard) * time.Second
	}
	longest := int64(MaxExec / time.Second)
	if value.Value < 1 || value.Value > longest {
		o.fail(key, "%s must be from 1 to %d seconds. Received: %d", key, longest, value.Value)
		return 0
	}
	return time.Duration(value.Value) * time.Second
}

func (o object) commands(key string) (commands [][]string, isFlat bool) {
	raw, found := o.take(key)
	if !found {
		o.fail(key, "%s is required", key)
		return nil, false
	}
	flat, isFlat := stringList(raw)
	if isFlat && len(flat) > 0 {
		commands = [][]string{flat}
	} else if !isFlat {
		commands = o.commandList(key, raw)
	}
	if len(commands) == 0 && isFlat {
		o.fail(key, "%s cannot be empty: send a list of strings, one command, or a list of such lists", key)
	}
	for _, command := range commands {
		o.checkCommand(key, command)
	}
	return commands, isFlat
}

func (o object) commandList(key string, raw json.RawMessage) [][]string {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || len(items) == 0 {
		o.fail(key, "%s must be a list of strings or a list of lists of strings", key)
		return nil
	}
	if len(items) > maxCommands {
		o.fail(key, "%s may hold at most %d commands", key, maxCommands)
		return nil
	}
	commands := make([][]string, len(items))
	for i, item := range items {
		command, ok := stringList(item)
		if !ok {
			o.fail(key, "%s must be a list of strings or a list of lists of strings", key)
			return nil
		}
		commands[i] = command
	}
	return commands
}

func (o object) checkCommand(key string, command []string) {
	size := 0
	for _, argument := range command {
		size += len(argument)
	}
	switch {
	case len(command) == 0 || command[0] == "":
		o.fail(key, "%s cannot hold an empty command", key)
	case size > maxArgumentBytes:
		o.fail(key, "each of %s must be at most %d bytes", key, maxArgumentBytes)
	case strings.Contains(strings.Join(command, ""), "\x00"):
		o.fail(key, "%s cannot contain a NUL byte", key)
	}
}
