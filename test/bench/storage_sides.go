package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// storageSide is one side of B10.
type storageSide struct {
	*target
	name     string
	path     string // of the file as the disk has it
	upload   func(ctx context.Context, size int64) (*http.Request, error)
	download makeRequest // of what was uploaded last
}

func newStorageSide(name, address, folder string, upload func(context.Context, int64) (*http.Request, error), download makeRequest) (*storageSide, error) {
	target, err := newTarget(address)
	if err == nil {
		target.client.Timeout = storageTimeout
	}
	return &storageSide{target, name, filepath.Join(folder, storedFile), upload, download}, err
}

// time sends a request and returns how long it took to the end of the answer.
func (s *storageSide) time(ctx context.Context, next makeRequest) (time.Duration, error) {
	start := time.Now()
	err := s.send(ctx, next)
	return time.Since(start), err
}

// storedFile is the name of the file that both sides store.
const storedFile = "file.bin"

// upload returns a request that sends a file into the volume, in the form that
// browsers and the Python client send.
func (u *identity) upload(ctx context.Context, size int64) (*http.Request, error) {
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	if _, err := writer.CreateFormFile("file", storedFile); err != nil {
		return nil, err
	}
	head := bytes.Clone(form.Bytes())
	form.Reset()
	if err := writer.Close(); err != nil {
		return nil, err
	}
	req, err := u.request(ctx, http.MethodPost, "/v3/pods/volumes/"+storageVolume+"/upload/"+storedFile, "")
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head), zeros(size), &form))
	req.ContentLength = int64(len(head)) + size + int64(form.Len())
	req.Header.Set("Content-Type", writer.FormDataContentType())
	return req, nil
}

// download returns a request for the file that was sent.
func (u *identity) download(ctx context.Context) (*http.Request, error) {
	return u.request(ctx, http.MethodGet, "/v3/pods/volumes/"+storageVolume+"/contents/"+storedFile, "")
}

func plainUpload(ctx context.Context, size int64) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+apiHost+"/", io.NopCloser(zeros(size)))
	if err == nil {
		req.ContentLength = size
	}
	return req, err
}

func plainDownload(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, "http://"+apiHost+"/", http.NoBody)
}

// zeros reads as size bytes of zero.
func zeros(size int64) io.Reader { return io.LimitReader(zeroReader{}, size) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// readFiles lists the folder of the list and returns how long the first byte
// and the whole took.
func (s *storageSide) readFiles(ctx context.Context, user *identity, want int) (first, whole time.Duration, err error) {
	req, err := user.request(ctx, http.MethodGet, "/v3/pods/volumes/"+storageVolume+"/list?path="+storageFolder, "")
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	if _, err := body.Peek(1); err != nil {
		return 0, 0, fmt.Errorf("read the first byte of status %d: %w", resp.StatusCode, err)
	}
	first = time.Since(start)
	text, err := io.ReadAll(body)
	if err != nil {
		return 0, 0, err
	}
	if listed := bytes.Count(text, []byte(`"lastModified":`)); resp.StatusCode != http.StatusOK || listed != want {
		return 0, 0, fmt.Errorf("status %d with %d files, want %d", resp.StatusCode, listed, want)
	}
	return first, time.Since(start), nil
}

// filesSide is the baseline of B10.
func filesSide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	path := filepath.Join(settings.Dir, storedFile)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /", func(w http.ResponseWriter, r *http.Request) {
		if err := storePlainly(path, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		file, err := os.Open(path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		defer file.Close()
		_, _ = io.Copy(w, file) // a client that got too little says so
	})
	return serveSide(ctx, mux, nil, ready, noCounts)
}

func storePlainly(path string, content io.Reader) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(file, content); err != nil {
		return err
	}
	return file.Sync()
}
