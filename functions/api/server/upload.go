package server

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

const (
	// maxUpload bounds the form of an upload, in bytes.
	maxUpload = 32 << 30
	// maxPath bounds a destination, in bytes: what Linux allows.
	maxPath = 4096
)

// uploadToPod serves POST /pods/{pod_id}/upload_to_pod: the file of a form goes
// into the pod's container as it comes, and appears at its destination when it
// is complete.
//
// Errors: KindNotFound for a pod that does not run; KindInvalid for the form and
// for a container that does not take the file; KindTooLarge.
func (s *Server) uploadToPod(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.upload(ctx, req, forUpload, "dest_path", func(destination string) (string, error) { return destination, nil })
}

// upload takes a form with the parts file and destinationField, in either order.
// Where resolves the destination that was sent.
func (s *Server) upload(
	ctx context.Context, req *rest.Request, use use, destinationField string, where func(string) (string, error),
) (rest.Result, error) {
	pod, _, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	if err := use.check(pod); err != nil {
		return rest.Result{}, err
	}
	form, err := req.MultipartReader()
	if err != nil {
		return rest.Result{}, pods.Invalid("The request needs a form: Content-Type: multipart/form-data with the parts file and %s.", destinationField)
	}
	u := &upload{runner: s.Runner, target: target(pod), field: destinationField, where: where, unique: uuid.NewString()}
	if err = u.take(ctx, form); err == nil {
		err = commands.Place(ctx, u.runner, u.target, u.part, u.destination)
	}
	if err != nil {
		u.discard(ctx)
		return rest.Result{}, use.noContainer(pod, formError(err))
	}
	s.note(ctx, req.Caller, pod, pods.ActionUploaded(req.Caller.Username, u.destination, u.size))
	return rest.Result{
		Message: "File uploaded to pod successfully.", Value: client.Uploaded{Uploaded: u.sent, PodName: pod.ID},
	}, nil
}

// upload is a form on its way into a container.
type upload struct {
	runner commands.Runner
	target commands.Target
	field  string // of the destination
	where  func(string) (string, error)
	unique string

	sent        string // the destination as it was sent
	destination string
	part        string // where the file is until it is complete; empty before
	size        int64
}

// take reads the whole form.
func (u *upload) take(ctx context.Context, form *multipart.Reader) error {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return u.missing()
		}
		if err != nil {
			return err
		}
		switch name := part.FormName(); {
		case name == u.field && u.sent == "":
			err = u.takeDestination(part)
		case name == "file" && u.part == "":
			u.part = commands.PartOf(u.destination, u.unique)
			u.size, err = commands.Upload(ctx, u.runner, u.target, u.part, part)
		default:
			err = pods.Invalid("The form has a part '%s' too many: it takes file and %s, once each.", name, u.field)
		}
		if err != nil {
			return err
		}
	}
}

func (u *upload) takeDestination(part io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(part, maxPath+1))
	if err != nil {
		return err
	}
	u.sent = string(text)
	if u.sent == "" {
		return nil // as if it were not there
	}
	if len(text) > maxPath || strings.Contains(u.sent, "\x00") || strings.HasSuffix(u.sent, "/") {
		return pods.InvalidFields([]pods.FieldError{{
			Location: []string{"body", u.field}, Message: u.field + " must be the path of a file, at most 4096 bytes",
		}})
	}
	u.destination, err = u.where(u.sent)
	return err
}

// missing says what a form that has ended lacks.
func (u *upload) missing() error {
	var errs []pods.FieldError
	if u.destination == "" {
		errs = append(errs, pods.FieldError{Location: []string{"body", u.field}, Message: "Destination path is required: " + u.field})
	}
	if u.part == "" {
		errs = append(errs, pods.FieldError{Location: []string{"body", "file"}, Message: "file is required"})
	}
	return pods.InvalidFields(errs)
}

// discard removes what has come of the file.
func (u *upload) discard(ctx context.Context) {
	if u.part != "" {
		commands.Discard(ctx, u.runner, u.target, u.part, u.destination)
	}
}

// formError says what is wrong with a form that cannot be read.
func formError(err error) error {
	if _, isDomain := errors.AsType[*pods.Error](err); isDomain || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return pods.TooLarge("The file is larger than %d GiB.", maxUpload>>30)
	}
	return pods.Invalid("The form ended too early or is malformed. Nothing was kept of the file.")
}

// uploadToJupyter serves POST /pods/jupyter/{pod_id}/upload: the file appears in
// the folder that the notebooks are in.
//
// Errors: KindInvalid for a pod that does not run and for a path out of the
// folder; else as for uploadToPod.
func (s *Server) uploadToJupyter(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.upload(ctx, req, forNotebooks, "path", func(sent string) (string, error) {
		clean := path.Join(notebooks, sent)
		if !strings.HasPrefix(clean, notebooks+"/") {
			return "", pods.InvalidFields([]pods.FieldError{{
				Location: []string{"body", "path"}, Message: "path cannot contain '..' that lead out of the notebooks' folder",
			}})
		}
		return clean, nil
	})
}
