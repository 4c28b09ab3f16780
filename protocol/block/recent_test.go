package block

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/ipfs/go-cid"
)

// peerBlock is the bytes of a block of a peer, and its CID.
func peerBlock(i byte, size int) (cid.Cid, []byte) {
	data := bytes.Repeat([]byte{i}, size)
	return Sum(Raw, data), data
}

// TestRecent: blocks from peers are in memory until they are deleted, swept, or too many.
// A caller's buffer is its own again. Other blocks, and small ones, are read from the disk.
func TestRecent(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	named := func(i byte, size int) (cid.Cid, []byte) {
		c, data := peerBlock(i, size)
		given := bytes.Clone(data)
		if err := s.PutNamed(t.Context(), c, given); err != nil {
			t.Fatal(err)
		}
		clear(given)
		return c, data
	}
	c, data := named(1, recentLeast)
	if err := os.Truncate(s.path(c), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), c); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a block that a peer sent: %d bytes, %v", len(got), err)
	}
	if err := s.Delete(c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), c); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
	c, _ = named(2, recentLeast)
	if _, err := s.Sweep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), c); !errors.Is(err, ErrNotFound) {
		t.Errorf("after Sweep: %v", err)
	}
	small, _ := named(3, recentLeast-1)
	put, err := s.Put(t.Context(), Raw, bytes.Repeat([]byte{4}, recentLeast))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []cid.Cid{small, put} {
		if err := os.Truncate(s.path(c), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), c); !errors.Is(err, ErrDamaged) {
			t.Errorf("a file cut short: %v", err)
		}
	}
	// The oldest gives way.
	first, _ := named(10, MaxSize)
	for i := range byte(recentBytes / MaxSize) {
		named(20+i, MaxSize)
	}
	if _, ok := s.recent.get(first); ok || s.recent.size > recentBytes || len(s.recent.order) != len(s.recent.blocks) {
		t.Errorf("%d bytes of %d blocks are kept, the oldest: %v", s.recent.size, len(s.recent.blocks), ok)
	}
	if got, err := s.Get(t.Context(), first); err != nil || len(got) != MaxSize {
		t.Errorf("a block that gave way: %d bytes, %v", len(got), err)
	}
}

// TestRecentSwept: a block that is swept while a peer's bytes of it are being put is not in
// memory either.
func TestRecentSwept(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// These are the two parts of PutNamed, with a sweep between them.
	c, data := peerBlock(1, recentLeast)
	if err := s.put(t.Context(), c, data); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	s.remember(c, data)
	if _, err := s.Get(t.Context(), c); !errors.Is(err, ErrNotFound) {
		t.Errorf("a swept block: %v, want %v", err, ErrNotFound)
	}
}
