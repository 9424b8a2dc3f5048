// Package server is the REST API: it validates, decides access, records what
// is wanted and answers from what is recorded. It creates nothing in
// Kubernetes; the spawner does, when the event of a change reaches it.
package server

import (
	"context"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/commands"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/traefik"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
)

// Store is what the API needs of the database.
type Store interface {
	Ping(ctx context.Context) error
	PodStore
	TemplateStore
	ImageStore
	StorageStore

	DeadLetters(ctx context.Context, limit int) ([]events.DeadLetter, error)
	ResendDeadLetter(ctx context.Context, eventID, trigger string) error
	DeleteDeadLetter(ctx context.Context, eventID, trigger string) error
}

// PodStore holds the pods of all tenants.
type PodStore interface {
	CreatePod(ctx context.Context, pod pods.Pod, credentials pods.Credentials, by string) (pods.Pod, error)
	Pod(ctx context.Context, tenantID, podID string) (pods.Pod, permissions.Set, error)
	ListPods(ctx context.Context, tenantID, username string) ([]postgres.ListedPod, error)
	ListTenantPods(ctx context.Context, tenantID string) ([]postgres.ListedPod, error)
	Pods(ctx context.Context, tenantID string, listed []postgres.ListedPod) iter.Seq2[pods.Pod, error]
	ChangePod(ctx context.Context, tenantID, podID string, by pods.Caller, change func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error)) (pods.Pod, error)
	DeletePod(ctx context.Context, tenantID, podID string, authorize func(pods.Pod, permissions.Set) error) error
	Credentials(ctx context.Context, tenantID, podID string) (pods.Credentials, error)
	AddAction(ctx context.Context, tenantID, podID, text string) error
	ActionLogs(ctx context.Context, tenantID, podID string) ([]string, error)
	Logs(ctx context.Context, tenantID, podID string) (string, pods.LogCursor, error)
}

// TemplateStore holds the templates of the site.
type TemplateStore interface {
	Templates(ctx context.Context) ([]templates.Template, error)
	Template(ctx context.Context, templateID string) (templates.Template, error)
	AddTemplate(ctx context.Context, template templates.Template) (templates.Template, error)
	ChangeTemplate(ctx context.Context, templateID string, change func(templates.Template) (templates.Template, error)) (templates.Template, error)
	DeleteTemplate(ctx context.Context, templateID string, authorize func(templates.Template) error) error
	Tags(ctx context.Context, templateIDs ...string) ([]templates.Tag, error)
	AddTag(ctx context.Context, tag templates.Tag, authorize func(templates.Template) error) (templates.Tag, error)
	DeleteTag(ctx context.Context, reference templates.Reference, isForced bool, authorize func(templates.Template) error) error
	Dependents(ctx context.Context, references []templates.Reference) (map[string]postgres.Dependents, error)
}

// ImageStore holds the entries of the image allowlist.
type ImageStore interface {
	images.Source
	Images(ctx context.Context) ([]images.Image, error)
	AddImages(ctx context.Context, list []images.Image, skipDuplicates bool) ([]images.Image, error)
	UpdateImage(ctx context.Context, image images.Image) (images.Image, error)
	DeleteImage(ctx context.Context, key string) error
}

// Tail reads the output of a running pod that is newer than what is stored.
// It fails when Kubernetes cannot be asked; the stored part is shown then.
type Tail interface {
	ReadNew(ctx context.Context, ref pods.Ref, k8sName string, since pods.LogCursor, limit int) (string, error)
}

// RouteTable is the table of all routes to pods. Wait returns the current one, and
// at first waits for it until ctx ends.
//
// Errors: KindUnavailable while there is none.
type RouteTable interface {
	Wait(ctx context.Context) (*routes.Table, error)
}

// Config is what a Server needs; every field is required but Login, Visitors,
// Proxies, Checks, Objects and Files.
type Config struct {
	Store     Store
	Tail      Tail
	Runner    commands.Runner
	Deriver   *templates.Deriver
	Allowlist *images.Allowlist
	Rules     pods.Rules
	// Mounts decides what pods may mount.
	Mounts storage.Mounts
	Tenant func(id string) pods.Tenant
	// TenantAt returns the tenant that has an address on a host.
	TenantAt func(host string) (auth.Tenant, bool)
	// Objects and Files are the volumes and snapshots; nil leaves an installation
	// without them.
	Objects *objects.Objects
	Files   *files.Store
	// SnapshotInterval is the least time between two copies of a schedule.
	SnapshotInterval time.Duration
	// Login decides who may visit pods; nil lets nobody log in.
	Login *login.Login
	// Visitors bounds how often visitors may ask for a login; nil sets no bound.
	Visitors VisitorLimiter
	Proxies  rest.Proxies
	Now      func() time.Time
	Logger   *slog.Logger
	// Link returns the address under which a networking entry is reached.
	Link func(pods.Networking) string
	// Checks are asked by /healthcheck beside the database: what they say is
	// shown and does not make the service unhealthy.
	Checks map[string]func(context.Context) error
	// RouteTable and Traefik are what Traefik's configuration is made of.
	RouteTable RouteTable
	Traefik    *traefik.Renderer
	// TraefikFrom are the addresses that get the configuration without a token.
	TraefikFrom []netip.Prefix
}

// Server answers the API. Make one with New.
type Server struct{ Config }

// New returns a server.
func New(config Config) *Server { return &Server{config} }

// Routes is the route table: every path of the API with what it asks of the
// caller.
func (s *Server) Routes() []rest.Route {
	return slices.Concat(s.podRoutes(), s.commandRoutes(), s.templateRoutes(), s.imageRoutes(), s.volumeRoutes(), s.snapshotRoutes(), s.loginRoutes(), s.traefikRoutes(), []rest.Route{
		{Pattern: "GET /healthcheck", Open: true, Handle: s.healthcheck},
		{Pattern: "GET /error-handler/{status}", Open: true, Handle: s.errorHandler},
		{Pattern: "GET /pods/dead-letters", SiteAdmin: true, Handle: s.listDeadLetters},
		{Pattern: "POST /pods/dead-letters/{event_id}/resend", SiteAdmin: true, Handle: s.resendDeadLetter},
		{Pattern: "DELETE /pods/dead-letters/{event_id}", SiteAdmin: true, Handle: s.deleteDeadLetter},
	})
}

func (s *Server) podRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /pods", Level: permissions.None, Handle: s.listPods},
		{Pattern: "POST /pods", Level: permissions.None, Handle: s.createPod},
		{Pattern: "GET /pods/{pod_id}", Level: permissions.Read, Handle: s.getPod},
		{Pattern: "PUT /pods/{pod_id}", Level: permissions.User, Handle: s.updatePod},
		{Pattern: "DELETE /pods/{pod_id}", Level: permissions.Admin, Handle: s.deletePod},
		{Pattern: "GET /pods/{pod_id}/derived", Level: permissions.Read, Handle: s.getDerivedPod},
		{Pattern: "GET /pods/{pod_id}/start", Level: permissions.Admin, Handle: s.startPod},
		{Pattern: "GET /pods/{pod_id}/stop", Level: permissions.Admin, Handle: s.stopPod},
		{Pattern: "GET /pods/{pod_id}/restart", Level: permissions.Admin, Handle: s.restartPod},
		{Pattern: "GET /pods/{pod_id}/logs", Level: permissions.Read, Handle: s.getPodLogs},
		{Pattern: "GET /pods/{pod_id}/credentials", Level: permissions.User, Handle: s.getPodCredentials},
		{Pattern: "GET /pods/{pod_id}/permissions", Level: permissions.User, Handle: s.getPodPermissions},
		{Pattern: "POST /pods/{pod_id}/permissions", Level: permissions.Admin, Handle: s.setPodPermission},
		{Pattern: "DELETE /pods/{pod_id}/permissions/{user}", Level: permissions.Admin, Handle: s.deletePodPermission},
		{Pattern: "POST /pods/{pod_id}/save_pod_as_template_tag", Level: permissions.Admin, Handle: s.savePodAsTemplateTag},
	}
}

// healthcheck serves GET /healthcheck: healthy means that the database
// answers. Whether the rest does is told in the metadata.
func (s *Server) healthcheck(ctx context.Context, _ *rest.Request) (rest.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.Store.Ping(ctx); err != nil {
		return rest.Result{}, pods.Unavailable("The database cannot be reached.", err)
	}
	metadata := map[string]any{"postgres": "ok"}
	for name, check := range s.Checks {
		metadata[name] = "ok"
		if err := check(ctx); err != nil {
			metadata[name] = "unavailable"
		}
	}
	return rest.Result{Value: "I promise I'm healthy.", Metadata: metadata}, nil
}

// check decides access to a pod by the level that the route asks for.
func check(req *rest.Request, pod pods.Pod, set permissions.Set) error {
	return permissions.Check(req.Caller, podObject(pod, set), req.Level)
}

// podObject is what access to a pod is decided by.
func podObject(pod pods.Pod, set permissions.Set) permissions.Object {
	return permissions.Object{
		Type: permissions.PodType, TenantID: pod.TenantID, SiteID: pod.SiteID, Set: set, Missing: pods.PodNotFound(pod.ID),
	}
}

// load returns the pod that the path names, if the caller may act on it as the
// route does.
//
// Errors: KindNotFound, also for a pod that the caller may not see;
// KindForbidden.
func (s *Server) load(ctx context.Context, req *rest.Request) (pods.Pod, permissions.Set, error) {
	pod, set, err := s.Store.Pod(ctx, req.Caller.TenantID, req.PathValue("pod_id"))
	if err != nil {
		return pods.Pod{}, nil, err
	}
	return pod, set, check(req, pod, set)
}

// change runs fn on the pod that the path names, in one transaction, if the
// caller may act on it as the route does. What fn reads belongs to it if it uses
// the context it gets.
func (s *Server) change(
	ctx context.Context, req *rest.Request, fn func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error),
) (pods.Pod, error) {
	guarded := func(ctx context.Context, pod pods.Pod, set permissions.Set) (postgres.Change, error) {
		if err := check(req, pod, set); err != nil {
			return postgres.Change{}, err
		}
		change, err := fn(ctx, pod, set)
		for i, text := range change.Actions {
			change.Actions[i] = req.Caller.Action(text)
		}
		return change, err
	}
	return s.Store.ChangePod(ctx, req.Caller.TenantID, req.PathValue("pod_id"), req.Caller, guarded)
}
