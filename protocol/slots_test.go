package protocol_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cometbft/cometbft/crypto/merkle"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// slotsOf are n different slots.
func slotsOf(n int) []protocol.Slot {
	slots := make([]protocol.Slot, n)
	for i := range slots {
		slots[i] = protocol.Slot{Kind: 1, Index: uint32(i), Task: link(fmt.Sprint("batch ", i)), Most: uint64(1000 + i)}
	}
	return slots
}

// encoded are the canonical bytes of records.
func encoded[T any](t testing.TB, records []T) [][]byte {
	t.Helper()
	var all [][]byte
	for _, r := range records {
		data, err := block.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// TestSlotPaths compares roots and paths of lists of every small length with another
// implementation of RFC 6962, and checks each slot by its path.
func TestSlotPaths(t *testing.T) {
	for n := range 70 {
		slots := slotsOf(n)
		g := protocol.GroupOf(slots)
		root, proofs := merkle.ProofsFromByteSlices(encoded(t, slots))
		if !bytes.Equal(g.Root[:], root) || int(g.Slots) != n {
			t.Fatalf("%d slots: a group of %d with the root %x, want %x", n, g.Slots, g.Root, root)
		}
		for i, s := range slots {
			path := protocol.PathOf(slots, i)
			if !slices.EqualFunc(path, proofs[i].Aunts, func(a [32]byte, b []byte) bool { return bytes.Equal(a[:], b) }) {
				t.Fatalf("slot %d of %d: path %x, want %x", i, n, path, proofs[i].Aunts)
			}
			got, err := protocol.RootBySlot(s, uint32(i), g.Slots, path)
			if err != nil || got != g.Root {
				t.Fatalf("slot %d of %d: root %x (%v), want %x", i, n, got, err, g.Root)
			}
		}
	}
}

// TestPlanPaths checks each group of plans by its path to the plan's root.
func TestPlanPaths(t *testing.T) {
	for rounds := range 20 {
		var groups []protocol.SlotGroup
		for r := range rounds {
			groups = append(groups, protocol.GroupOf(slotsOf(r+1)))
		}
		root := protocol.PlanRoot(groups)
		if want := merkle.HashFromByteSlices(encoded(t, groups)); !bytes.Equal(root[:], want) {
			t.Fatalf("%d rounds: root %x, want %x", rounds, root, want)
		}
		for r, g := range groups {
			got, err := protocol.RootByGroup(g, uint32(r), uint32(rounds), protocol.PlanPath(groups, r))
			if err != nil || got != root {
				t.Fatalf("round %d of %d: root %x (%v), want %x", r, rounds, got, err, root)
			}
		}
	}
}

// TestGroupCost: a cost never wraps around to a small one.
func TestGroupCost(t *testing.T) {
	slots := slotsOf(3)
	if g := protocol.GroupOf(slots); g.Cost != 3003 {
		t.Errorf("cost %d, want 3003", g.Cost)
	}
	slots[0].Most = math.MaxUint64 - 1
	if g := protocol.GroupOf(slots); g.Cost != math.MaxUint64 {
		t.Errorf("cost %d, want the greatest", g.Cost)
	}
}

// TestSlotPathRefused: what a peer can send in place of a path is an error.
func TestSlotPathRefused(t *testing.T) {
	slots := slotsOf(6)
	path := protocol.PathOf(slots, 2)
	for name, c := range map[string]struct {
		i, n uint32
		path [][32]byte
	}{
		"no such slot":     {6, 6, path},
		"no slots":         {0, 0, nil},
		"no path":          {2, 6, nil},
		"a hash too few":   {2, 6, path[:len(path)-1]},
		"a hash too many":  {2, 6, append(slices.Clone(path), [32]byte{})},
		"a million hashes": {2, 6, make([][32]byte, 1<<20)},
		"longest list":     {math.MaxUint32 - 1, math.MaxUint32, path},
	} {
		if _, err := protocol.RootBySlot(slots[2], c.i, c.n, c.path); protocol.ReasonOf(err) != protocol.Malformed {
			t.Errorf("%s: %v, want it refused as malformed", name, err)
		}
	}
	bad := slots[2]
	bad.Task.Cid = block.Sum(0x70, nil) // dag-pb
	if _, err := protocol.RootBySlot(bad, 2, 6, path); protocol.ReasonOf(err) != protocol.Malformed {
		t.Errorf("task of another codec: %v, want it refused as malformed", err)
	}
	// The path to the last of an odd number goes through one inner hash alone.
	if got := len(protocol.PathOf(slotsOf(1<<4+1), 1<<4)); got != 1 {
		t.Errorf("a path of %d hashes, want 1", got)
	}
}

// FuzzSlotPath: with the path of slot i nothing but slot i stands at i. Neither a
// changed path nor another slot leads to the root.
func FuzzSlotPath(f *testing.F) {
	f.Add(uint16(6), uint16(2), uint16(3), uint16(17), byte(1))
	f.Add(uint16(1), uint16(0), uint16(0), uint16(0), byte(0))
	f.Add(uint16(257), uint16(256), uint16(0), uint16(5), byte(0x80))
	f.Fuzz(func(t *testing.T, number, at, other, where uint16, flip byte) {
		n := int(number)%300 + 1
		i, j := int(at)%n, int(other)%n
		slots := slotsOf(n)
		g, path := protocol.GroupOf(slots), protocol.PathOf(slots, i)
		lead := func(s protocol.Slot, at int) bool {
			root, err := protocol.RootBySlot(s, uint32(at), g.Slots, path)
			return err == nil && root == g.Root
		}
		if !lead(slots[i], i) {
			t.Fatalf("slot %d of %d does not lead to the root", i, n)
		}
		if i != j && (lead(slots[j], i) || lead(slots[i], j)) {
			t.Fatalf("slot %d of %d leads to the root in place of slot %d, or the other way round", j, n, i)
		}
		if root, err := protocol.RootBySlot(slots[i], uint32(at), uint32(other), path); err == nil && root == g.Root && int(at) != i && int(other) == n {
			t.Fatalf("slot %d of %d leads to the root as slot %d", i, n, at)
		}
		changed := slots[i]
		changed.Most += uint64(flip)
		if flip != 0 && lead(changed, i) {
			t.Fatalf("slot %d of %d leads to the root with another cost", i, n)
		}
		if len(path) == 0 || flip == 0 {
			return
		}
		path[int(where)/32%len(path)][where%32] ^= flip
		if lead(slots[i], i) {
			t.Fatalf("slot %d of %d leads to the root by a changed path", i, n)
		}
	})
}
