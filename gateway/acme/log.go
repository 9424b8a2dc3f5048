package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// loggedFields are what of certmagic's lines is kept: enough to see what it
// does, and nothing that a visitor has sent or that is a secret.
var loggedFields = map[string]bool{
	"identifier": true, "identifiers": true, "server_name": true, "subject": true, "subjects": true,
	"issuer": true, "ca": true, "challenge": true, "challenge_type": true, "expiration": true, "remaining": true,
	"distributed": true, "error": true, "status_code": true,
}

// newLogger returns a logger whose lines go to ours, all as debug: what an
// operator has to know is said by this package, once.
func newLogger(logger *slog.Logger) *zap.Logger { return zap.New(&core{logger: logger}) }

// core implements zapcore.Core.
type core struct {
	logger *slog.Logger
	fields []zapcore.Field
}

func (c *core) Enabled(zapcore.Level) bool {
	return c.logger.Enabled(context.Background(), slog.LevelDebug)
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{logger: c.logger, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	attributes := []slog.Attr{slog.String("component", "acme"), slog.String("severity", entry.Level.String())}
	for _, list := range [][]zapcore.Field{c.fields, fields} {
		for _, field := range list {
			if !loggedFields[field.Key] {
				continue
			}
			encoder := zapcore.NewMapObjectEncoder()
			field.AddTo(encoder)
			attributes = append(attributes, slog.Any(field.Key, encoder.Fields[field.Key]))
		}
	}
	c.logger.LogAttrs(context.Background(), slog.LevelDebug, entry.Message, attributes...)
	return nil
}

func (c *core) Sync() error { return nil }
