package server

import (
	"context"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"os"
	"path"
	"time"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/rest"
)

// listVolumeFiles serves GET /pods/volumes/{volume_id}/list: all files and folders
// or, with path, what is directly in one folder.
func (s *Server) listVolumeFiles(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.listFiles(ctx, req, "Volume file listing retrieved successfully.")
}

// listSnapshotFiles serves GET /pods/snapshots/{snapshot_id}/list, likewise.
func (s *Server) listSnapshotFiles(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.listFiles(ctx, req, "Snapshot file listing retrieved successfully.")
}

func (s *Server) listFiles(ctx context.Context, req *rest.Request, message string) (rest.Result, error) {
	o, err := s.loadObject(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	folder := req.URL.Query().Get("path")
	return rest.Result{Message: message, Value: rest.List(s.filesIn(ctx, objects.FilesOf(o.ref), folder))}, nil
}

// errEnough ends a list that nobody reads any more.
var errEnough = errors.New("nobody reads on")

// filesIn yields what is in a folder, or everything for no folder, as it is read.
func (s *Server) filesIn(ctx context.Context, o files.Object, folder string) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		err := s.Files.List(ctx, o, folder, folder == "", func(f files.File) error {
			// The text has the type in front.
			shown := showFile(f.Path, f.Name, f.Type, f.Size, f.ModTime, f.Mode.Perm().String()[1:])
			if !yield(shown, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// getContents serves GET …/contents/{path} and …/download/{path} of volumes and
// snapshots: a file as it is, also in parts, or what is in a folder as a zip.
//
// Errors: those of files.Store.Read and Zip.
func (s *Server) getContents(ctx context.Context, req *rest.Request) (rest.Result, error) {
	o, err := s.loadObject(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	isZip, err := req.QueryFlag("zip", false)
	if err != nil {
		return rest.Result{}, err
	}
	object, name := objects.FilesOf(o.ref), req.PathValue("path")
	if clean, err := files.CleanFilePath(name); err != nil {
		return rest.Result{}, err
	} else if found, err := s.Files.Stat(ctx, object, clean); err != nil {
		return rest.Result{}, err
	} else if isZip && found.Type == files.TypeDir {
		return rest.Result{Respond: s.zipOf(object, clean)}, nil
	}
	file, found, err := s.Files.Read(ctx, object, name)
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Respond: func(w http.ResponseWriter, r *http.Request, _ string) int {
		return serveFile(w, r, file, found)
	}}, nil
}

// serveFile sends a file and closes it.
func serveFile(w http.ResponseWriter, r *http.Request, file *os.File, found files.File) int {
	defer func() { _ = file.Close() }()
	defer limitWriting(w)()
	attach(w, found.Name, "application/octet-stream")
	out := &countedResponse{ResponseWriter: w, status: http.StatusOK}
	http.ServeContent(out, r, "", found.ModTime, file)
	return out.status
}

// zipOf returns what sends a folder as a zip while it is made.
func (s *Server) zipOf(o files.Object, folder string) func(http.ResponseWriter, *http.Request, string) int {
	return func(w http.ResponseWriter, r *http.Request, version string) int {
		attach(w, path.Base(folder)+".zip", "application/zip")
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusOK)
			return http.StatusOK
		}
		defer limitWriting(w)()
		ctx, cancel := context.WithTimeout(r.Context(), transferTimeout)
		defer cancel()
		out := &countedResponse{ResponseWriter: w, status: http.StatusOK}
		err := s.Files.Zip(ctx, o, folder, out)
		switch {
		case err == nil:
			return out.status
		case out.isSent: // or the client would take what it got for all there is
			s.Logger.WarnContext(ctx, "zip cut short", "object", o.String(), "tenant_id", o.Tenant, "error", err)
			panic(http.ErrAbortHandler)
		}
		w.Header().Del("Content-Disposition")
		rest.WriteError(w, err, version)
		return rest.HTTPStatus(err)
	}
}

// attach has browsers save what is sent under a name, whatever that holds, and
// never show it as a page of this site.
func attach(w http.ResponseWriter, name, contentType string) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	header.Set("X-Content-Type-Options", "nosniff")
}

// limitWriting bounds how long a client may take to receive an answer; the
// function that it returns takes the bound away for the connection's next request.
func limitWriting(w http.ResponseWriter) (unlimit func()) {
	controller := http.NewResponseController(w)
	_ = controller.SetWriteDeadline(time.Now().Add(transferTimeout)) // a test's recorder has none
	return func() { _ = controller.SetWriteDeadline(time.Time{}) }
}

// countedResponse remembers the status of an answer and whether any of it was
// sent. Files go through it as fast as without it.
type countedResponse struct {
	http.ResponseWriter
	status int
	isSent bool
}

// WriteHeader implements http.ResponseWriter.
func (c *countedResponse) WriteHeader(status int) {
	c.status, c.isSent = status, true
	c.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (c *countedResponse) Write(p []byte) (int, error) {
	c.isSent = true
	return c.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom: the system copies a file by itself.
func (c *countedResponse) ReadFrom(r io.Reader) (int64, error) {
	c.isSent = true
	return io.Copy(c.ResponseWriter, r)
}
