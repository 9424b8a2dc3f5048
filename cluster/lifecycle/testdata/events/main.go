// Command events takes CloudEvents and says which types it has seen.
package main

import (
	"fmt"
	"net/http"
	"sync"
)

func main() {
	var mutex sync.Mutex
	seen := map[string]int{}
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		seen[r.Header.Get("Ce-Type")]++
		w.WriteHeader(http.StatusAccepted)
	})
	http.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		fmt.Fprintln(w, seen)
	})
	fmt.Println(http.ListenAndServe(":80", nil))
}
