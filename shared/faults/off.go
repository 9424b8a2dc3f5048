//go:build !faults

// Package faults marks the points of the program at which tests kill it. A
// normal build holds no code for it: only the build tag "faults" does.
package faults

// Point does nothing in a normal build.
func Point(string) {}
