package function

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/storage"
)

// SharedStorage says where the files of volumes and snapshots are, as this
// program sees them and as pods do: the same ones. Without it there are none.
type SharedStorage struct {
	// StoragePath is for programs that work on the files themselves.
	StoragePath     string `env:"PODS_STORAGE_PATH" help:"folder of volumes and snapshots, as this program sees it"`
	StorageHostPath string `env:"PODS_STORAGE_HOST_PATH" help:"the same folder on every node of the cluster, for pods"`
	StorageNFS      string `env:"PODS_STORAGE_NFS" help:"or server:/path of the same folder as an NFS export"`
	StorageClaim    string `env:"PODS_STORAGE_CLAIM" help:"or a ReadWriteMany claim of the same folder in the namespace of the pods"`
	// StorageGrace is for programs that work on the files, too.
	StorageGrace time.Duration `env:"PODS_STORAGE_GRACE" envDefault:"168h" help:"how long deleted volumes and snapshots can be restored"`
}

// SharedSource returns where pods find the shared storage.
//
// Errors: naming the variables when they are too many or make no sense.
func (s SharedStorage) SharedSource() (storage.Source, error) {
	source, err := storage.Parse(s.StorageHostPath, s.StorageNFS, s.StorageClaim)
	if err != nil {
		return storage.Source{}, fmt.Errorf("PODS_STORAGE_HOST_PATH, PODS_STORAGE_NFS, PODS_STORAGE_CLAIM: %w", err)
	}
	return source, nil
}

// OpenObjects opens the volumes and snapshots whose rows are in store. Both are
// nil when there is no shared storage.
//
// Errors: when the folder cannot be opened, or made.
func (s SharedStorage) OpenObjects(store *postgres.Store, deriver objects.Deriver, logger *slog.Logger) (*objects.Objects, *files.Store, error) {
	if s.StoragePath == "" {
		return nil, nil, nil
	}
	stored, err := files.Open(s.StoragePath, files.Options{})
	if err != nil {
		return nil, nil, fmt.Errorf("PODS_STORAGE_PATH: %w", err)
	}
	return objects.New(objects.Options{Store: store, Files: stored, Deriver: deriver, Grace: s.StorageGrace, Logger: logger}), stored, nil
}
