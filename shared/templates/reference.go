// Package templates is the domain of pod templates: how a reference names a
// version, and how a pod and the chain of templates below it become one.
package templates

import (
	"regexp"
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

var (
	idPattern        = regexp.MustCompile(`^[a-z][a-z0-9]{2,63}$`)
	tagPattern       = regexp.MustCompile(`^[a-zA-Z0-9.-]{1,80}$`)
	timestampPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}-\d{2}:\d{2}:\d{2}$`)
)

// IsID reports whether a template may have the id.
func IsID(id string) bool { return idPattern.MatchString(id) && id != "tags" }

// IsTag reports whether a tag may be called so.
func IsTag(tag string) bool { return tagPattern.MatchString(tag) }

// Parse reads a reference as users write it.
//
// Errors: KindInvalid saying what is wrong with it.
func Parse(text string) (Reference, error) {
	name, timestamp, hasTimestamp := strings.Cut(text, "@")
	id, tag, hasTag := strings.Cut(name, ":")
	switch {
	case hasTimestamp && !hasTag:
		return Reference{}, pods.Invalid("User specified @timestamp without :tag in template '%s'. Use template:tag@timestamp.", text)
	case strings.Contains(tag, ":"), hasTag && !tagPattern.MatchString(tag), !idPattern.MatchString(id),
		hasTimestamp && !timestampPattern.MatchString(timestamp):
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
