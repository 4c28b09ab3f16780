package node

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// placeOf is the place of a unit in its work.
func placeOf(u unit.Unit) protocol.Place {
	return protocol.Place{Round: u.Round, Kind: uint16(u.Kind), Index: u.Index}
}

// runSlots is the slots of a run's plan, for its coordinator: what is proposed to the
// ledger, and the proofs that go with the tickets.
type runSlots struct {
	*check.Slots

	mu    sync.Mutex // guards the rest: the slots of the round that was asked for last
	round uint32
	slots []protocol.Slot
	path  [][32]byte // from the round's group to the plan's root
}

// maxRoundSlots bounds the units of a round, which one transaction claims. A unit takes
// about slotBytes there, and as much again for the record of a result.
const maxRoundSlots = ledger.MaxTx / (2 * slotBytes)

// findSlots finds the slots of a plan, whose record is in b.
func findSlots(ctx context.Context, b block.Blocks, p *run.Plan) (*runSlots, error) {
	if err := small(p.Run, p.Link); err != nil {
		return nil, err
	}
	s, err := check.New().Slots(ctx, b, p)
	if err != nil {
		return nil, err
	}
	for r, g := range s.Groups {
		if g.Slots > maxRoundSlots {
			return nil, fmt.Errorf("round %d of run %s has %d units, and the ledger takes the claim of %d: use fewer units a round, or fewer sentences to validate and to test with", r, p.Link, g.Slots, maxRoundSlots)
		}
	}
	return &runSlots{Slots: s}, nil
}

// plan is what the validators are asked to approve.
func (s *runSlots) plan() ledger.Plan {
	return ledger.Plan{Function: s.Function, Root: s.Root, Groups: uint32(len(s.Groups)), Cost: s.Cost}
}

// of returns the slots of a round and the path from their group to the plan's root.
func (s *runSlots) of(ctx context.Context, round uint32) ([]protocol.Slot, [][32]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == nil || s.round != round {
		slots, err := s.Round(ctx, int(round))
		if err != nil {
			return nil, nil, err
		}
		s.round, s.slots, s.path = round, slots, protocol.PlanPath(s.Groups, int(round))
	}
	return s.slots, s.path, nil
}

// proof shows that a unit of the run is in the plan. It returns none for a unit that is
// not.
func (s *runSlots) proof(ctx context.Context, u unit.Unit) []protocol.SlotProof {
	slots, path, err := s.of(ctx, u.Round)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(slots, func(s protocol.Slot) bool { return s.Kind == uint16(u.Kind) && s.Index == u.Index })
	if i < 0 {
		return nil
	}
	p := protocol.Prove(slots, i, path)
	p.Function, p.Groups = s.Function, uint32(len(s.Groups))
	return []protocol.SlotProof{p}
}

// JobSlots is the slots of a job's units: what the escrow of the job names. most is the
// most cost of each unit in MFLOP.
func JobSlots(units []unit.Unit, most []uint64) []protocol.Slot {
	slots := make([]protocol.Slot, len(units))
	for i, u := range units {
		slots[i] = ledger.JobSlot(u.Index, u.ID(), most[i])
	}
	return slots
}

// JobProof returns a [PublisherConfig.Proof] for the units of a job.
func JobProof(slots []protocol.Slot) func(context.Context, unit.Unit) []protocol.SlotProof {
	return func(_ context.Context, u unit.Unit) []protocol.SlotProof {
		return []protocol.SlotProof{protocol.Prove(slots, int(u.Index), nil)}
	}
}

// paidUnit checks that the ledger pays for the unit of a ticket: the ticket proves that
// the unit is in the plan that the validators have approved, or on the list of the job's
// escrow, and its round is not claimed yet.
func paidUnit(p market.PaidPlan, t protocol.Ticket, u unit.Unit) error {
	if len(t.Proof) == 0 {
		return protocol.Refuse(protocol.Unpaid, "the ticket does not prove that the ledger pays for the unit")
	}
	proof := t.Proof[0]
	if place := placeOf(u); proof.Slot.Kind != place.Kind || proof.Slot.Index != place.Index {
		return protocol.Refuse(protocol.Unpaid, "the ticket proves the slot of another unit")
	}
	if p.Groups == 0 {
		root, err := protocol.RootBySlot(proof.Slot, proof.Slot.Index, p.Job.Slots, protocol.Hashes(proof.Path))
		if err != nil || root != p.Job.Root || proof.Slot.Task != t.Unit || proof.Groups != 0 {
			return protocol.Refuse(protocol.Unpaid, "the unit is not on the list that the job's escrow pays for")
		}
		if t.Escrow != p.Escrow {
			return protocol.Refuse(protocol.Unpaid, "the ticket is of escrow %d of the customer, and escrow %d pays", t.Escrow, p.Escrow)
		}
		return nil
	}
	if u.Round < p.Next || u.Round == p.Groups-1 && p.Closing {
		return protocol.Refuse(protocol.Superseded, "round %d is claimed", u.Round)
	}
	if proof.Function != p.Function || proof.Groups != p.Groups {
		return protocol.Refuse(protocol.Unpaid, "the ticket proves the slot of another plan")
	}
	if err := proof.Verify(p.Root, u.Round, p.Groups); err != nil {
		return err
	}
	task, err := taskOf(u)
	if err != nil {
		return err
	}
	if proof.Slot.Task != task {
		return protocol.Refuse(protocol.Unpaid, "the slot is that of a unit that reads something else")
	}
	return nil
}

// taskOf is what a unit of a run reads beside parameters: the task of its slot.
func taskOf(u unit.Unit) (block.Link, error) {
	switch u.Kind {
	case unit.Translate:
		return u.Inputs[1], nil
	case unit.Evaluate:
		return block.LinkOf(u.Inputs[1:])
	}
	return block.LinkOf(u.Inputs[len(u.Inputs)-u.Batches():])
}

// approvePairs bounds the training pairs of a run, times its epochs, whose plan a
// validator computes: some minutes of its time.
const approvePairs = 1 << 29

// approveElements bounds the first parameters of a run without a base. A validator computes
// them: half a GiB of its memory.
const approveElements = 1 << 27

// small refuses a run whose first parameters would take a validator too much memory.
func small(r run.Record, link block.Link) error {
	if n := r.Model().Elements(); len(r.Base) == 0 && n > approveElements {
		return fmt.Errorf("run %s: its model has %d parameters, and a validator computes at most %d to begin with: "+
			"train the first rounds with alia train --local, and let a run of the network continue their model (--from)", link, n, uint64(approveElements))
	}
	return nil
}

// computable refuses a run that would take a validator too long, or too much memory.
func computable(ctx context.Context, b block.Blocks, link block.Link) error {
	r, err := run.Read(ctx, b, link)
	if err != nil {
		return err
	}
	if err := small(r, link); err != nil { // before the plan is computed
		return err
	}
	c, err := run.GetCorpus(ctx, b, r.Corpus)
	if err != nil {
		return fmt.Errorf("run %s: %w", link, err)
	}
	if n := uint64(c.Len()) * uint64(r.Config.Epochs); n > approvePairs {
		return fmt.Errorf("run %s: its plan has %d training pairs in all epochs, and a validator computes at most %d", link, n, uint64(approvePairs))
	}
	return nil
}

const (
	// approveBytes bounds the bytes of a node of a run's record or corpus that a validator
	// fetches.
	approveBytes = 1 << 30
	// approveSpare is the bytes of blocks without an owner that stay after a vote.
	approveSpare = 256 << 20
)

// Approve returns how a validator votes on a run: yes if the peer gets the run's record
// and corpus from the coordinator, computes the plan, and finds it as proposed. An error
// is no vote. The peer keeps nothing of the run.
func Approve(p *Peer) func(context.Context, ledger.RunState) (bool, error) {
	return func(ctx context.Context, r ledger.RunState) (bool, error) {
		coordinator, err := mesh.PeerOf(r.Coordinator)
		if err != nil {
			return false, err
		}
		owner := "approve/" + r.Run.String() + "/" + r.Coordinator.String()
		defer func() {
			p.Store.Unpin(owner)
			if _, err := p.Store.Sweep(context.WithoutCancel(ctx), approveSpare); err != nil {
				p.Log.Warn("blocks of a proposed run stay", "run", r.Run, "err", err)
			}
		}()
		blocks := &remote{store: p.Store, mesh: p.Mesh, owner: owner, from: coordinator, most: approveBytes}
		if err := computable(ctx, blocks, r.Run); err != nil {
			return false, err
		}
		plan, err := run.Open(ctx, blocks, r.Run)
		if err != nil {
			return false, fmt.Errorf("run %s: %w", r.Run, err)
		}
		s, err := findSlots(ctx, blocks, plan)
		if err != nil {
			return false, err
		}
		return s.plan() == r.Plan, nil
	}
}
