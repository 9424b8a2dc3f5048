//go:build !race

package proxy_test

// raceDetector reports whether memory is used for finding races.
const raceDetector = false
