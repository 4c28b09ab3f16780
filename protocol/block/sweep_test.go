package block_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
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
		reader, err := block.OpenReadOnly(dir)
		if err != nil {
			t.Fatal(err)
		}
		foreseen, err := reader.Unreachable(ctx, roots)
		if err != nil {
			t.Fatal(err)
		}
		swept, err := s.Sweep(ctx, roots)
		if err != nil {
			t.Fatal(err)
		}
		if swept != foreseen || swept.Kept != len(want) {
			t.Errorf("seed %d: swept %+v, foreseen %+v, want %d kept", seed, swept, foreseen, len(want))
		}
		for _, c := range all {
			if s.Has(c) != want[c] {
				t.Errorf("seed %d: block %s held: %t, want %t", seed, c, s.Has(c), want[c])
			}
		}
		if again, err := s.Sweep(ctx, roots); err != nil || again.Deleted != 0 || again.KeptBytes != swept.KeptBytes {
			t.Errorf("seed %d: a second sweep: %+v, %v", seed, again, err)
		}
	}
}

// TestSweepDamaged holds that a node whose links cannot be read stops a sweep
// before anything is deleted.
func TestSweepDamaged(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := openStore(t, dir)
	leaf := put(t, s, block.Raw, []byte("leaf"))
	loose := put(t, s, block.Raw, []byte("loose"))
	root, err := block.PutNode(ctx, s, linked{Links: []block.Link{{Cid: leaf}}})
	if err != nil {
		t.Fatal(err)
	}
	name := root.String()
	if err := os.WriteFile(filepath.Join(dir, name[len(name)-2:], name), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sweep(ctx, []cid.Cid{root.Cid}); !errors.Is(err, block.ErrDamaged) {
		t.Errorf("Sweep = %v, want ErrDamaged", err)
	}
	if !s.Has(leaf) || !s.Has(loose) || !s.Has(root.Cid) {
		t.Error("a sweep that failed deleted blocks")
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
	set, err := r.Reachable(ctx, []cid.Cid{root.Cid})
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
