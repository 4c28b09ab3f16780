package protocol

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/alia-network/alia/protocol/block"
)

// Slot is a place in the plan of a run, to which the pay of one unit belongs. It says
// what can be known before the run begins: everything but the parameters.
type Slot struct {
	_     struct{}   `cbor:",toarray"`
	Kind  uint16     // of the unit
	Index uint32     // of the unit, among the units of its kind and round
	Task  block.Link // what the unit reads beside parameters
	Most  uint64     // what the unit costs at most, in MFLOP
}

// SlotGroup is the slots of one round of a run.
type SlotGroup struct {
	_     struct{} `cbor:",toarray"`
	Slots uint32   // how many there are
	Root  [32]byte // their Merkle tree hash
	Cost  uint64   // the sum of what they cost at most, in MFLOP
}

// GroupOf gives the group of a round's slots. Its root is the Merkle tree hash (RFC 6962,
// section 2.1) of the slots' canonical bytes. Where the cost does not fit into 64 bits, it
// is the greatest that does, which no budget pays.
func GroupOf(slots []Slot) SlotGroup {
	g := SlotGroup{Slots: uint32(len(slots)), Root: treeRoot(leaves(slots))}
	for _, s := range slots {
		g.Cost = AddCosts(g.Cost, s.Most)
	}
	return g
}

// AddCosts is the sum of two costs, or the greatest number of 64 bits where the sum is
// greater.
func AddCosts(a, b uint64) uint64 {
	if sum, carry := bits.Add64(a, b, 0); carry == 0 {
		return sum
	}
	return math.MaxUint64
}

// PlanRoot is the root of a run's plan: the Merkle tree hash of the canonical bytes of its
// groups. The group of round r is leaf r.
func PlanRoot(groups []SlotGroup) [32]byte { return treeRoot(leaves(groups)) }

// PathOf gives the audit path (RFC 6962, section 2.1.1) from slot i to the root of the
// slots' group. It panics if there is no slot i.
func PathOf(slots []Slot, i int) [][32]byte { return pathOf(slots, i) }

// PlanPath gives the audit path from the group of round r to the root of the plan. It
// panics if there is no round r.
func PlanPath(groups []SlotGroup, r int) [][32]byte { return pathOf(groups, r) }

// RootBySlot gives the root of the group of n slots in which s is slot i with this path.
// The slot and the path may come from a peer. The number n may not: take it from a
// group that the plan's root holds. With another n, a slot can pass for one of another
// place.
func RootBySlot(s Slot, i, n uint32, path [][32]byte) ([32]byte, error) {
	return rootByLeaf("slot", s, i, n, path)
}

// RootByGroup gives the root of the plan of n groups in which g is the group of round r
// with this path. The group and the path may come from a peer. The number n may not:
// take it from where the root stands.
func RootByGroup(g SlotGroup, r, n uint32, path [][32]byte) ([32]byte, error) {
	return rootByLeaf("group", g, r, n, path)
}

// leaves are the leaf hashes of records.
func leaves[T any](records []T) [][32]byte {
	hashes := make([][32]byte, len(records))
	for i, r := range records {
		data, err := block.Encode(r)
		if err != nil {
			panic(fmt.Sprintf("protocol: %v", err)) // a task that is the CID of no block
		}
		hashes[i] = leafHash(data)
	}
	return hashes
}

func pathOf[T any](records []T, i int) [][32]byte {
	if i < 0 || i >= len(records) {
		panic(fmt.Sprintf("protocol: leaf %d of a list of %d", i, len(records)))
	}
	return treePath(leaves(records), uint32(i))
}

func rootByLeaf(what string, record any, i, n uint32, path [][32]byte) ([32]byte, error) {
	data, err := block.Encode(record)
	if err != nil {
		return [32]byte{}, Refuse(Malformed, "%s: %w", what, err)
	}
	root, err := rootByPath(leafHash(data), i, n, path)
	if err != nil {
		return root, fmt.Errorf("%s: %w", what, err)
	}
	return root, nil
}

// SlotProof shows that a slot is that of a round of a plan, or of a job's list. It names
// the plan, so that who keeps the proof can ask the ledger about the slot when the run has
// ended.
type SlotProof struct {
	_         struct{}   `cbor:",toarray"`
	Function  block.Link // of the plan; none for a job
	Groups    uint32     // of the plan; 0 for a job
	Slot      Slot
	Position  uint32 // of the slot in its group
	Path      []byte // hashes from the slot to the group's root, 32 bytes each
	Group     SlotGroup
	GroupPath []byte // hashes from the group to the plan's root; none for a job
}

// Prove returns the proof of slot i of the round whose group has groupPath. It names no
// plan.
func Prove(slots []Slot, i int, groupPath [][32]byte) SlotProof {
	return SlotProof{
		Slot: slots[i], Position: uint32(i), Path: Bytes(PathOf(slots, i)), Group: GroupOf(slots), GroupPath: Bytes(groupPath),
	}
}

// Verify checks that the slot is one of round r of a plan with a root and a number of
// groups.
func (p SlotProof) Verify(root [32]byte, r, groups uint32) error {
	plan, err := RootByGroup(p.Group, r, groups, Hashes(p.GroupPath))
	if err != nil {
		return err
	}
	group, err := RootBySlot(p.Slot, p.Position, p.Group.Slots, Hashes(p.Path))
	if err != nil {
		return err
	}
	if plan != root || group != p.Group.Root {
		return Refuse(Unpaid, "the slot is not one of round %d of the plan", r)
	}
	return nil
}

// Hashes cuts the bytes of a path into its hashes. Bytes that are no path give one that
// is too long for every tree.
func Hashes(path []byte) [][32]byte {
	all := make([][32]byte, (len(path)+31)/32, (len(path)+31)/32+maxPath)
	for i := range all {
		copy(all[i][:], path[32*i:])
	}
	if len(path)%32 != 0 {
		all = all[:cap(all)]
	}
	return all
}

// maxPath is more hashes than a path of any tree has.
const maxPath = 65

// Bytes joins the hashes of a path.
func Bytes(path [][32]byte) []byte {
	var all []byte
	for _, h := range path {
		all = append(all, h[:]...)
	}
	return all
}
