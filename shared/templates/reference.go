// Package templates is the domain of pod templates: how a reference names a
// version, and how a pod and the chain of templates below it become one.
package templates

import (
	"strings"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// DefaultTag is the tag that a reference without one means.
const DefaultTag = "latest"

// timestampLayout is the time part of a tag's timestamp, UTC.
const timestampLayout = "2006-01-02-15:04:05"

// Reference names a version of a template: "id", "id:tag" or
// "id:tag@timestamp".
type Reference struct {
	TemplateID string
	Tag        string
	Timestamp  string // "YYYY-MM-DD-HH:MM:SS" in UTC; empty means the newest
}

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// IsID reports whether a template may have the id: 3 to 64 lower-case letters
// and digits, a letter first, and not a word that stands in paths.
func IsID(id string) bool { return isName(id) && id != "tags" }

func isName(id string) bool {
	return len(id) >= 3 && len(id) <= 64 && strings.Contains(lower, id[:1]) && consistsOf(id, lower+digits)
}

// IsTag reports whether a tag may be called so: 1 to 80 letters, digits, dots and
// hyphens.
func IsTag(tag string) bool {
	return len(tag) >= 1 && len(tag) <= 80 && consistsOf(tag, lower+upper+digits+".-")
}

// consistsOf reports whether text has no other characters than those of set. It
// is a twentieth of the work of a regular expression, with every read of a pod.
func consistsOf(text, set string) bool { return strings.Trim(text, set) == "" }

// isTimestamp reports whether text names a time as Timestamp renders it.
func isTimestamp(text string) bool {
	_, err := TimestampOf(text)
	return err == nil && len(text) == len(timestampLayout)
}

// Parse reads a reference as users write it.
//
// Errors: KindInvalid saying what is wrong with it.
func Parse(text string) (Reference, error) {
	name, timestamp, hasTimestamp := strings.Cut(text, "@")
	id, tag, hasTag := strings.Cut(name, ":")
	switch {
	case hasTimestamp && !hasTag:
		return Reference{}, pods.Invalid("User specified @timestamp without :tag in template '%s'. Use template:tag@timestamp.", text)
	case strings.Contains(tag, ":"), hasTag && !IsTag(tag), !isName(id),
		hasTimestamp && !isTimestamp(timestamp):
		return Reference{}, pods.Invalid("Invalid template format '%s'. Use template, template:tag or template:tag@YYYY-MM-DD-HH:MM:SS.", text)
	}
	if !hasTag {
		tag = DefaultTag
	}
	return Reference{TemplateID: id, Tag: tag, Timestamp: timestamp}, nil
}

// String renders r as Parse reads it, with its tag.
func (r Reference) String() string {
	text := r.TemplateID + ":" + r.Tag
	if r.Timestamp != "" {
		text += "@" + r.Timestamp
	}
	return text
}

// Timestamp renders the time part of a tag made at created.
func Timestamp(created time.Time) string { return created.UTC().Format(timestampLayout) }

// TimestampOf returns the time that a tag's timestamp names.
//
// Errors: for a text that Timestamp would not render.
func TimestampOf(text string) (time.Time, error) {
	return time.ParseInLocation(timestampLayout, text, time.UTC)
}
