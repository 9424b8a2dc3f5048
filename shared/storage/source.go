// Package storage says where the files of volumes and snapshots are for pods,
// and which pod may mount which of them.
package storage

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/pods"
)

// Source is the shared storage as nodes of the cluster see it: a folder of
// theirs, an NFS export, or a claim. The zero value is none.
type Source struct {
	HostPath string // absolute; the same files on every node
	Server   string // host name or address of an NFS server
	Export   string // absolute path on Server
	Claim    string // claim in the pods' namespace, ReadWriteMany
}

// Parse returns the source that one of the three texts names, the zero value for
// none: a folder of every node, "server:/path" of an NFS export, the name of a
// claim.
//
// Errors: for more than one, and for one that makes no sense.
func Parse(hostPath, nfs, claim string) (Source, error) {
	named := 0
	for _, text := range []string{hostPath, nfs, claim} {
		if text != "" {
			named++
		}
	}
	if named > 1 {
		return Source{}, errors.New("the shared storage has more than one source: name a host path, an NFS export or a claim")
	}
	if hostPath != "" && !isFolder(hostPath) {
		return Source{}, fmt.Errorf("the host path %q must be absolute, without '..', and not /", hostPath)
	}
	source := Source{HostPath: hostPath, Claim: claim}
	if nfs != "" {
		// An address of IP version 6 has colons of its own.
		colon := strings.LastIndex(nfs, ":/")
		if colon <= 0 || !path.IsAbs(nfs[colon+1:]) || hasDotDot(nfs) {
			return Source{}, fmt.Errorf("the NFS export %q must be server:/path", nfs)
		}
		source.Server, source.Export = strings.Trim(nfs[:colon], "[]"), nfs[colon+1:]
	}
	return source, nil
}

func isFolder(p string) bool { return path.IsAbs(p) && path.Clean(p) != "/" && !hasDotDot(p) }

func hasDotDot(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// IsZero reports whether there is no shared storage.
func (s Source) IsZero() bool { return s == Source{} }

// Apart reports whether pods can mount each volume by itself. From a claim they
// can only mount folders of the whole share, and then a link that a pod has
// made in its volume may lead a second mount, of a folder in that volume, into
// the volume of someone else: kubelet follows links within what it mounts.
func (s Source) Apart() bool { return s.Claim == "" }

// Folder is where the files of what m mounts are below the root of the share.
func Folder(tenantID string, m pods.Mount) string { return object(tenantID, m).SubPath() }

func object(tenantID string, m pods.Mount) files.Object {
	if m.Type == pods.MountSnapshot {
		return files.Object{Tenant: tenantID, Kind: files.Snapshots, ID: m.SourceID}
	}
	return files.Object{Tenant: tenantID, Kind: files.Volumes, ID: m.SourceID}
}
