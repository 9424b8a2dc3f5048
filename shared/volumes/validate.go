package volumes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// Limits of fields.
const (
	minID            = 3
	maxID            = 128
	maxDescription   = 254
	maxPath          = 1024 // bytes
	DefaultSizeLimit = 1024 // MB
	maxSnapshotLimit = 3072 // MB
	maxVolumeLimit   = 1 << 30
)

// idPattern is what ids may be made of.
var idPattern = regexp.MustCompile(`^[a-z][a-z0-9]+$`)

// reserved are the words that cannot name a volume or a snapshot: they are
// segments of the API's own paths.
var reserved = []string{"usage"}

// Check checks the fields that users set.
//
// Errors: KindInvalid naming every field at fault.
func (v Volume) Check() error {
	c := checker{}
	c.base(KindVolume, v.Base, maxVolumeLimit)
	return pods.InvalidFields(c.errs)
}

// Check checks the fields that users set.
//
// Errors: KindInvalid naming every field at fault.
func (s Snapshot) Check() error {
	c := checker{}
	c.base(KindSnapshot, s.Base, maxSnapshotLimit)
	c.require(s.SourceVolumeID != "", "source_volume_id", "source_volume_id is required")
	c.path("source_volume_path", s.SourceVolumePath)
	if s.SourceVolumePath != "" {
		c.require(strings.HasPrefix(s.SourceVolumePath, "/"), "source_volume_path", "source_volume_path must be an absolute path: '/' is the volume's root")
	}
	c.path("destination_path", s.DestinationPath)
	c.schedule(s)
	return pods.InvalidFields(c.errs)
}

// checker gathers everything wrong with a request.
type checker struct{ errs []pods.FieldError }

func (c *checker) require(ok bool, field, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, pods.FieldError{Location: []string{"body", field}, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) base(kind Kind, b Base, maxLimit int64) {
	field := string(kind) + "_id"
	switch {
	case !idPattern.MatchString(b.ID):
		c.require(false, field, "%s must be lowercase alphanumeric. First character must be alpha.", field)
	case len(b.ID) < minID || len(b.ID) > maxID:
		c.require(false, field, "%s length must be between %d-%d characters. Inputted length: %d", field, minID, maxID, len(b.ID))
	case slices.Contains(reserved, b.ID):
		c.require(false, field, "%s must not be a reserved word: %s", field, strings.Join(reserved, ", "))
	}
	c.require(len(b.Description) <= maxDescription, "description",
		"description field must be less than %d characters. Inputted length: %d", maxDescription+1, len(b.Description))
	c.require(!strings.ContainsFunc(b.Description, func(r rune) bool { return r > 127 || r == 0 }), "description",
		"description field may only contain ASCII characters")
	c.require(b.SizeLimit >= 1 && b.SizeLimit <= maxLimit, "size_limit",
		"size_limit must be between 1 and %d MB. Received: %d", maxLimit, b.SizeLimit)
}

// path checks a path as far as that can be done without its files.
func (c *checker) path(field, path string) {
	c.require(len(path) <= maxPath, field, "%s must be at most %d bytes", field, maxPath)
	c.require(!strings.Contains(path, "\x00"), field, "%s cannot contain a NUL byte", field)
	c.require(!slices.Contains(strings.Split(path, "/"), ".."), field, "%s cannot contain '..'", field)
}
