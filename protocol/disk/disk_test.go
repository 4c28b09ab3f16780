package disk_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/alia-network/alia/protocol/disk"
)

// recorder notes what is synced, and fails from the n-th sync on.
type recorder struct {
	mu    sync.Mutex
	names []string
	fail  int
}

var errPower = errors.New("power cut")

func (r *recorder) Sync(f *os.File) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail > 0 && len(r.names)+1 >= r.fail {
		return errPower
	}
	r.names = append(r.names, f.Name())
	return nil
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "head")
	var r recorder
	if err := disk.WriteFile(&r, path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if len(r.names) != 2 || filepath.Dir(r.names[0]) != dir || r.names[1] != dir {
		t.Errorf("synced %v, want the new file and then %s", r.names, dir)
	}
	// The file is not synced: the file of before stays, and nothing else.
	if err := disk.WriteFile(&recorder{fail: 1}, path, []byte("two")); !errors.Is(err, errPower) {
		t.Errorf("WriteFile = %v, want the failed sync", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "one" {
		t.Errorf("the file holds %q, %v; want what it held before", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
	// The name is not durable: whoever wrote the file must hear of it.
	if err := disk.WriteFile(&recorder{fail: 2}, path, []byte("two")); !errors.Is(err, errPower) {
		t.Errorf("WriteFile = %v, want the failed sync of the directory", err)
	}
	if err := disk.WriteFile(disk.OS, path, []byte("three")); err != nil {
		t.Errorf("WriteFile by the system: %v", err)
	}
}

func TestSyncAll(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for i := range 40 {
		files = append(files, filepath.Join(dir, string(rune('A'+i))))
		if err := os.WriteFile(files[i], nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var r recorder
	if err := disk.SyncAll(&r, files, []string{dir}); err != nil {
		t.Fatal(err)
	}
	if last := r.names[len(r.names)-1]; last != dir {
		t.Errorf("synced %s last, want the directory", last)
	}
	slices.Sort(r.names)
	if want := append([]string{dir}, files...); !slices.Equal(r.names, want) {
		t.Errorf("synced %v, want %v", r.names, want)
	}
	if err := disk.SyncAll(&recorder{fail: 20}, files, []string{dir}); !errors.Is(err, errPower) {
		t.Errorf("SyncAll = %v, want the failed sync", err)
	}
	if err := disk.SyncAll(disk.OS, files, []string{dir, filepath.Join(dir, "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("SyncAll of a missing directory = %v", err)
	}
}

func TestMakeDir(t *testing.T) {
	top := t.TempDir()
	var r recorder
	if err := disk.MakeDir(&r, filepath.Join(top, "a", "b")); err != nil {
		t.Fatal(err)
	}
	if want := []string{top, filepath.Join(top, "a")}; !slices.Equal(r.names, want) {
		t.Errorf("synced %v, want %v", r.names, want)
	}
	if err := disk.MakeDir(&r, filepath.Join(top, "a")); err != nil || len(r.names) != 2 {
		t.Errorf("a directory that is there was synced: %v, %v", r.names, err)
	}
}
