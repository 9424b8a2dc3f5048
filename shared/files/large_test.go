package files

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
)

// maxGrowth is how much the heap may grow, in bytes, whatever is moved.
const maxGrowth = 50 << 20

// heap watches the heap from the moment it is made.
type heap struct{ first, most uint64 }

func newHeap() *heap {
	runtime.GC()
	h := &heap{}
	h.look()
	h.first = h.most
	return h
}

func (h *heap) look() {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	h.most = max(h.most, now.HeapInuse)
}

func (h *heap) wantFlat(t *testing.T, what string) {
	t.Helper()
	h.look()
	if grown := h.most - h.first; grown > maxGrowth {
		t.Errorf("%s: the heap grows by %d MiB", what, grown>>20)
	}
}

// Read and Write let the heap be looked at in the middle of a transfer.
func (h *heap) Read(p []byte) (int, error) {
	clear(p)
	h.look()
	return len(p), nil
}

func (h *heap) Write(p []byte) (int, error) {
	h.look()
	return len(p), nil
}

// Gigabytes go in and out, alone, in a zip and in a copy, in constant memory.
// Nothing else runs meanwhile, because the heap is one.
func TestLargeFile(t *testing.T) { //nolint:paralleltest // see above
	size := int64(2 << 30)
	if raceEnabled || testing.Short() {
		size = 256 << 20
	}
	f := newFixture(t, Options{})
	h := newHeap()
	n, err := f.Write(t.Context(), volume, "large", io.LimitReader(h, size), size)
	if n != size || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	h.wantFlat(t, "Write")

	h = newHeap()
	file, info, err := f.Read(t.Context(), volume, "large")
	f.must(err)
	defer func() { _ = file.Close() }()
	if n, err := io.Copy(h, file); n != size || info.Size != size || err != nil {
		t.Errorf("Read gives %d bytes of %d, %v", n, info.Size, err)
	}
	h.wantFlat(t, "Read")

	h = newHeap()
	f.must(f.Zip(t.Context(), volume, "", h))
	h.wantFlat(t, "Zip")

	h = newHeap()
	copied, err := f.Copy(t.Context(), volume, "", snapshot, "", CopyMode{})
	if err != nil || copied.Bytes < size {
		t.Errorf("Copy = %+v, %v", copied, err)
	}
	h.wantFlat(t, "Copy")
}

// A folder of a hundred thousand files is listed, measured and purged a page at
// a time.
func TestLargeFolder(t *testing.T) { //nolint:paralleltest // the heap is one
	const files = 100_000
	f := newFixture(t, Options{})
	f.must(os.Mkdir(f.at(volume, "folder"), 0o777))
	in := open(t, f.at(volume, "folder"))
	for i := range files {
		file, err := in.create(fmt.Sprintf("a file with a name of some length, number %d", i))
		f.must(err)
		f.must(file.Close())
	}

	h := newHeap()
	count := 0
	f.must(f.List(t.Context(), volume, "", true, func(File) error {
		if count++; count%1000 == 0 {
			h.look()
		}
		return nil
	}))
	if count != files+1 {
		t.Errorf("%d files are listed", count)
	}
	h.wantFlat(t, "List")

	if size, err := f.Measure(t.Context(), volume); err != nil || size.Files != files {
		t.Errorf("Measure = %+v, %v", size, err)
	}
	h.wantFlat(t, "Measure")

	f.must(f.Remove(t.Context(), volume))
	if n, err := f.Purge(t.Context(), clock.Add(1)); n != 1 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	h.wantFlat(t, "Purge")
	f.wantClean()
}
