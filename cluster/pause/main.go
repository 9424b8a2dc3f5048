// Command pause keeps the namespaces of a pod alive. Every pod starts it first
// and ends it last. Where a pod's containers share one process namespace it is
// the parent of every orphan and collects them.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Two channels, so that many ended children cannot push out a request to stop.
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for {
		select {
		case <-stop:
			return
		case <-ended:
			reap()
		}
	}
}

// reap collects every child that has ended. One SIGCHLD can stand for several.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
