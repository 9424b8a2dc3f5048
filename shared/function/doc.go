// Package function is what the programs of the service have in common: their
// settings, what they open, and how they serve, drain and end. A function on
// Knative starts by the dozen and from zero, so nothing here waits before it
// listens: connections are made when they are first used.
package function
