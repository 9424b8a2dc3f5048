package kube

import (
	"context"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/logs"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// OpenLog implements logs.Opener. A name is free for the next run as soon as a
// pod is gone, and Kubernetes opens logs by name alone: the pod is looked at
// before and after, and just if it is the same one both times, the log in
// between was its own. The stream lives as long as ctx.
func (c *Client) OpenLog(ctx context.Context, name string, ref pods.Ref, options logs.Options) (*logs.Stream, error) {
	before, err := c.observeRun(ctx, name, ref, metav1.GetOptions{ResourceVersion: "0"})
	if err != nil {
		return nil, err
	}
	body, err := c.streamLog(ctx, name, options)
	if err != nil {
		return nil, err
	}
	after, err := c.observeRun(ctx, name, ref, metav1.GetOptions{})
	if err == nil && after.ObjectUID != before.ObjectUID {
		err = pods.NotFound("pod %s has been replaced", name)
	}
	if err != nil {
		_ = body.Close() // the error says enough
		return nil, err
	}
	ended := after.State == StateSucceeded || after.State == StateFailed
	return &logs.Stream{ReadCloser: body, Ended: ended}, nil
}

// observeRun returns the pod of that name if it belongs to the run of ref.
func (c *Client) observeRun(ctx context.Context, name string, ref pods.Ref, options metav1.GetOptions) (*Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pod, err := c.api.CoreV1().Pods(c.namespace).Get(ctx, name, options)
	if err != nil {
		return nil, translate(err, "get pod "+name)
	}
	run := observed(pod)
	if !run.IsRun(ref) {
		return nil, pods.NotFound("pod %s belongs to another run", name)
	}
	return &run, nil
}

func (c *Client) streamLog(ctx context.Context, name string, options logs.Options) (io.ReadCloser, error) {
	query := &corev1.PodLogOptions{Container: manifests.ContainerName, Timestamps: true, Follow: options.Follow}
	if !options.Since.IsZero() {
		query.SinceTime = new(metav1.NewTime(options.Since)) // sent in whole seconds, rounded down
	}
	body, err := c.api.CoreV1().Pods(c.namespace).GetLogs(name, query).Stream(ctx)
	if apierrors.IsBadRequest(err) { // it has no node yet, or its container has not started
		return io.NopCloser(strings.NewReader("")), nil
	}
	return body, translate(err, "open log of pod "+name)
}
