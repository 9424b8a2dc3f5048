package api

import "time"

// Time is a moment as the API writes it: UTC, microseconds, no offset.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(`"` + t.UTC().Format(timeLayout) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	parsed, err := time.ParseInLocation(`"`+timeLayout+`"`, string(data), time.UTC)
	t.Time = parsed
	return err
}
