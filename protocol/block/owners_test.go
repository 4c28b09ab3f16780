package block_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
)

// swept is a slow, obvious version of owners: every block has the set of its owners.
type swept struct {
	owners map[cid.Cid]map[string]bool
	loose  []cid.Cid // stored, without an owner, the oldest first
	sizes  map[cid.Cid]int64
}

// settle puts a block where it belongs now.
func (m *swept) settle(c cid.Cid) {
	m.loose = slices.DeleteFunc(m.loose, func(l cid.Cid) bool { return l == c })
	if _, stored := m.sizes[c]; stored && len(m.owners[c]) == 0 {
		m.loose = append(m.loose, c)
	}
}

func (m *swept) pin(owner string, c cid.Cid) (stored bool) {
	if m.owners[c] == nil {
		m.owners[c] = map[string]bool{}
	}
	if !m.owners[c][owner] {
		m.owners[c][owner] = true
		m.settle(c)
	}
	_, stored = m.sizes[c]
	return stored
}

func (m *swept) unpin(owner string, order, keep []cid.Cid) {
	for _, c := range order {
		if m.owners[c][owner] && !slices.Contains(keep, c) {
			delete(m.owners[c], owner)
			m.settle(c)
		}
	}
}

func (m *swept) sweep(spare int64) (n int) {
	var sum int64
	for _, c := range m.loose {
		sum += m.sizes[c]
	}
	for len(m.loose) > 0 && sum > spare {
		sum -= m.sizes[m.loose[0]]
		delete(m.sizes, m.loose[0])
		m.loose = m.loose[1:]
		n++
	}
	return n
}

// TestOwners does random things to each store and to the slow version.
func TestOwners(t *testing.T) {
	for name, open := range map[string]func() block.Keeper{
		"Memory": func() block.Keeper { return new(block.MemoryStore) },
		"Store":  func() block.Keeper { return openStore(t, t.TempDir()) },
	} {
		for seed := range uint64(20) {
			s, rng := open(), rand.New(rand.NewPCG(seed, 3))
			m := &swept{owners: map[cid.Cid]map[string]bool{}, sizes: map[cid.Cid]int64{}}
			var data [][]byte
			var all []cid.Cid
			for i := range 12 {
				data = append(data, make([]byte, 1+rng.IntN(50)))
				data[i][0] = byte(i)
				all = append(all, block.Sum(block.Raw, data[i]))
			}
			pinned := map[string][]cid.Cid{} // in order
			for step := range 400 {
				i, owner := rng.IntN(len(all)), fmt.Sprint("owner ", rng.IntN(4))
				c := all[i]
				switch rng.IntN(5) {
				case 0, 1:
					put(t, s, block.Raw, data[i])
					m.sizes[c] = int64(len(data[i]))
					m.settle(c)
				case 2:
					if got, want := s.Pin(owner, c), m.pin(owner, c); got != want {
						t.Fatalf("%s, seed %d, step %d: Pin = %t, want %t", name, seed, step, got, want)
					}
					if !slices.Contains(pinned[owner], c) {
						pinned[owner] = append(pinned[owner], c)
					}
				case 3:
					keep := pinned[owner][:rng.IntN(len(pinned[owner])+1)]
					m.unpin(owner, pinned[owner], keep)
					s.Unpin(owner, keep...)
					pinned[owner] = slices.Clone(keep)
				case 4:
					spare := int64(rng.IntN(150))
					got, err := s.Sweep(t.Context(), spare)
					if want := m.sweep(spare); err != nil || got.Deleted != want {
						t.Fatalf("%s, seed %d, step %d: %d blocks were swept, want %d; %v", name, seed, step, got.Deleted, want, err)
					}
				}
				for _, c := range all {
					_, want := m.sizes[c]
					if got := s.(keeper).Has(c); got != want {
						t.Fatalf("%s, seed %d, step %d: a block is held: %t, want %t", name, seed, step, got, want)
					}
				}
			}
		}
	}
}

// TestPinHolds: while one sweeps all the time, a block that Pin has found is there
// until it is unpinned, and what an owner puts is there.
func TestPinHolds(t *testing.T) {
	s := openStore(t, t.TempDir())
	// Large blocks: while Put compares one with its file, a sweep may delete the file.
	data := make([][]byte, 8)
	for i := range data {
		data[i] = bytes.Repeat([]byte{byte(i)}, 256<<10)
	}
	ctx, stop := context.WithCancel(t.Context())
	var sweeper, users sync.WaitGroup
	sweeper.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.Sweep(t.Context(), 0); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for w := range 4 {
		users.Go(func() {
			owner := fmt.Sprint("owner ", w)
			mine := block.Owned{Store: s, Owner: owner}
			for i := range 400 {
				at := i * (w + 1) % len(data)
				if c := block.Sum(block.Raw, data[at]); i%2 == 0 && s.Pin(owner, c) && !s.Has(c) {
					t.Error("a block that Pin found is gone")
				}
				c, err := mine.Put(t.Context(), block.Raw, data[at])
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Get(t.Context(), c); err != nil {
					t.Errorf("a block that has an owner: %v", err)
				}
				s.Unpin(owner)
			}
		})
	}
	users.Wait()
	stop()
	sweeper.Wait()
}

// TestSweepEarlier: a process does not know who owns what it finds. It deletes blocks
// of earlier processes only after Survey, and then the oldest first.
func TestSweepEarlier(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	var all []cid.Cid
	for i := range 4 {
		all = append(all, put(t, s, block.Raw, []byte{byte(i)}))
		when := time.Unix(int64(1000-i), 0) // the later, the older its file
		if err := os.Chtimes(fileOf(dir, all[i]), when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	s.Pin("owner", all[3])
	mine := put(t, s, block.Raw, []byte("mine"))
	if got, err := s.Sweep(t.Context(), 0); err != nil || got.Deleted != 1 || s.Has(mine) {
		t.Errorf("before Survey a sweep deleted %+v, %v; this process's block is left: %t", got, err, s.Has(mine))
	}
	if err := s.Survey(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Sweep(t.Context(), 1); err != nil || got.Deleted != 2 || !s.Has(all[0]) || !s.Has(all[3]) {
		t.Errorf("after Survey a sweep deleted %+v, %v; the youngest and the owned are left: %t %t", got, err, s.Has(all[0]), s.Has(all[3]))
	}
	if u := s.Usage(); u != (block.Usage{Owned: 1, Loose: 1, OwnedBytes: 1, LooseBytes: 1}) {
		t.Errorf("usage %+v", u)
	}
	if !s.OwnedBy(all[3], func(o string) bool { return o == "owner" }) || s.OwnedBy(all[0], func(string) bool { return true }) {
		t.Error("the wrong blocks have an owner")
	}
}
