package knative

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

// maxLetters is how many dead letters the API lists at most.
const maxLetters = 1000

func deadLetters(t *testing.T, admin *client.Client) []client.DeadLetter {
	t.Helper()
	list, err := admin.DeadLetters(t.Context(), maxLetters)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// waitLetter waits for the dead letter of an event that failed after a moment.
func waitLetter(t *testing.T, admin *client.Client, eventID string, after time.Time) client.DeadLetter {
	t.Helper()
	var found client.DeadLetter
	err := suite.Eventually(t.Context(), func() error {
		for _, found = range deadLetters(t, admin) {
			if found.EventID == eventID && found.FailedAt.After(after) {
				return nil
			}
		}
		return errors.New("it is no dead letter")
	})
	if err != nil {
		t.Fatalf("event %s: %v", eventID, err)
	}
	return found
}

// TestPoisonedEvent sends the Broker an event that the spawner can make nothing
// of: it becomes a dead letter, which the site's admin finds, has sent again,
// and drops.
func TestPoisonedEvent(t *testing.T) {
	alice, admin := deployed.User(t, "alice"), deployed.User(t, "admin")
	eventID := suite.NewID("poison")
	sendPoison(t, eventID)
	letter := waitLetter(t, admin, eventID, time.Time{})
	if letter.Trigger != "spawner" || letter.EventType != events.TypePodRequested || letter.Reason == "" {
		t.Errorf("the dead letter is %+v", letter)
	}
	_, listed := alice.DeadLetters(t.Context(), 1)
	for verb, err := range map[string]error{
		"list":   listed,
		"resend": alice.ResendDeadLetter(t.Context(), eventID, letter.Trigger),
		"delete": alice.DeleteDeadLetter(t.Context(), eventID, letter.Trigger),
	} {
		if statusOf(err) != http.StatusForbidden {
			t.Errorf("%s as alice: %v, want it forbidden", verb, err)
		}
	}

	if err := admin.ResendDeadLetter(t.Context(), eventID, letter.Trigger); err != nil {
		t.Fatal(err)
	}
	again := waitLetter(t, admin, eventID, letter.FailedAt.Time)
	t.Logf("a dead letter, sent again and refused again %s later: %s",
		again.FailedAt.Sub(letter.FailedAt.Time).Round(time.Millisecond), again.Reason)
	err := suite.Eventually(t.Context(), func() error { // its delivery may not be over
		return admin.DeleteDeadLetter(t.Context(), eventID, letter.Trigger)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range deadLetters(t, admin) {
		if left.EventID == eventID {
			t.Error("a dropped dead letter is still there")
		}
	}
	deployed.WaitSettled(t)
}

// sendPoison has the Broker take an event whose data is none.
func sendPoison(t *testing.T, eventID string) {
	t.Helper()
	ingress, err := deployed.Cluster.CoreV1().Services("knative-eventing").Get(t.Context(), "broker-ingress", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("http://%s/%s/default", ingress.Spec.ClusterIP, service.FunctionsNamespace)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(`"poison"`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {eventID}, "Ce-Source": {"/test"},
		"Ce-Type": {events.TypePodRequested}, "Ce-Subject": {"dev/poison"},
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the Broker answers %s", resp.Status)
	}
}
