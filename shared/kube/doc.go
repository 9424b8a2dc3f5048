// Package kube makes the calls to Kubernetes: it takes finished objects and
// knows what the API server's answers mean. Every error it returns is a
// pods.Error; every call may be repeated.
package kube
