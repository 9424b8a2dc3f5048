package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Save writes id to the file path, for Load to read.
func (id Identity) Save(path string) error {
	content, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("record process %d: %w", id.PID, err)
	}
	// Written aside and renamed, so that a reader never sees half of it.
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return fmt.Errorf("record process %d: %w", id.PID, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("record process %d: %w", id.PID, err)
	}
	return nil
}

// Load reads the identity that Save wrote and checks that its process still
// runs. The error is ErrGone when it does not, or when nothing was recorded.
func Load(path string) (Identity, error) {
	name := filepath.Base(path)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, fmt.Errorf("%s: %w", name, ErrGone)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read the record of a process: %w", err)
	}
	var id Identity
	if err := json.Unmarshal(content, &id); err != nil || !id.Running() {
		return Identity{}, fmt.Errorf("%s: %w", name, ErrGone)
	}
	return id, nil
}
