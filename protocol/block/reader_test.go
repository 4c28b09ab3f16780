package block_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/alia-network/alia/protocol/block"
)

// TestReader: a reader sees a store that is open, damage included, and changes
// nothing.
func TestReader(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openStore(t, dir)
	sound, damaged := put(t, s, block.Raw, []byte("sound")), put(t, s, block.Raw, []byte("whole"))
	if err := os.WriteFile(fileOf(dir, damaged), []byte("holed"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := block.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Get(ctx, sound); err != nil || string(got) != "sound" {
		t.Errorf("Get = %q, %v", got, err)
	}
	if _, err := r.Get(ctx, damaged); !errors.Is(err, block.ErrDamaged) {
		t.Errorf("Get of a damaged block = %v", err)
	}
	if got, err := r.Inspect(damaged); err != nil || string(got) != "holed" {
		t.Errorf("Inspect of a damaged block = %q, %v", got, err)
	}
	if _, err := r.Get(ctx, block.Sum(block.Raw, nil)); !errors.Is(err, block.ErrNotFound) {
		t.Errorf("Get of an absent block = %v", err)
	}
	if _, err := r.Put(ctx, block.Raw, nil); err == nil {
		t.Error("Put succeeded")
	}
	if _, err := os.Stat(fileOf(dir, damaged)); err != nil {
		t.Errorf("the damaged block: %v", err)
	}
	if _, err := block.OpenReadOnly(filepath.Join(dir, "absent")); err == nil {
		t.Error("a store that is not there was opened")
	}
}
