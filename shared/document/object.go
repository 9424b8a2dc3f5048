// Package document reads the JSON and YAML forms in which pods and templates
// are sent and shipped. Objects are closed, every problem is reported at once,
// and numbers may come as text, as forms in web interfaces send them.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// object is one JSON object being read. Problems are gathered in errs, which
// nested objects share.
type object struct {
	location []string
	fields   map[string]json.RawMessage
	read     map[string]bool
	errs     *[]pods.FieldError
}

// parse reads data as an object at location. It returns an object without
// fields when data is not one, and reports that.
func parse(data []byte, location []string, errs *[]pods.FieldError) object {
	o := object{location: location, read: map[string]bool{}, errs: errs}
	if err := json.Unmarshal(data, &o.fields); err != nil || o.fields == nil {
		o.fail("", "%s", notAnObject(err))
	}
	return o
}

// parseList reads data as a list of objects at location.
func parseList(data []byte, location []string, errs *[]pods.FieldError) []object {
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil || entries == nil {
		*errs = append(*errs, pods.FieldError{Location: location, Message: "expected a JSON array of objects"})
		return nil
	}
	list := make([]object, len(entries))
	for i, entry := range entries {
		list[i] = parse(entry, append(slices.Clone(location), strconv.Itoa(i)), errs)
	}
	return list
}

func notAnObject(err error) string {
	if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // json.Unmarshal returns it unwrapped
		return fmt.Sprintf("not valid JSON at byte %d: %s", syntax.Offset, syntax)
	}
	return "expected a JSON object (a dict with string keys)"
}

// fail reports what is wrong with a field, or with the object itself when key
// is empty.
func (o object) fail(key, format string, args ...any) {
	*o.errs = append(*o.errs, pods.FieldError{Location: o.at(key), Message: fmt.Sprintf(format, args...)})
}

func (o object) at(key string) []string {
	if key == "" {
		return o.location
	}
	return append(slices.Clone(o.location), key)
}

// take returns the raw value of a field and notes that the field is known.
func (o object) take(key string) (json.RawMessage, bool) {
	o.read[key] = true
	raw, found := o.fields[key]
	return raw, found
}

// close reports the fields that nobody asked for.
func (o object) close() {
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		if !o.read[key] {
			o.fail(key, "%s is not a known field (extra fields not permitted)", key)
		}
	}
}

// field reads a field with decode; what decode cannot read is reported as not
// being want.
func field[T any](o object, key, want string, decode func(json.RawMessage) (T, bool)) pods.Optional[T] {
	raw, found := o.take(key)
	if !found {
		return pods.Optional[T]{}
	}
	value, ok := decode(raw)
	if !ok {
		o.fail(key, "%s must be %s", key, want)
		return pods.Optional[T]{}
	}
	return pods.Some(value)
}

// text reads a string.
func (o object) text(key string) pods.Optional[string] {
	return field(o, key, "a string", strictString)
}

// texts reads a list of strings; null gives nil.
func (o object) texts(key string) pods.Optional[[]string] {
	return field(o, key, "a list of strings", func(raw json.RawMessage) ([]string, bool) {
		if isNull(raw) {
			return nil, true
		}
		return stringList(raw)
	})
}

// list reads a list of strings that cannot be null.
func (o object) list(key string) pods.Optional[[]string] {
	return field(o, key, "a list of strings", stringList)
}

// textMap reads an object whose values are strings.
func (o object) textMap(key string) pods.Optional[map[string]string] {
	return field(o, key, "a dict of strings", func(raw json.RawMessage) (map[string]string, bool) {
		var items map[string]json.RawMessage
		if json.Unmarshal(raw, &items) != nil || items == nil {
			return nil, false
		}
		texts := make(map[string]string, len(items))
		for name, item := range items {
			text, ok := strictString(item)
			if !ok {
				return nil, false
			}
			texts[name] = text
		}
		return texts, true
	})
}

// flag reads a boolean, also as the text "true" or "false".
func (o object) flag(key string) pods.Optional[bool] {
	return field(o, key, "a boolean", func(raw json.RawMessage) (bool, bool) {
		value, err := strconv.ParseBool(strings.ToLower(strings.Trim(string(raw), `"`)))
		return value, err == nil
	})
}

// number reads an integer, also as text; an empty text counts as absent.
func (o object) number(key string) pods.Optional[int64] {
	if raw, found := o.fields[key]; found && isEmptyText(raw) {
		o.take(key)
		return pods.Optional[int64]{}
	}
	return field(o, key, "an integer", integer)
}

// numberOrNull reads an integer or null; an empty text counts as absent.
func (o object) numberOrNull(key string) pods.Optional[*int64] {
	if raw, found := o.fields[key]; found && isNull(raw) {
		o.take(key)
		return pods.Some[*int64](nil)
	}
	value := o.number(key)
	if !value.Set {
		return pods.Optional[*int64]{}
	}
	return pods.Some(&value.Value)
}

// objects reads an object of objects, each handed to decode with its key.
// Null values are handed on as they are when nullable.
func (o object) objects(key string, nullable bool, decode func(key string, entry *object)) bool {
	raw, found := o.take(key)
	if !found {
		return false
	}
	var entries map[string]json.RawMessage
	if json.Unmarshal(raw, &entries) != nil || entries == nil {
		o.fail(key, "%s must be a dict", key)
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if nullable && isNull(entries[name]) {
			decode(name, nil)
			continue
		}
		entry := parse(entries[name], append(o.at(key), name), o.errs)
		decode(name, &entry)
		entry.close()
	}
	return true
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func isEmptyText(raw json.RawMessage) bool {
	text, ok := strictString(raw)
	return ok && strings.TrimSpace(text) == ""
}

func strictString(raw json.RawMessage) (string, bool) {
	var text string
	if isNull(raw) || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, true
}

func stringList(raw json.RawMessage) ([]string, bool) {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || items == nil {
		return nil, false
	}
	texts := make([]string, len(items))
	for i, item := range items {
		text, ok := strictString(item)
		if !ok {
			return nil, false
		}
		texts[i] = text
	}
	return texts, true
}

// integer reads 5, 5.0, "5" and " 5 ", but neither 5.5 nor true.
func integer(raw json.RawMessage) (int64, bool) {
	text := string(bytes.TrimSpace(raw))
	if quoted, ok := strictString(raw); ok {
		text = strings.TrimSpace(quoted)
	}
	if value, err := strconv.ParseInt(text, 10, 64); err == nil {
		return value, true
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value != float64(int64(value)) || value > 1<<53 || value < -(1<<53) {
		return 0, false
	}
	return int64(value), true
}
