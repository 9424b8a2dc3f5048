package document_test

import (
	"testing"

	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
)

// The permission of whoever added a mount is what counts, so nobody can lend
// their name, or take that of another by changing what is mounted.
func TestMountedBy(t *testing.T) {
	t.Parallel()

	const mounts = `"volume_mounts":{
		"/data": {"type":"tapisvolume","source_id":"data","sub_path":"in/","mounted_by":"mallory"},
		"data":  {"type":"tapisvolume","mount_path":"/again"},
		"/own":  {"type":"pvc"}}`
	tests := map[string]struct {
		sent string // by bob, to the pod that alice has made
		want map[string]string
	}{
		"Nothing":         {`{"description":"new"}`, map[string]string{"/data": "alice", "data": "alice", "/own": ""}},
		"SameSentBack":    {`{` + mounts + `}`, map[string]string{"/data": "alice", "data": "alice", "/own": ""}},
		"SameWrittenElse": {`{"volume_mounts":{"/data":{"type":"tapisvolume","source_id":"data","sub_path":"./in","read_only":false}}}`, map[string]string{"/data": "alice"}},
		"WithoutPath":     {`{"volume_mounts":{"data":{"type":"tapisvolume"}}}`, map[string]string{"data": "alice"}},
		"OtherVolume":     {`{"volume_mounts":{"/data":{"type":"tapisvolume","source_id":"other","sub_path":"in","mounted_by":"alice"}}}`, map[string]string{"/data": "bob"}},
		"OtherPart":       {`{"volume_mounts":{"/data":{"type":"tapisvolume","source_id":"data"}}}`, map[string]string{"/data": "bob"}},
		"OtherType":       {`{"volume_mounts":{"/data":{"type":"tapissnapshot","source_id":"data","sub_path":"in"}}}`, map[string]string{"/data": "bob"}},
		"ReadOnly":        {`{"volume_mounts":{"/data":{"type":"tapisvolume","source_id":"data","sub_path":"in","read_only":true}}}`, map[string]string{"/data": "bob"}},
		"OtherPlace":      {`{"volume_mounts":{"/more":{"type":"tapisvolume","source_id":"data","sub_path":"in"}}}`, map[string]string{"/more": "bob"}},
		"Removed":         {`{"volume_mounts":{"/data":null}}`, map[string]string{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			patch, err := document.Pod([]byte(`{"pod_id":"docpod","image":"nginx",` + mounts + `}`))
			if err != nil {
				t.Fatal(err)
			}
			pod, err := pods.New(pods.Caller{Username: "alice"}, tenant, patch, pods.NewRules(), "life", pods.Pod{}.CreationTS)
			if err != nil {
				t.Fatal(err)
			}
			if patch, err = document.Pod([]byte(tc.sent)); err != nil {
				t.Fatal(err)
			}
			updated, err := pod.Update(pods.Caller{Username: "bob"}, tenant, patch, pods.NewRules())
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, mount := range updated.Mounts() {
				got[mount.Key] = mount.MountedBy
			}
			if len(got) != len(tc.want) {
				t.Errorf("mounts %v, want %v", got, tc.want)
			}
			for key, by := range tc.want {
				if got[key] != by {
					t.Errorf("%s is mounted by %q, want %q", key, got[key], by)
				}
			}
			for key, mount := range updated.Definition().VolumeMounts.Value {
				if mount != nil && mount.MountedBy != "" {
					t.Errorf("as a template, %s is mounted by %q", key, mount.MountedBy)
				}
			}
		})
	}
}
