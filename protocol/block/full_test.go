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

// TestStoreFullDisk lets the system refuse writes past 1,000 bytes, as a full
// disk would: the error says what and why, and nothing is left behind.
func TestStoreFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Skip("no file size limit here:", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: old.Max}); err != nil {
		t.Skip("no file size limit here:", err)
	}
	data := make([]byte, 5000)
	_, err := s.Put(context.Background(), block.Raw, data)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
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
