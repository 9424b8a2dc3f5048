package pages

import (
	"bytes"
	"encoding/json"
)

// envelope has the keys of the API's answers, so that a client of the API can
// read a pod's status page too.
type envelope struct {
	Message  string            `json:"message"`
	Metadata map[string]string `json:"metadata"`
	Result   any               `json:"result"` // always null
	Status   string            `json:"status"`
	Version  string            `json:"version"`
}

func writeJSON(body *bytes.Buffer, page Page, host, version string) {
	metadata := map[string]string{"state": page.State}
	if host != "" {
		metadata["host"] = host
	}
	answer := envelope{Message: page.Text, Metadata: metadata, Status: "error", Version: version}
	_ = json.NewEncoder(body).Encode(answer) // strings into memory: always encodes
}
