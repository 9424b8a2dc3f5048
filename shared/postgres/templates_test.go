package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
)

func allowTemplate(templates.Template) error { return nil }

// newTemplate stores a template of alice's in tenant dev.
func newTemplate(t *testing.T, store *postgres.Store, id string) templates.Template {
	t.Helper()
	added, err := store.AddTemplate(t.Context(), templates.Template{
		ID: id, TenantID: "dev", SiteID: "site", Profile: templates.ProfileRestricted, Metatags: []string{"one"},
		Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "TENANT", Level: permissions.Read}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func newTag(t *testing.T, store *postgres.Store, id, tag string, definition pods.Patch) templates.Tag {
	t.Helper()
	added, err := store.AddTag(t.Context(), templates.Tag{
		Reference: templates.Reference{TemplateID: id, Tag: tag}, Definition: definition, AddedBy: "alice", CommitMessage: "made",
	}, allowTemplate)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func parse(t *testing.T, text string) templates.Reference {
	t.Helper()
	reference, err := templates.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

func TestTemplates(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	added := newTemplate(t, store, "app")
	got, err := store.Template(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "the template", got, added)
	_, err = store.AddTemplate(t.Context(), templates.Template{ID: "app", TenantID: "dev2", Profile: templates.ProfileRestricted})
	wantKind(t, "adding it in another tenant", err, pods.KindConflict)
	clock.Advance(time.Minute)
	changed, err := store.ChangeTemplate(t.Context(), "app", func(template templates.Template) (templates.Template, error) {
		template.Description, template.Permissions = "changed", template.Permissions[:1]
		return template, nil
	})
	if err != nil || !changed.UpdateTS.After(added.UpdateTS) {
		t.Errorf("changed at %s (%v), made at %s", changed.UpdateTS, err, added.UpdateTS)
	}
	refused := pods.Forbidden("no")
	_, err = store.ChangeTemplate(t.Context(), "app", func(templates.Template) (templates.Template, error) { return templates.Template{}, refused })
	wantSame(t, "the refusal", err, error(refused))
	wantSame(t, "the refusal to delete", store.DeleteTemplate(t.Context(), "app", func(templates.Template) error { return refused }), error(refused))
	list, err := store.Templates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "all templates", list, []templates.Template{changed})
	newTag(t, store, "app", "latest", pods.Patch{Image: pods.Some("nginx")})
	if err := store.DeleteTemplate(t.Context(), "app", allowTemplate); err != nil {
		t.Fatal(err)
	}
	_, err = store.Tag(t.Context(), parse(t, "app"))
	wantSame(t, "a tag of a deleted template", err, error(templates.Unknown("app")))
	_, err = store.AddTag(t.Context(), templates.Tag{Reference: parse(t, "app")}, allowTemplate)
	wantKind(t, "a tag for a deleted template", err, pods.KindNotFound)
}

func TestTags(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	newTemplate(t, store, "app")
	mount := &pods.VolumeMount{Type: pods.MountPVC}
	definition := pods.Patch{
		Image: pods.Some("nginx"), Command: pods.Some([]string{}), TimeToStopInstance: pods.Some[*int64](nil),
		VolumeMounts: pods.Some(map[string]*pods.VolumeMount{"/data": mount, "/gone": nil}),
		Networking:   pods.Some(map[string]pods.Networking{"default": pods.NewNetworking()}),
		Resources:    pods.Some(pods.Resources{CPULimit: new(int64(500))}),
	}
	first := newTag(t, store, "app", "latest", definition)
	stored, err := store.Tag(t.Context(), first.Reference)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, stored); diff != "" {
		t.Errorf("the tag is stored otherwise (-want +got):\n%s", diff)
	}
	_, err = store.AddTag(t.Context(), templates.Tag{Reference: templates.Reference{TemplateID: "app", Tag: "latest"}}, allowTemplate)
	wantKind(t, "the same tag in the same second", err, pods.KindConflict)
	newTag(t, store, "app", "other", pods.Patch{Image: pods.Some("other")}) // another tag in the same second
	clock.Advance(time.Second)
	second := newTag(t, store, "app", "latest", pods.Patch{Image: pods.Some("nginx2")})
	for text, want := range map[string]string{"app": "nginx2", "app:latest": "nginx2", first.Reference.String(): "nginx", "app:other": "other"} {
		if tag, err := store.Tag(t.Context(), parse(t, text)); err != nil || tag.Definition.Image.Value != want {
			t.Errorf("%s is %q (%v), want %q", text, tag.Definition.Image.Value, err, want)
		}
	}
	_, err = store.Tag(t.Context(), parse(t, "app:none"))
	wantSame(t, "an unknown tag", err, error(templates.UnknownTag(parse(t, "app:none"))))
	all, err := store.Tags(t.Context(), "app", "none")
	if err != nil || len(all) != 3 || all[0].Reference != second.Reference {
		t.Errorf("%d tags (%v), want 3 with the newest first", len(all), err)
	}
}

// Two callers at once make one tag of the same second.
func TestTagsAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	newTemplate(t, store, "app")
	add := func() error {
		_, err := store.AddTag(t.Context(), templates.Tag{Reference: parse(t, "app:1")}, allowTemplate)
		return err
	}
	conflicts := 0
	for _, err := range atOnce(add, add, add, add) {
		if pods.KindOf(err) == pods.KindConflict {
			conflicts++
		} else if err != nil {
			t.Error(err)
		}
	}
	if conflicts != 3 {
		t.Errorf("%d conflicts of 4, want 3", conflicts)
	}
}

func TestDeleteTag(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	newTemplate(t, store, "base")
	newTemplate(t, store, "app")
	base := newTag(t, store, "base", "latest", pods.Patch{Image: pods.Some("nginx")})
	clock.Advance(time.Second)
	newTag(t, store, "base", "latest", pods.Patch{Image: pods.Some("nginx")})
	app := newTag(t, store, "app", "1", pods.Patch{Template: pods.Some(base.Reference.String())})
	pod := podstest.Create(t, store, func(pod *pods.Pod) { pod.Template = base.Reference.String() })

	found, err := store.Dependents(t.Context(), []templates.Reference{base.Reference, app.Reference})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "what is made of the tags", found, map[string]postgres.Dependents{
		base.Reference.String(): {Pods: []pods.Ref{pod.Ref()}, Tags: []templates.Reference{app.Reference}},
	})
	remove := func(reference string, isForced bool) error {
		return store.DeleteTag(t.Context(), parse(t, reference), isForced, allowTemplate)
	}
	wantKind(t, "a name of two tags", remove("base:latest", true), pods.KindInvalid)
	wantKind(t, "no such tag", remove("base:none", true), pods.KindNotFound)
	err = remove(base.Reference.String(), false)
	wantKind(t, "a tag in use", err, pods.KindConflict)
	if err == nil || !strings.Contains(err.Error(), app.Reference.String()) {
		t.Errorf("deleting a tag in use says %v, want what uses it", err)
	}
	wantKind(t, "a tag in use, by force", remove(base.Reference.String(), true), "")
	wantKind(t, "a name of one tag", remove("base:latest", false), "")
	left, err := store.Tags(t.Context(), "base", "app")
	if err != nil || len(left) != 1 {
		t.Errorf("%d tags are left (%v), want one", len(left), err)
	}
}

// A version of the service brings new templates and changes its own; what users
// have made and what earlier versions brought stays.
func TestShip(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	newTemplate(t, store, "taken")
	tags := func(description string, references ...string) []templates.Tag {
		var list []templates.Tag
		for _, text := range references {
			reference := parse(t, text)
			list = append(list, templates.Tag{
				Template: templates.Template{
					ID: reference.TemplateID, Description: description, Profile: templates.ProfileRoot,
					Permissions: permissions.Set{{User: permissions.KeyEverybody, Level: permissions.Read}},
				},
				Reference: reference, Definition: pods.Patch{Image: pods.Some(description)}, AddedBy: "system",
			})
		}
		return list
	}
	first := tags("first", "redis:7@2026-01-02-03:04:05", "taken:1@2026-01-02-03:04:05")
	second := tags("second", "redis:7@2026-01-02-03:04:05", "redis:8@2026-02-02-03:04:05")
	for _, version := range [][]templates.Tag{first, first, second} {
		clock.Advance(time.Minute)
		if err := store.Ship(t.Context(), version); err != nil {
			t.Fatal(err)
		}
	}
	redis, err := store.Template(t.Context(), "redis")
	if err != nil || redis.Description != "second" || len(redis.Permissions) != 1 || redis.UpdateTS != clock.Now() {
		t.Errorf("the shipped template is %+v (%v)", redis, err)
	}
	old, err := store.Tag(t.Context(), parse(t, "redis:7"))
	if err != nil || old.Definition.Image.Value != "first" {
		t.Errorf("the tag of the first version is %q (%v): it may not change", old.Definition.Image.Value, err)
	}
	if all, err := store.Tags(t.Context(), "redis", "taken"); err != nil || len(all) != 2 {
		t.Errorf("%d tags (%v), want two of redis and none of a user's template", len(all), err)
	}
	if taken, err := store.Template(t.Context(), "taken"); err != nil || taken.Description != "" || taken.Profile != templates.ProfileRestricted {
		t.Errorf("the user's template is %+v (%v)", taken, err)
	}
}

// Reads of a change belong to its transaction: they need no connection of their
// own, of which there might be none.
func TestReadsWithinAChange(t *testing.T) {
	t.Parallel()

	url := podstest.DatabaseURL(t)
	pool, err := postgres.Open(t.Context(), url, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store := postgres.New(pool, postgres.Options{Key: podstest.Key, Now: podstest.NewClock().Now})
	newTemplate(t, store, "app")
	tag := newTag(t, store, "app", "latest", pods.Patch{Image: pods.Some("nginx")})
	pod := podstest.Create(t, store)
	_, err = store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(),
		func(ctx context.Context, pod pods.Pod, _ permissions.Set) (postgres.Change, error) {
			found, err := store.Tag(ctx, parse(t, "app"))
			if found.Reference != tag.Reference {
				t.Errorf("found %s, want %s", found.Reference, tag.Reference)
			}
			return postgres.Change{Pod: pod}, err
		})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImages(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	image := func(name string) images.Image {
		image, err := images.New(name)
		if err != nil {
			t.Fatal(err)
		}
		image.Tenants, image.TenantID, image.AddedBy = []string{"**"}, "dev", "admin"
		return image
	}
	add := func(skip bool, names ...string) ([]string, error) {
		var list []images.Image
		for _, name := range names {
			list = append(list, image(name))
		}
		added, err := store.AddImages(t.Context(), list, skip)
		var got []string
		for _, image := range added {
			got = append(got, image.Name)
		}
		return got, err
	}
	if got, err := add(false, "a/b", "nginx"); err != nil || !slices.Equal(got, []string{"a/b", "nginx"}) {
		t.Errorf("added %v, %v", got, err)
	}
	_, err := add(false, "new", "docker.io/library/nginx")
	wantKind(t, "an image that is there", err, pods.KindConflict)
	_, err = add(false, "new", "new:2")
	wantKind(t, "an image twice", err, pods.KindConflict)
	if got, err := add(true, "nginx", "new", "new:2"); err != nil || !slices.Equal(got, []string{"new"}) {
		t.Errorf("added %v, %v; want what was not there: the others were to add nothing", got, err)
	}
	all, err := store.Images(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("%d images (%v), want 3", len(all), err)
	}
	changed := image("nginx")
	changed.Tenants = []string{"dev2"}
	if got, err := store.UpdateImage(t.Context(), changed); err != nil || !slices.Equal(got.Tenants, changed.Tenants) {
		t.Errorf("updated to %v, %v", got.Tenants, err)
	}
	if err := store.DeleteImage(t.Context(), changed.Key); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "deleting it again", store.DeleteImage(t.Context(), changed.Key), pods.KindNotFound)
	_, err = store.UpdateImage(t.Context(), changed)
	wantKind(t, "updating it then", err, pods.KindNotFound)
	_, err = store.Image(t.Context(), changed.Key)
	wantKind(t, "reading it then", err, pods.KindNotFound)
}
