package servers

import (
	"io"
	"os"
	"strings"
)

// tailLines and tailBytes bound how much of a log an error quotes.
const (
	tailLines = 3
	tailBytes = 2 << 10
)

// lastLines returns the end of a log file, for an error.
func lastLines(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = file.Seek(-tailBytes, io.SeekEnd) // from the start if that fails
	}
	text, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], " | ") + " (log: " + path + ")"
}
