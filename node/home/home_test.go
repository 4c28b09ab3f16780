package home_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol/block"
)

// TestPaths: every path is below the home, and no two are the same.
func TestPaths(t *testing.T) {
	d := home.Dir(filepath.Join("some", "where"))
	link := block.Link{Cid: block.Sum(block.CBOR, []byte{0xf6})}
	seen := map[string]bool{}
	for _, path := range []string{
		d.Wallet(), d.Network(), d.Settings(), d.Blocks(), d.Peers(), d.Runs(), d.Run(link), d.Models(), d.Model(link),
		d.Decisions(), d.Jobs(), d.Job(link), d.Order(link), d.Receipts(), d.Receipt(link), d.Chain(), d.Swarms(), d.Log(), d.Socket(),
	} {
		if !strings.HasPrefix(path, string(d)+string(filepath.Separator)) || seen[path] {
			t.Errorf("%s is outside the home, or has two meanings", path)
		}
		seen[path] = true
	}
	if got, want := d.Run(link), filepath.Join(string(d), "runs", link.String()); got != want {
		t.Errorf("the directory of a run is %s, want %s", got, want)
	}
}

func TestDefault(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	t.Setenv("XDG_DATA_HOME", "")
	if d, err := home.Default(); err != nil || d != home.Dir(filepath.Join("/home/ada", ".local", "share", "alia")) {
		t.Errorf("with HOME: %s, %v", d, err)
	}
	t.Setenv("XDG_DATA_HOME", "/data")
	if d, err := home.Default(); err != nil || d != home.Dir(filepath.Join("/data", "alia")) {
		t.Errorf("with XDG_DATA_HOME: %s, %v", d, err)
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_DATA_HOME", "")
	if d, err := home.Default(); err == nil || !strings.Contains(err.Error(), "--home") {
		t.Errorf("with neither: %s, %v; want an error that names --home", d, err)
	}
}

// TestKey: a home's key is made once, and then the same.
func TestKey(t *testing.T) {
	d := home.Dir(filepath.Join(t.TempDir(), "new", "home"))
	first, err := d.Key()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.Key(); err != nil || !again.Equal(first) {
		t.Errorf("the second time: another key, %v", err)
	}
	if info, err := os.Stat(string(d)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the new home: %v, %v, want mode 0700", info.Mode(), err)
	}
	if err := os.WriteFile(d.Wallet(), []byte("no wallet"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Key(); err == nil {
		t.Error("a damaged wallet is replaced")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := home.Dir(file).Store(); err == nil {
		t.Error("a file serves as a home")
	}
}

// TestLeftovers: what a killed process left half written is deleted by the next that opens
// the store, whatever the home is called; whole files stay.
func TestLeftovers(t *testing.T) {
	d := home.Dir(filepath.Join(t.TempDir(), "[home"))
	link := block.Link{Cid: block.Sum(block.Raw, nil)}
	whole := []string{filepath.Join(d.Run(link), home.HeadFile), filepath.Join(d.Model(link), "params"), d.Receipt(link)}
	half := []string{
		filepath.Join(d.Run(link), "."+home.HeadFile+"-123"), filepath.Join(d.Models(), ".model-123", "params"), filepath.Join(d.Receipts(), "."+link.String()+"-123"),
	}
	for _, path := range append(half, whole...) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	store, err := d.Store()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, path := range half {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for _, path := range whole {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func inUse(t *testing.T, d home.Dir) bool {
	t.Helper()
	used, err := d.InUse()
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// TestInUseReadsOnly: whether a process has a home open is told of a home whose store
// cannot be opened, as on a disk that is read-only; and looking changes nothing.
func TestInUseReadsOnly(t *testing.T) {
	d := home.Dir(t.TempDir())
	if err := os.MkdirAll(d.Blocks(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("no directory/lock", filepath.Join(d.Blocks(), "lock")); err != nil { // it cannot be made
		t.Fatal(err)
	}
	if _, err := d.Store(); err == nil {
		t.Fatal("the store was opened")
	}
	if inUse(t, d) {
		t.Error("the home is in use")
	}
	if entries, err := os.ReadDir(d.Blocks()); err != nil || len(entries) != 1 {
		t.Errorf("the directory of blocks has %v now, %v", entries, err)
	}
}

// TestInUse: a home knows that a process has its store open, and looking leaves no trace.
func TestInUse(t *testing.T) {
	d := home.Dir(filepath.Join(t.TempDir(), "h"))
	if inUse(t, d) {
		t.Error("a home that is not there is in use")
	}
	store, err := d.Store()
	if err != nil {
		t.Fatal(err)
	}
	if !inUse(t, d) {
		t.Error("an open store is not in use")
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if inUse(t, d) {
		t.Error("a closed store is in use")
	}
	if again, err := d.Store(); err != nil {
		t.Errorf("looking at the store keeps it locked: %v", err)
	} else if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
