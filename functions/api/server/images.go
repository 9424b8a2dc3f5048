package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

func (s *Server) imageRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /pods/images", Level: permissions.None, Handle: s.listImages},
		{Pattern: "POST /pods/images", AdminMode: true, Handle: s.addImage},
		{Pattern: "POST /pods/images/bulk", AdminMode: true, Handle: s.addImages},
		{Pattern: "GET /pods/images/{image_id...}", Level: permissions.None, Handle: s.getImage},
		{Pattern: "PUT /pods/images/{image_id...}", AdminMode: true, Handle: s.updateImage},
		{Pattern: "DELETE /pods/images/{image_id...}", AdminMode: true, Handle: s.deleteImage},
	}
}

// listImages serves GET /pods/images: the images that the caller's tenant may
// run and those that the caller has added.
func (s *Server) listImages(ctx context.Context, req *rest.Request) (rest.Result, error) {
	stored, err := s.Store.Images(ctx)
	if err != nil {
		return rest.Result{}, err
	}
	caller := req.Caller
	shown, accessible := []client.Image{}, []string{}
	listed := map[string]bool{}
	for _, image := range slices.Concat(s.Allowlist.Configured(), stored) {
		isOwn := image.TenantID == caller.TenantID && image.AddedBy == caller.Username
		isAccessible := isOwn || s.Allowlist.IsFor(image, caller.TenantID)
		if listed[image.Key] || !isAccessible && !caller.AdminMode {
			continue
		}
		listed[image.Key] = true
		shown = append(shown, client.FromImage(image))
		if isAccessible {
			accessible = append(accessible, image.Name)
		}
	}
	result := rest.Result{Message: "Images retrieved successfully.", Value: shown}
	if caller.AdminMode {
		result.Metadata = adminContext("user_accessible_images", accessible)
	}
	return result, nil
}

// addImage serves POST /pods/images.
//
// Errors: KindInvalid for fields; KindConflict when the image is there.
func (s *Server) addImage(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	image, hasTag, err := document.NewImage(data)
	if err != nil {
		return rest.Result{}, err
	}
	added, err := s.storeImages(ctx, req.Caller, []images.Image{image}, false)
	if err != nil {
		return rest.Result{}, err
	}
	result := rest.Result{Message: "Images added successfully.", Value: client.FromImage(added[0])}
	if hasTag {
		result.Metadata = map[string]any{"notice": "removed tag from image, tag enforcement does not yet exist"}
	}
	return result, nil
}

// addImages serves POST /pods/images/bulk: all of the list or, with
// skip_duplicates, those that are not there yet.
//
// Errors: KindInvalid for fields; KindConflict when one is there and not to be
// skipped.
func (s *Server) addImages(ctx context.Context, req *rest.Request) (rest.Result, error) {
	skip, err := req.QueryFlag("skip_duplicates", false)
	if err != nil {
		return rest.Result{}, err
	}
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	list, err := document.NewImages(data)
	if err != nil {
		return rest.Result{}, err
	}
	added, err := s.storeImages(ctx, req.Caller, list, skip)
	if err != nil {
		return rest.Result{}, err
	}
	shown := make([]client.Image, len(added))
	isAdded := map[string]int{}
	for i, image := range added {
		shown[i] = client.FromImage(image)
		isAdded[image.Key]++
	}
	result := rest.Result{Message: "Images added successfully.", Value: shown}
	switch len(added) {
	case 0:
		result.Message = "No images added - all images were duplicates."
	case 1:
		result.Message = "Image added successfully."
	}
	var skipped []string
	for _, image := range list {
		if isAdded[image.Key]--; isAdded[image.Key] < 0 {
			skipped = append(skipped, image.Name)
		}
	}
	if len(skipped) > 0 {
		result.Metadata = map[string]any{"notice": fmt.Sprintf("skipped %d duplicate image(s): %s", len(skipped), strings.Join(skipped, ", "))}
	}
	return result, nil
}

// storeImages adds a list of images in the name of caller.
func (s *Server) storeImages(ctx context.Context, caller pods.Caller, list []images.Image, skipDuplicates bool) ([]images.Image, error) {
	added := []images.Image{}
	for _, image := range list {
		if s.Allowlist.IsConfigured(image.Key) {
			if skipDuplicates {
				continue
			}
			return nil, images.Duplicate(image.Name, nil)
		}
		image.TenantID, image.AddedBy = caller.TenantID, caller.Username
		added = append(added, image)
	}
	return s.Store.AddImages(ctx, added, skipDuplicates)
}

// getImage serves GET /pods/images/{image_id}, by the name that was added or the
// full one.
func (s *Server) getImage(ctx context.Context, req *rest.Request) (rest.Result, error) {
	image, err := s.findImage(ctx, req, "")
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Image retrieved successfully.", Value: client.FromImage(image)}, nil
}

// findImage returns the image that the path names, if the caller may see it.
//
// Errors: KindNotFound, whose text ends with suffix.
func (s *Server) findImage(ctx context.Context, req *rest.Request, suffix string) (images.Image, error) {
	name := req.PathValue("image_id")
	image, err := s.Allowlist.Find(ctx, name)
	caller := req.Caller
	isOwn := image.TenantID == caller.TenantID && image.AddedBy == caller.Username
	switch kind := pods.KindOf(err); {
	case kind == pods.KindInvalid, kind == pods.KindNotFound,
		err == nil && !caller.AdminMode && !isOwn && !s.Allowlist.IsFor(image, caller.TenantID):
		return images.Image{}, pods.NotFound("Image with id %s not found%s", name, suffix)
	}
	return image, err
}

// updateImage serves PUT /pods/images/{image_id}: its tenants and description.
//
// Errors: KindInvalid for fields and for an image of the configuration.
func (s *Server) updateImage(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	image, err := s.storedImage(ctx, req, "")
	if err != nil {
		return rest.Result{}, err
	}
	if image, err = document.Image(data, image); err != nil {
		return rest.Result{}, err
	}
	if image, err = s.Store.UpdateImage(ctx, image); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Image updated successfully.", Value: client.FromImage(image)}, nil
}

// storedImage is findImage for an image that can be changed.
//
// Errors: KindInvalid for an image of the configuration.
func (s *Server) storedImage(ctx context.Context, req *rest.Request, suffix string) (images.Image, error) {
	image, err := s.findImage(ctx, req, suffix)
	if err == nil && s.Allowlist.IsConfigured(image.Key) {
		err = pods.Invalid("Image %s is part of the service's configuration and can only be changed there.", image.Name)
	}
	return image, err
}

// deleteImage serves DELETE /pods/images/{image_id}. Pods that run the image go
// on; they cannot be updated until it is allowed again.
//
// Errors: as for updateImage.
func (s *Server) deleteImage(ctx context.Context, req *rest.Request) (rest.Result, error) {
	image, err := s.storedImage(ctx, req, " - not deleted.")
	if err != nil {
		return rest.Result{}, err
	}
	if err := s.Store.DeleteImage(ctx, image.Key); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Image successfully deleted.", Value: image.Name}, nil
}
