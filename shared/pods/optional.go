package pods

import "encoding/json"

// Optional is a value that may be absent, as a key may be from a JSON object. In
// a struct field tagged omitzero it is written as its value, or not at all.
type Optional[T any] struct {
	Set   bool
	Value T
}

// Some returns a value that is present.
func Some[T any](value T) Optional[T] { return Optional[T]{Set: true, Value: value} }

// IsZero reports whether the value is absent.
func (o Optional[T]) IsZero() bool { return !o.Set }

// MarshalJSON implements json.Marshaler.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

// UnmarshalJSON implements json.Unmarshaler; null is a value that is present.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	o.Set = true
	return json.Unmarshal(data, &o.Value)
}

func set[T any](field *T, value Optional[T]) {
	if value.Set {
		*field = value.Value
	}
}
