// Command hello is a small server to run in a pod. With an argument it prints
// the argument and ends.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Println("said", os.Args[1])
		return
	}
	fmt.Println("hello is up")
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	port := "80" // without root
	if knative := os.Getenv("PORT"); knative != "" {
		port = knative
	}
	fmt.Println(http.ListenAndServe(":"+port, nil))
}
