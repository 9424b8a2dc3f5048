package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pods-service/pods/shared/pods"
)

var podResource = schema.GroupResource{Resource: "pods"}

func forbidden(text string) error {
	return apierrors.NewForbidden(podResource, "db", errors.New(text))
}

func terminatingNamespace() error {
	err := forbidden("unable to create new content in namespace pods because it is being terminated")
	status := err.(*apierrors.StatusError) //nolint:errorlint // made one line above
	status.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	return err
}

func TestTranslate(t *testing.T) {
	t.Parallel()

	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "db",
		field.ErrorList{field.Required(field.NewPath("spec", "image"), "")})
	tests := map[string]struct {
		err     error
		want    pods.Kind
		message string // in what the user is told
	}{
		"NotFound":     {apierrors.NewNotFound(podResource, "db"), pods.KindNotFound, "db"},
		"Taken":        {apierrors.NewAlreadyExists(podResource, "db"), pods.KindConflict, "db"},
		"Conflict":     {apierrors.NewConflict(podResource, "db", errors.New("uid")), pods.KindConflict, "uid"},
		"Invalid":      {invalid, pods.KindInvalid, "spec.image"},
		"BadRequest":   {apierrors.NewBadRequest("no such field"), pods.KindInvalid, "no such field"},
		"Quota":        {forbidden("exceeded quota: pods, requested: pods=1"), pods.KindExhausted, "refused the pod: exceeded quota: pods"},
		"PodSecurity":  {forbidden(`violates PodSecurity "baseline:latest"`), pods.KindForbidden, "PodSecurity"},
		"LimitRange":   {forbidden("maximum cpu usage per Container is 1"), pods.KindForbidden, "maximum cpu"},
		"NoAccount":    {forbidden(`error looking up service account pods/default: serviceaccount "default" not found`), pods.KindUnavailable, unavailable},
		"NoRights":     {forbidden(`User "x" cannot create resource "pods"`), pods.KindUnavailable, unavailable},
		"NamespaceEnd": {terminatingNamespace(), pods.KindUnavailable, unavailable},
		"Unauthorized": {apierrors.NewUnauthorized("token"), pods.KindUnavailable, unavailable},
		"TooMany":      {apierrors.NewTooManyRequests("slow down", 1), pods.KindUnavailable, unavailable},
		"ServerError":  {apierrors.NewInternalError(errors.New("etcd")), pods.KindUnavailable, unavailable},
		"ServerSlow":   {apierrors.NewServerTimeout(podResource, "create", 1), pods.KindTimeout, tooSlow},
		"Deadline":     {fmt.Errorf("call: %w", context.DeadlineExceeded), pods.KindTimeout, tooSlow},
		"NetTimeout":   {&url.Error{Op: "Get", Err: &net.DNSError{IsTimeout: true}}, pods.KindTimeout, tooSlow},
		"Refused":      {&url.Error{Op: "Get", Err: syscall.ECONNREFUSED}, pods.KindUnavailable, unavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := translate(tc.err, "create pod db")
			if got := pods.KindOf(err); got != tc.want {
				t.Fatalf("kind %q (%v), want %q", got, err, tc.want)
			}
			if told, _ := errors.AsType[*pods.Error](err); !strings.Contains(told.Message, tc.message) {
				t.Errorf("the user is told %q, want %q in it", told.Message, tc.message)
			}
			if !errors.Is(err, tc.err) || !strings.Contains(err.Error(), "create pod db") {
				t.Errorf("%v does not lead back to its cause", err)
			}
		})
	}
	if err := translate(nil, "nothing"); err != nil {
		t.Errorf("translate(nil) = %v", err)
	}
}

func TestTranslateShortensMessage(t *testing.T) {
	t.Parallel()

	err := translate(apierrors.NewBadRequest(strings.Repeat("ü", 4000)), "create")
	told, _ := errors.AsType[*pods.Error](err)
	if len(told.Message) > maxMessage+100 || strings.ContainsRune(told.Message, '�') {
		t.Errorf("message has %d bytes: %q", len(told.Message), told.Message)
	}
}

func conflict() error { return apierrors.NewConflict(podResource, "db", errors.New("uid differs")) }

func outage() error { return &url.Error{Op: "Get", Err: syscall.ECONNREFUSED} }
