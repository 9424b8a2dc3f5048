package client

import "github.com/pods-service/pods/shared/images"

// Image is an entry of the image allowlist as the API shows it.
type Image struct {
	Image       string   `json:"image"`
	Tenants     []string `json:"tenants"`
	Description string   `json:"description"`
	CreationTS  Time     `json:"creation_ts"`
	AddedBy     string   `json:"added_by"`
}

// FromImage returns image as the API shows it.
func FromImage(image images.Image) Image {
	return Image{
		Image: image.Name, Tenants: append([]string{}, image.Tenants...), Description: image.Description,
		CreationTS: Time{image.CreationTS}, AddedBy: image.AddedBy,
	}
}
