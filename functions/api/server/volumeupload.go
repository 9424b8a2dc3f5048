package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/volumes"
)

// formRoom is what a form holds at most beside the file, in bytes.
const formRoom = 64 << 10

// uploadToVolume serves POST /pods/volumes/{volume_id}/upload/{path}: the file of
// a form is stored as it comes, and appears at its path when it is complete.
//
// Errors: KindInvalid for the form and the path; KindTooLarge for a file that
// would take the volume past its limit; else those of files.Store.Write.
func (s *Server) uploadToVolume(ctx context.Context, req *rest.Request) (rest.Result, error) {
	volume, err := s.loadVolume(ctx, req, req.PathValue("volume_id"))
	if err != nil {
		return rest.Result{}, err
	}
	name, err := files.CleanFilePath(req.PathValue("path"))
	if err != nil {
		return rest.Result{}, err
	}
	o := objects.FilesOf(volume.Ref())
	var replaced int64
	if there, err := s.Files.Stat(ctx, o, name); err == nil {
		replaced = there.Size
	}
	room := roomIn(volume, replaced)
	if room <= 0 || req.ContentLength > room+formRoom {
		return rest.Result{}, pastLimit(volume)
	}
	req.Body = buffered{bufio.NewReaderSize(req.Body, uploadBuffer), req.Body}
	form, err := req.MultipartReader()
	if err != nil {
		return rest.Result{}, pods.Invalid("The request needs a form: Content-Type: multipart/form-data with the part file.")
	}
	file, err := newFilePart(form)
	if err != nil {
		return rest.Result{}, err
	}
	size, err := s.Files.Write(ctx, o, name, file, room)
	switch {
	case file.err != nil:
		return rest.Result{}, formError(file.err)
	case pods.KindOf(err) == pods.KindTooLarge:
		return rest.Result{}, pastLimit(volume)
	case err != nil:
		return rest.Result{}, err
	}
	if err := s.Store.Uploaded(ctx, volume.Ref(), size-replaced); err != nil {
		return rest.Result{}, err
	}
	volume.Usage.Bytes += size - replaced
	return rest.Result{
		Message: "Volume file upload successful.", Metadata: fullness(fromVolume(volume)), Value: client.FilePath(name),
	}, nil
}

// uploadBuffer is how much of an upload is taken from the network at a time: by
// itself a reader of forms asks for 4 KiB.
const uploadBuffer = 256 << 10

// buffered is the body of a request, read through a buffer.
type buffered struct {
	*bufio.Reader
	io.Closer
}

// roomIn returns how many bytes a volume has left, by what it held when it was
// last measured, if so many of them are replaced.
func roomIn(volume volumes.Volume, replaced int64) int64 {
	return volume.SizeLimit*volumes.MB - volume.Usage.Bytes + replaced
}

// pastLimit is the error for what would take a volume past its limit.
func pastLimit(volume volumes.Volume) *pods.Error {
	return pods.TooLarge("This would take volume '%s' past its size_limit of %d MB: it holds %s already. Delete files, or raise size_limit.",
		volume.ID, volume.SizeLimit, megabytes(volume.Usage.Bytes))
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/volumes.MB) }

// filePart reads the file of a form. It ends well only when the form does behind
// it: what was cut off is an error, and so is another part.
type filePart struct {
	form *multipart.Reader
	part io.Reader
	err  error // why it did not end well
}

// newFilePart returns the file of a form, of which it must be the first part.
//
// Errors: KindInvalid for another form.
func newFilePart(form *multipart.Reader) (*filePart, error) {
	part, err := form.NextPart()
	switch {
	case errors.Is(err, io.EOF):
		return nil, pods.InvalidFields([]pods.FieldError{{Location: []string{"body", "file"}, Message: "file is required"}})
	case err != nil:
		return nil, formError(err)
	case part.FormName() != "file":
		return nil, unknownPart(part.FormName())
	}
	return &filePart{form: form, part: part}, nil
}

func unknownPart(name string) error {
	return pods.Invalid("The form has a part '%s' too many: it takes file, once.", name)
}

// Read implements io.Reader.
func (f *filePart) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	if errors.Is(err, io.EOF) {
		err = f.end()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// end returns io.EOF if the form ends behind the file.
func (f *filePart) end() error {
	another, err := f.form.NextPart()
	if err == nil {
		return unknownPart(another.FormName())
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}
