package function_test

import (
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/function"
)

func TestSharedSource(t *testing.T) {
	t.Parallel()

	set := function.SharedStorage{StorageNFS: "files.example:/pods"}
	if source, err := set.SharedSource(); err != nil || source.Server != "files.example" || source.Export != "/pods" {
		t.Errorf("an NFS export = %+v, %v", source, err)
	}
	set.StorageClaim = "shared"
	if _, err := set.SharedSource(); err == nil || !strings.Contains(err.Error(), "PODS_STORAGE_NFS") {
		t.Errorf("two sources: %v", err)
	}
	if objects, files, err := set.OpenObjects(nil, nil, nil); objects != nil || files != nil || err != nil {
		t.Errorf("without a folder = %v, %v, %v", objects, files, err)
	}
}
