package block_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// linked is a node with links, as round logs and sets have them.
type linked struct {
	_     struct{} `cbor:",toarray"`
	Name  uint64
	Links []block.Link
}

// TestSweep deletes from random graphs and compares what is left with a slow,
// recursive version.
func TestSweep(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 7))
		dir := t.TempDir()
		s := openStore(t, dir)
		edges := map[cid.Cid][]cid.Cid{}
		var all []cid.Cid
		for i := range 60 {
			if rng.IntN(3) == 0 {
				all = append(all, put(t, s, block.Raw, []byte{byte(i), byte(seed)}))
				continue
			}
			n := linked{Name: uint64(i)}
			var to []cid.Cid
			for range rng.IntN(4) {
				if len(all) == 0 {
					break
				}
				c := all[rng.IntN(len(all))]
				to, n.Links = append(to, c), append(n.Links, block.Link{Cid: c})
			}
			l, err := block.PutNode(ctx, s, n)
			if err != nil {
				t.Fatal(err)
			}
			edges[l.Cid] = to
			all = append(all, l.Cid)
		}
		roots := []cid.Cid{all[rng.IntN(len(all))], all[rng.IntN(len(all))]}
		gone := all[rng.IntN(len(all))] // deleted on purpose, as old states are
		if err := s.Delete(gone); err != nil {
			t.Fatal(err)
		}
		want := map[cid.Cid]bool{}
		var visit func(cid.Cid)
		visit = func(c cid.Cid) {
			if c == gone || want[c] {
				return
			}
			want[c] = true
			for _, to := range edges[c] {
				visit(to)
			}
		}
		for _, r := range roots {
			visit(r)
		}
		if rng.IntN(2) == 0 { // another process, to which the blocks are new
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, dir)
		}
		if err := block.PinTree(ctx, s, "owner", roots...); err != nil {
			t.Fatal(err)
		}
		if err := s.Survey(); err != nil {
			t.Fatal(err)
		}
		foreseen := s.Usage()
		swept, err := s.Sweep(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if swept.Deleted != foreseen.Loose || swept.DeletedBytes != foreseen.LooseBytes || foreseen.Owned != len(want) {
			t.Errorf("seed %d: swept %+v, foreseen %+v, want %d kept", seed, swept, foreseen, len(want))
		}
		for _, c := range all {
			if s.Has(c) != want[c] {
				t.Errorf("seed %d: block %s held: %t, want %t", seed, c, s.Has(c), want[c])
			}
		}
		left := s.Usage()
		if again, err := s.Sweep(ctx, 0); err != nil || again.Deleted != 0 || left.Owned != len(want) || left.Loose != 0 {
			t.Errorf("seed %d: a second sweep: %+v, %v; the store holds %+v", seed, again, err, left)
		}
	}
}

// TestPinDamaged: a node whose links cannot be read is an error, so that whoever
// sweeps hears of it. What else the root leads to is pinned.
func TestPinDamaged(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openStore(t, dir)
	leaf := put(t, s, block.Raw, []byte("leaf"))
	torn, err := block.PutNode(ctx, s, linked{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := block.PutNode(ctx, s, linked{Links: []block.Link{torn, {Cid: leaf}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fileOf(dir, torn.Cid), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := block.PinTree(ctx, s, "owner", root.Cid); !errors.Is(err, block.ErrDamaged) {
		t.Errorf("PinTree = %v, want ErrDamaged", err)
	}
	if _, err := s.Sweep(ctx, 0); err != nil || !s.Has(leaf) || !s.Has(root.Cid) {
		t.Errorf("after a sweep: leaf %t, root %t, %v", s.Has(leaf), s.Has(root.Cid), err)
	}
}

// TestReachable counts the bytes of what a root leads to.
func TestReachable(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openStore(t, dir)
	leaf := put(t, s, block.Raw, []byte("four"))
	put(t, s, block.Raw, []byte("not reached"))
	root, err := block.PutNode(ctx, s, linked{Links: []block.Link{{Cid: leaf}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := block.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := block.Reachable(ctx, r, root.Cid)
	if err != nil || len(set) != 2 {
		t.Fatalf("Reachable = %v, %v", slices.Collect(maps.Keys(set)), err)
	}
	node, err := s.Get(ctx, root.Cid)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Bytes(set); err != nil || n != int64(len(node)+4) {
		t.Errorf("Bytes = %d, %v; want %d", n, err, len(node)+4)
	}
}
