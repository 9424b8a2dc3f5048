// Package e2e tests the whole service as its users meet it, on a real cluster,
// through REST and the gateway, whatever runs it: podsd as a process of its
// own, or with TEST_TARGET=knative what is deployed there.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/pods-service/pods/test/suite"
)

// shared is the service under test. Tests that run at the same time share it,
// so each has pods of its own.
var shared *suite.Suite

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	s, stop, err := suite.Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: "+err.Error())
		return 1
	}
	shared = s
	if code = m.Run(); code != 0 {
		fmt.Fprintln(os.Stderr, s.Log())
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: "+err.Error())
		return 1
	}
	return code
}
