package document

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// Limits of the texts of templates, tags and images, in bytes.
const (
	maxTemplateDescription = 1600
	maxArchiveMessage      = 1600
	maxCommitMessage       = 255
	maxImageDescription    = 254
	maxMetatags            = 50
	maxMetatag             = 80
	maxImageTenants        = 200
)

var imageTenantPattern = regexp.MustCompile(`^(\*\*?|-?[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63})$`)

// NewTemplate reads the body of a request that adds a template: its id, and
// what Template reads.
//
// Errors: KindInvalid naming every field at fault.
func NewTemplate(data []byte) (templates.Template, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	id := o.required("template_id")
	if _, isText := strictString(o.fields["template_id"]); isText && !templates.IsID(id) {
		o.fail("template_id", "template_id must be lowercase alphanumeric, 3-64 characters, and start with a letter. It must not be 'tags'")
	}
	template := o.template(templates.Template{ID: id, Metatags: []string{}})
	o.close()
	return template, pods.InvalidFields(errs)
}

// Template reads the body of a request that updates a template and returns
// template with the fields that are in it.
//
// Errors: KindInvalid naming every field at fault.
func Template(data []byte, template templates.Template) (templates.Template, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	template = o.template(template)
	o.close()
	return template, pods.InvalidFields(errs)
}

func (o object) template(template templates.Template) templates.Template {
	set(&template.Description, o.shortText("description", maxTemplateDescription))
	set(&template.ArchiveMessage, o.shortText("archive_message", maxArchiveMessage))
	metatags := o.list("metatags")
	for _, metatag := range metatags.Value {
		if metatag == "" || len(metatag) > maxMetatag || strings.ContainsFunc(metatag, unicode.IsControl) {
			o.fail("metatags", "metatags must be texts of 1-%d characters", maxMetatag)
			break
		}
	}
	if len(metatags.Value) > maxMetatags {
		o.fail("metatags", "metatags may have at most %d entries", maxMetatags)
	}
	set(&template.Metatags, metatags)
	return template
}

// NewTag is what a user sends to add a tag to a template.
type NewTag struct {
	TemplateID    string // when it is saved from a pod
	Tag           string
	CommitMessage string
	Definition    pods.Patch
}

// TemplateTag reads the body of a request that adds a tag with a definition,
// which rules must allow.
//
// Errors: KindInvalid naming every field at fault.
func TemplateTag(data []byte, rules pods.Rules) (NewTag, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	tag := o.newTag()
	if raw, found := o.take("pod_definition"); found {
		tag.Definition = parse(raw, o.at("pod_definition"), &errs).podDefinition()
	} else {
		o.fail("pod_definition", "pod_definition is required")
	}
	o.close()
	return tag, Both(pods.InvalidFields(errs), rules.CheckDefinition(tag.Definition))
}

// TemplateTagFromPod reads the body of a request that saves a pod as a tag.
//
// Errors: KindInvalid naming every field at fault.
func TemplateTagFromPod(data []byte) (NewTag, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	tag := o.newTag()
	tag.TemplateID = o.required("template_id")
	o.close()
	return tag, pods.InvalidFields(errs)
}

func (o object) newTag() NewTag {
	tag := NewTag{Tag: templates.DefaultTag}
	tag.CommitMessage = o.required("commit_message")
	o.checkText("commit_message", tag.CommitMessage, maxCommitMessage)
	set(&tag.Tag, o.text("tag"))
	if !templates.IsTag(tag.Tag) {
		o.fail("tag", "tag must hold 1-80 letters, digits, '-' and '.'")
	}
	return tag
}

// shortText reads a string of ASCII characters.
func (o object) shortText(key string, maxLength int) pods.Optional[string] {
	text := o.text(key)
	o.checkText(key, text.Value, maxLength)
	return text
}

func (o object) checkText(key, text string, maxLength int) {
	switch {
	case len(text) > maxLength:
		o.fail(key, "%s field must be less than %d characters. Inputted length: %d", key, maxLength+1, len(text))
	case strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || r == 0 }):
		o.fail(key, "%s field may only contain ASCII characters", key)
	}
}

// NewImage reads the body of a request that adds an image, and reports whether
// it was named with a tag or digest.
//
// Errors: KindInvalid naming every field at fault.
func NewImage(data []byte) (image images.Image, hasTag bool, err error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	image = o.newImage()
	name, _ := strictString(o.fields["image"])
	return image, images.HasTag(name), pods.InvalidFields(errs)
}

// MaxImages is how many images one request may add.
const MaxImages = 1000

// NewImages reads the body of a request that adds a list of images.
//
// Errors: KindInvalid naming every field at fault.
func NewImages(data []byte) ([]images.Image, error) {
	var errs []pods.FieldError
	entries := parseList(data, body, &errs)
	if len(entries) > MaxImages {
		return nil, pods.Invalid("At most %d images can be added at once.", MaxImages)
	}
	list := make([]images.Image, len(entries))
	for i, entry := range entries {
		list[i] = entry.newImage()
	}
	return list, pods.InvalidFields(errs)
}

func (o object) newImage() images.Image {
	name := o.required("image")
	image, err := images.New(name)
	if _, isText := strictString(o.fields["image"]); isText && err != nil {
		o.fail("image", "%s", err)
	}
	image = o.image(image)
	o.close()
	return image
}

// Image reads the body of a request that updates an image and returns image
// with the fields that are in it.
//
// Errors: KindInvalid naming every field at fault.
func Image(data []byte, image images.Image) (images.Image, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	image = o.image(image)
	o.close()
	return image, pods.InvalidFields(errs)
}

func (o object) image(image images.Image) images.Image {
	set(&image.Description, o.shortText("description", maxImageDescription))
	tenants := o.list("tenants")
	for _, tenant := range tenants.Value {
		if !imageTenantPattern.MatchString(tenant) {
			o.fail("tenants", "tenants may only hold tenant ids, '*', '**' and '-<tenant>'. Received: %q", tenant)
			break
		}
	}
	if len(tenants.Value) > maxImageTenants {
		o.fail("tenants", "tenants may have at most %d entries", maxImageTenants)
	}
	set(&image.Tenants, tenants)
	return image
}
