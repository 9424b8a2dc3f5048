package client

import (
	"github.com/pods-service/pods/shared/client/api"
	"github.com/pods-service/pods/shared/images"
)

// Image is an entry of the image allowlist as the API shows it.
type Image = api.ImageResponseModel

// FromImage returns image as the API shows it.
func FromImage(image images.Image) Image {
	return Image{
		Image: image.Name, Tenants: append([]string{}, image.Tenants...), Description: image.Description,
		CreationTS: Time{Time: image.CreationTS}, AddedBy: image.AddedBy,
	}
}
