package document_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
)

var (
	caller = pods.Caller{TenantID: "dev", SiteID: "local", Username: "alice"}
	tenant = pods.Tenant{ID: "dev", SiteID: "local", PodsDomain: "pods.localhost"}
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

// create reads body and makes a pod of it, as the API does.
func create(body string) (pods.Pod, error) {
	patch, reading := document.Pod([]byte(body))
	pod, checking := pods.New(caller, tenant, patch, pods.NewRules(), "uid", noon)
	return pod, document.Both(reading, checking)
}

// TestCreateRefuses holds one case for each rule of each field.
func TestCreateRefuses(t *testing.T) {
	t.Parallel()

	with := func(field string) string { return `{"pod_id":"db1","image":"x",` + field + `}` }
	network := func(fields string) string { return with(`"networking":{"default":{` + fields + `}}`) }
	tests := map[string]struct{ body, want string }{
		"NotJSON":             {`{`, "body: not valid JSON"},
		"NotObject":           {`[]`, "expected a JSON object"},
		"Null":                {`null`, "expected a JSON object"},
		"NoID":                {`{"image":"x"}`, "body, pod_id: pod_id is required"},
		"IDNumber":            {`{"pod_id":5,"image":"x"}`, "body, pod_id: pod_id must be a string"},
		"IDUpper":             {`{"pod_id":"Db1","image":"x"}`, "pod_id must be lowercase alphanumeric. First character must be alpha."},
		"IDDigitFirst":        {`{"pod_id":"1db","image":"x"}`, "pod_id must be lowercase alphanumeric"},
		"IDNewline":           {`{"pod_id":"db1\n","image":"x"}`, "pod_id must be lowercase alphanumeric"},
		"IDShort":             {`{"pod_id":"db","image":"x"}`, "pod_id length must be between 3-64 characters"},
		"IDLong":              {`{"pod_id":"` + strings.Repeat("a", 65) + `","image":"x"}`, "pod_id length must be between 3-64 characters"},
		"IDReserved":          {`{"pod_id":"templates","image":"x"}`, "pod_id must not be a reserved word"},
		"NoImage":             {`{"pod_id":"db1"}`, "image is required if template is not provided."},
		"TwoColons":           {`{"pod_id":"db1","image":"a:b:c"}`, "image cannot have more than one ':'"},
		"ImageSpace":          {`{"pod_id":"db1","image":"a b"}`, "image may only contain ASCII characters"},
		"UnknownField":        {with(`"colour":"red"`), "body, colour: colour is not a known field"},
		"LongDescription":     {with(`"description":"` + strings.Repeat("d", 404) + `"`), "description field must be less than 404 characters"},
		"DescriptionUmlaut":   {with(`"description":"ä"`), "description field may only contain ASCII characters"},
		"DescriptionNull":     {with(`"description":null`), "description must be a string"},
		"CommandText":         {with(`"command":"sleep 5"`), "command must be a list of strings"},
		"CommandNumber":       {with(`"command":["sleep",5]`), "command must be a list of strings"},
		"CommandNUL":          {with(`"command":["a\u0000"]`), "command cannot contain a NUL byte"},
		"EnvironmentNumber":   {with(`"environment_variables":{"A":1}`), "environment_variables must be a dict of strings"},
		"EnvironmentEmptyKey": {with(`"environment_variables":{"":"x"}`), "environment_variables keys cannot be empty"},
		"EnvironmentEquals":   {with(`"environment_variables":{"A=B":"x"}`), "environment_variables keys may only contain"},
		"EnvironmentNUL":      {with(`"environment_variables":{"A":"\u0000"}`), "cannot contain a NUL byte"},
		"StatusRequested":     {with(`"status_requested":"MAYBE"`), "status_requested must be in"},
		"TimeToStopShort":     {with(`"time_to_stop_default":299`), "must be -1 or be greater than 300 seconds"},
		"TimeToStopText":      {with(`"time_to_stop_default":"soon"`), "time_to_stop_default must be an integer"},
		"TimeToStopFraction":  {with(`"time_to_stop_instance":300.5`), "time_to_stop_instance must be an integer"},
		"TimeToStopHuge":      {with(`"time_to_stop_default":9223372036854775807`), "time_to_stop_default must be at most"},
		"QueueUnknown":        {with(`"compute_queue":"gpuqueue"`), "compute_queue must be in compute_queues list"},
		"QueueUpper":          {with(`"compute_queue":"Default"`), "compute_queue must be lowercase alphanumeric"},
		"CPUBelow":            {with(`"resources":{"cpu_request":100}`), "resources.cpu_x out of bounds. Received"},
		"MemoryAbove":         {with(`"resources":{"mem_limit":99999}`), "resources.mem_x out of bounds. Received"},
		"CPUOrder":            {with(`"resources":{"cpu_request":3000}`), "resources.cpu_x found cpu_request(3000) > cpu_limit(2000)"},
		"MemoryOrder":         {with(`"resources":{"mem_request":4000,"mem_limit":300}`), "resources.mem_x found mem_request("},
		"GPUs":                {with(`"resources":{"gpus":2}`), "resources.gpus out of bounds"},
		"ResourcesUnknown":    {with(`"resources":{"disk":1}`), "body, resources, disk: disk is not a known field"},
		"ResourcesList":       {with(`"resources":[]`), "expected a JSON object"},
		"NetworkingList":      {with(`"networking":[]`), "networking must be a dict"},
		"NetworkingKey":       {with(`"networking":{"My-Key":{}}`), "networking key must be lowercase alphanumeric"},
		"NetworkingFive":      {with(`"networking":{"aaa":{},"bbb":{},"ccc":{},"ddd":{},"eee":{}}`), "networking dictionary may only contain up to 4 stanzas"},
		"Protocol":            {network(`"protocol":"udp"`), "networking.protocol must be one of the following"},
		"Port":                {network(`"port":9`), "must be an int with 2 to 5 digits"},
		"PortAbove":           {network(`"port":70000`), "must be an int with 2 to 5 digits"},
		"PortText":            {network(`"port":"http"`), "port must be an integer"},
		"AllowListStar":       {network(`"ip_allow_list":["*"]`), "networking.ip_allow_list may only contain IPv4"},
		"AllowListIPv6":       {network(`"ip_allow_list":["::1"]`), "networking.ip_allow_list may only contain IPv4"},
		"AuthOnTCP":           {network(`"protocol":"tcp","tapis_auth":true`), "networking.tapis_auth can only be used with protocol 'http'"},
		"HeaderInjection":     {network(`"tapis_auth_response_headers":{"X-A":"a\r\nb"}`), "cannot contain control characters"},
		"HeaderName":          {network(`"tapis_auth_response_headers":{"X A":"a"}`), "names must be HTTP header names"},
		"ReturnPath":          {network(`"tapis_auth_return_path":"//evil?x"`), "networking.tapis_auth_return_path must start"},
		"CORSOnTCP":           {network(`"protocol":"tcp","cors_allow_origins":["http://a"]`), "cors fields can only be used with protocol 'http'"},
		"CORSMethod":          {network(`"cors_allow_methods":["BREW"]`), "networking.cors_allow_methods may only contain"},
		"CORSAge":             {network(`"cors_max_age":101`), "networking.cors_max_age must be between"},
		"UIURI":               {network(`"tapis_ui_uri":"admin"`), "networking.tapis_ui_uri must start"},
		"NextTierField":       {network(`"cors_add_vary_header":true`), "is not a known field"},
		"MountNoType":         {with(`"volume_mounts":{"vol":{}}`), "must specify a 'type'"},
		"MountType":           {with(`"volume_mounts":{"vol":{"type":"nfs"}}`), "Invalid volume mount type"},
		"MountRelative":       {with(`"volume_mounts":{"vol":{"type":"tapisvolume","mount_path":"data"}}`), "must be an absolute path"},
		"MountDotDot":         {with(`"volume_mounts":{"/data/../etc":{"type":"pvc"}}`), "cannot contain '..'"},
		"MountSubPath":        {with(`"volume_mounts":{"/data":{"type":"pvc","sub_path":"../x"}}`), "cannot contain '..'"},
		"MountNoSource":       {with(`"volume_mounts":{"/data":{"type":"tapisvolume"}}`), "must specify 'source_id'"},
		"MountTwice":          {with(`"volume_mounts":{"aaa":{"type":"pvc"},"bbb":{"type":"pvc"}}`), "can mount only one volume at"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := create(tc.body)
			failure, ok := errors.AsType[*pods.Error](err)
			if !ok || failure.Kind != pods.KindInvalid || len(failure.Fields) == 0 {
				t.Fatalf("create = %v, want a list of invalid fields", err)
			}
			if !strings.Contains(failure.Error(), tc.want) {
				t.Errorf("create says %q, want it to contain %q", failure, tc.want)
			}
		})
	}
}

func TestCreateReportsEveryFieldOnce(t *testing.T) {
	t.Parallel()

	_, err := create(`{"pod_id":7,"image":"a:b:c","description":"ü","colour":1,"time_to_stop_default":5}`)
	failure, ok := errors.AsType[*pods.Error](err)
	if !ok {
		t.Fatalf("create = %v, want a list", err)
	}
	var got []string
	for _, field := range failure.Fields {
		got = append(got, strings.Join(field.Location, "."))
	}
	want := []string{"body.pod_id", "body.colour", "body.image", "body.description", "body.time_to_stop_default"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields differ (-want +got):\n%s", diff)
	}
}

func TestCreateFillsDefaults(t *testing.T) {
	t.Parallel()

	pod, err := create(`{"pod_id":"docpod","image":"nginx","resources":{"cpu_request":"","mem_limit":"4096"},"networking":{"default":{"port":"8080","protocol":"HTTP"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if pod.Status != pods.StatusRequested || pod.StatusRequested != pods.DesiredOn || pod.Instance != 1 {
		t.Errorf("status %s, wish %s, instance %d", pod.Status, pod.StatusRequested, pod.Instance)
	}
	if pod.TimeToStopDefault != 43200 || *pod.Resources.CPURequest != 250 || *pod.Resources.MemLimit != 4096 {
		t.Errorf("time to stop %d, resources %+v", pod.TimeToStopDefault, pod.Resources)
	}
	entry := pod.Networking["default"]
	if entry.Port != 8080 || entry.Protocol != "http" || entry.URL != "docpod.pods.localhost" || entry.TapisAuthReturnPath != "/" {
		t.Errorf("networking %+v", entry)
	}
	want := []string{"image", "networking", "pod_id", "resources.mem_limit"}
	if diff := cmp.Diff(want, pod.Modified); diff != "" {
		t.Errorf("modified fields differ (-want +got):\n%s", diff)
	}
}

func TestUpdateKeepsWhatIsNotSent(t *testing.T) {
	t.Parallel()

	pod, err := create(`{"pod_id":"docpod","image":"nginx","description":"one","command":["a"],"volume_mounts":{"data":{"type":"pvc","mount_path":"/data"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := document.Pod([]byte(`{"command":null,"volume_mounts":{"data":{"type":"pvc"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	updated, err := pod.Update(pods.Caller{Username: "alice"}, tenant, patch, pods.NewRules())
	if err != nil {
		t.Fatal(err)
	}
	if updated.Description != "one" || updated.Command != nil {
		t.Errorf("description %q, command %v; want the first kept and the second cleared", updated.Description, updated.Command)
	}
	if path := updated.VolumeMounts["data"].MountPath; path == nil || *path != "/data" {
		t.Errorf("mount path %v, want the stored /data", path)
	}
	if _, err := pod.Update(pods.Caller{Username: "alice"}, tenant, pods.Patch{ID: pods.Some("other")}, pods.NewRules()); pods.KindOf(err) != pods.KindInvalid {
		t.Errorf("renaming = %v, want invalid", err)
	}
}
