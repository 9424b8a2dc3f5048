// Package knative tests what only the deployment on Knative has: functions that
// scale, sources of events, a Broker that may fail. Its tests take parts of the
// deployment away, so they run one after another, as root on the only node of
// a local cluster.
package knative

import (
	"context"
	"fmt"
	"os"
	"testing"

	"k8s.io/client-go/dynamic"

	"github.com/pods-service/pods/test/suite"
)

var (
	deployed *suite.Suite
	objects  dynamic.Interface // for Knative's kinds
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "knative: "+err.Error())
		return 1
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, deployed.Log())
	}
	return code
}

func prepare(ctx context.Context) error {
	config, err := suite.Config()
	if err != nil {
		return err
	}
	if objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	deployed, err = suite.Deployed(ctx)
	return err
}
