// Package podsd tests what concerns the service as one process of its own: what
// is killed within it and what it depends on. What any deployment must do is
// tested in e2e.
package podsd

import (
	"fmt"
	"os"
	"testing"

	"github.com/pods-service/pods/test/suite"
)

var program *suite.Program

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if program, err = suite.Build(); err != nil {
		fmt.Fprintln(os.Stderr, "podsd: "+err.Error())
		return 1
	}
	defer func() { _ = program.Remove() }()
	return m.Run()
}
