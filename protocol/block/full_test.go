//go:build unix && !aix && !solaris

package block_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/alia-network/alia/protocol/block"
)

// limitFiles lets the system refuse writes past a number of bytes, as a full disk would,
// until restore is called.
func limitFiles(t *testing.T, bytes uint64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Skip("no file size limit here:", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: old.Max}); err != nil {
		t.Skip("no file size limit here:", err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
}

// TestStoreFullDisk: on a full disk the error of Put says what and why, and nothing is
// left behind.
func TestStoreFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	data := make([]byte, 5000)
	restore := limitFiles(t, 1000)
	_, err := s.Put(context.Background(), block.Raw, data)
	restore()
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("Put = %v, want EFBIG wrapped", err)
	}
	c := block.Sum(block.Raw, data)
	if s.Has(c) {
		t.Error("a partial block is held")
	}
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
	if put(t, s, block.Raw, data); !s.Has(c) {
		t.Error("not held once there is room again")
	}
}

// TestOpenFullDisk: a store opens on a full disk, or nobody could delete its blocks.
func TestOpenFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	c := put(t, s, block.Raw, []byte("nobody needs it"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	defer limitFiles(t, 0)()
	s, err := block.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Delete(c); err != nil || s.Has(c) {
		t.Errorf("Delete = %v; the block is held: %v", err, s.Has(c))
	}
	if _, err := block.Open(dir); !errors.Is(err, block.ErrInUse) {
		t.Errorf("a second Open = %v, want ErrInUse", err)
	}
}
