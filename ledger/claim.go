package ledger

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Claim asks for the pay of the next rounds of a run, in their order. The sender
// coordinates the run. What a slot costs stands in the approved plan: nobody states it.
type Claim struct {
	_      struct{} `cbor:",toarray"`
	Run    block.Link
	Rounds List[RoundClaim]
}

// RoundClaim claims a round: all slots of the plan, in its sequence, and the state that
// the round left. The claim of the last group has the state of the last round.
type RoundClaim struct {
	_      struct{} `cbor:",toarray"`
	Round  uint32
	Path   []byte // hashes from the round's group to the plan's root, 32 bytes each
	Slots  List[SlotClaim]
	Params block.Link // parameters after the round
	Log    block.Link // the round's log
}

func (RoundClaim) least() int { return 80 }

// SlotClaim is a slot of a claimed round. It has no work, or one: nobody is paid for a slot
// without work.
type SlotClaim struct {
	_    struct{} `cbor:",toarray"`
	Slot protocol.Slot
	Work List[SlotWork]
}

func (SlotClaim) least() int { return 40 }

// SlotWork is what a miner attests for a slot.
type SlotWork struct {
	_       struct{} `cbor:",toarray"`
	Unit    block.Link
	Result  block.Link
	Ticket  block.Link
	Record  []byte // the result's canonical bytes where the cost depends on them, see Measured
	Account protocol.Account
	Sig     []byte // of the attestation
}

func (SlotWork) least() int { return 110 }

// Measured reports whether what a unit costs depends on what it writes. Then a claim has
// the record of the result, which names the cost, and the slot's cost is the most.
func Measured(kind uint16) bool {
	return unit.Kind(kind) == unit.Translate || unit.Kind(kind) == unit.Average
}

// cost returns the cost of work for a slot, in MFLOP.
func (w SlotWork) cost(s protocol.Slot) (uint64, error) {
	if !Measured(s.Kind) {
		if len(w.Record) > 0 {
			return 0, fmt.Errorf("%w: the cost of a unit of kind %d does not depend on its result", Malformed, s.Kind)
		}
		return s.Most, nil
	}
	if got := block.Sum(block.CBOR, w.Record); got != w.Result.Cid {
		return 0, fmt.Errorf("%w: the record is that of result %s, not of %s", Mismatch, got, w.Result)
	}
	r, err := unit.ParseResult(w.Record)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", Malformed, err)
	}
	if r.Unit != w.Unit {
		return 0, fmt.Errorf("%w: the result is of unit %s, not of %s", Mismatch, r.Unit, w.Unit)
	}
	return min(r.MFLOP(), s.Most), nil
}

// attestation is what the miner has signed.
func (w SlotWork) attestation(net protocol.Net, work block.Link, publisher protocol.Account, round uint32, s protocol.Slot) *protocol.Attestation {
	return &protocol.Attestation{
		Header: protocol.Header{Version: protocol.Version, Net: net},
		Work:   work, Publisher: publisher, Place: protocol.Place{Round: round, Kind: s.Kind, Index: s.Index},
		Unit: w.Unit, Result: w.Result, Ticket: w.Ticket, Seal: protocol.Seal{Account: w.Account, Sig: w.Sig},
	}
}

// attested checks the signature of the attestation.
func (w SlotWork) attested(net protocol.Net, work block.Link, publisher protocol.Account, round uint32, s protocol.Slot) error {
	if err := protocol.Verify(net, w.attestation(net, work, publisher, round, s)); err != nil {
		return &Refusal{codeOf(err), err.Error()}
	}
	return nil
}

// maxClaimed bounds the slots of a [Claim], and so those of a round that can be paid.
const maxClaimed = 4096

// Kind returns KindClaim.
func (Claim) Kind() TxKind { return KindClaim }

func (b Claim) signatures() int {
	n := 0
	for _, r := range b.Rounds {
		for _, s := range r.Slots {
			n += len(s.Work)
		}
	}
	return n
}

// free: the plan of an approved run bounds the claims.
func (b Claim) free(d *draft, tx *Tx) bool {
	_, err := d.coordinated(b.Run, tx.Account)
	return err == nil
}

func (b Claim) check() error {
	if err := need("run", b.Run); err != nil {
		return err
	}
	slots := 0
	for _, r := range b.Rounds {
		slots += len(r.Slots)
		for _, s := range r.Slots {
			if len(s.Work) > 1 {
				return fmt.Errorf("%w: a slot with the work of %d miners", Malformed, len(s.Work))
			}
		}
		if err := need("params", r.Params); err != nil {
			return err
		}
		if err := need("log", r.Log); err != nil {
			return err
		}
	}
	if n := len(b.Rounds); n == 0 || n > maxClaimed || slots > maxClaimed {
		return fmt.Errorf("%w: %d rounds with %d slots, want 1 round or more, and at most %d of both", TooLarge, n, slots, maxClaimed)
	}
	return nil
}

func (b Claim) apply(d *draft, tx *Tx) error {
	run, err := d.coordinated(b.Run, tx.Account)
	if err != nil {
		return err
	}
	f, _ := load[FunctionState](d, FunctionKey(run.Plan.Function))
	// The order of the rounds, and the plan's root, before the signatures.
	next, closing := f.Next, f.Closing
	for _, r := range b.Rounds {
		last := r.Round == run.Plan.Groups-1
		switch {
		case last && closing || !last && r.Round < next:
			return fmt.Errorf("%w: round %d, and the next is %d", Already, r.Round, next)
		case last && next == 0 || !last && r.Round > next:
			return fmt.Errorf("%w: %d, the next is %d", BadRound, r.Round, next)
		case last:
			closing = true
		default:
			next++
		}
		if err := inPlan(run.Plan, r.Round, r.group(), r.Path); err != nil {
			return fmt.Errorf("round %d: %w", r.Round, err)
		}
	}
	if err := b.verify(tx); err != nil {
		return err
	}
	for _, r := range b.Rounds {
		if err := d.claimRound(&f, run, r); err != nil {
			return fmt.Errorf("round %d: %w", r.Round, err)
		}
	}
	store(d, FunctionKey(run.Plan.Function), f)
	run.Active = d.height
	store(d, RunKey(b.Run, tx.Account), run)
	return nil
}

// group is the group of the slots that r claims.
func (r RoundClaim) group() protocol.SlotGroup {
	slots := make([]protocol.Slot, len(r.Slots))
	for i, s := range r.Slots {
		slots[i] = s.Slot
	}
	return protocol.GroupOf(slots)
}

// inPlan checks that a group is that of a round of a plan.
func inPlan(p Plan, round uint32, g protocol.SlotGroup, path []byte) error {
	root, err := protocol.RootByGroup(g, round, p.Groups, protocol.Hashes(path))
	if err != nil {
		return fmt.Errorf("%w: %w", Malformed, err)
	}
	if root != p.Root {
		return fmt.Errorf("%w: the slots are not those of the approved plan", Mismatch)
	}
	return nil
}

// verify checks the signatures of all attestations.
func (b Claim) verify(tx *Tx) error {
	return tx.verify(1, func(int) error {
		var batch protocol.SignatureBatch
		type place struct {
			round uint32
			unit  block.Link
		}
		var places []place // of the attestations in the batch
		refused := func(p place, err error) error {
			return fmt.Errorf("round %d, unit %s: %w", p.round, p.unit, &Refusal{codeOf(err), err.Error()})
		}
		for _, r := range b.Rounds {
			for _, s := range r.Slots {
				for _, w := range s.Work {
					p := place{r.Round, w.Unit}
					if err := batch.Add(tx.net, w.attestation(tx.net, b.Run, tx.Account, r.Round, s.Slot)); err != nil {
						return refused(p, err)
					}
					places = append(places, p)
				}
			}
		}
		if i, err := batch.Verify(); err != nil {
			return refused(places[i], err)
		}
		return nil
	})[0]
}

// claimRound records a claimed round.
func (d *draft) claimRound(f *FunctionState, run RunState, c RoundClaim) error {
	r, err := d.round(run, c.Round, c.group())
	if err != nil {
		return err
	}
	r.Claimed, r.Due = true, d.height+d.base.genesis.Params.Finality
	for i, s := range c.Slots {
		if len(s.Work) == 0 || r.Slots[i].Status != SlotOpen {
			continue // nobody has done it, or a miner has claimed it
		}
		if err := d.fill(&r, i, SlotClaimed, s.Slot, s.Work[0]); err != nil {
			return err
		}
	}
	if c.Round == run.Plan.Groups-1 {
		f.Closing = true
	} else {
		f.Next, f.Params, f.Log = c.Round+1, c.Params, c.Log
	}
	return d.keep(roundKey(run.Plan, c.Round), r)
}

// roundKey returns the key of the record of a round of a plan.
func roundKey(p Plan, round uint32) []byte {
	if round == p.Groups-1 {
		round = ClosingRound
	}
	return RoundKey(p.Function, round)
}

// round returns the record of a round for the run that claims it. A record that is there
// has the units that their miners have claimed: they learn, so all runs of the function
// have the same ones at the same positions.
func (d *draft) round(run RunState, round uint32, g protocol.SlotGroup) (RoundState, error) {
	r, _ := load[RoundState](d, roundKey(run.Plan, round))
	slots := make([]SlotState, g.Slots)
	for _, s := range r.Slots[copy(slots, r.Slots):] {
		if s.Status != SlotOpen {
			return r, fmt.Errorf("%w: a unit is claimed that the run's plan does not have", Mismatch)
		}
	}
	return RoundState{
		Version: 1, Function: run.Plan.Function, Round: round, Run: run.Run, Coordinator: run.Coordinator,
		Due: r.Due, Group: g, Slots: slots,
	}, nil
}

// fill has the pay of slot i owed to a miner, at the rate that was published before this
// height. A miner's claim takes the place of the coordinator's.
func (d *draft) fill(r *RoundState, i int, status SlotStatus, slot protocol.Slot, w SlotWork) error {
	cost, err := w.cost(slot)
	if err != nil {
		return err
	}
	d.books(func(b *Supply) { b.Owed -= r.Slots[i].Owed })
	owed := d.mintable(price(cost, d.schedule.Training))
	d.books(func(b *Supply) { b.Owed += owed })
	r.Slots[i] = SlotState{Status: status, Miner: w.Account, Cost: cost, Owed: owed}
	return nil
}

// keep writes the record of a round, and has it paid when it is due.
func (d *draft) keep(key []byte, r RoundState) error {
	if all := r.cost(); all > r.Group.Cost {
		return fmt.Errorf("%w: the units of the round cost %d MFLOP, and %d are planned", OverBudget, all, r.Group.Cost)
	}
	store(d, key, r)
	return d.owe(r.Function, r.Due)
}

// maxOwing bounds the functions whose rounds are owed pay.
const maxOwing = 256

// owe puts a function on the list of those whose rounds are owed pay from a height on.
func (d *draft) owe(function block.Link, due uint64) error {
	l, _ := load[owing](d, []byte(owingKey))
	l.Version, l.Functions = 1, slices.Clone(l.Functions)
	i := slices.IndexFunc(l.Functions, func(o owed) bool { return o.Function == function })
	switch {
	case i >= 0:
		l.Functions[i].Due = min(l.Functions[i].Due, due)
	case len(l.Functions) >= maxOwing:
		return fmt.Errorf("%w: the rounds of %d runs wait for their pay", Busy, len(l.Functions))
	default:
		l.Functions = append(l.Functions, owed{Function: function, Due: due})
	}
	store(d, []byte(owingKey), l)
	return nil
}

// UnitClaim asks for the pay of one unit of a run, with the coordinator's accept. The
// miner sends it where the coordinator claims the slot for somebody else or for nobody, and
// for a unit that learns also where the coordinator does not claim the round. It is in
// time until the pay of the round is due.
type UnitClaim struct {
	_        struct{} `cbor:",toarray"`
	Run      block.Link
	Function block.Link // of the run's plan
	Round    uint32     // in the run's plan
	Closing  bool       // it follows the last round
	Proof    protocol.SlotProof
	Work     SlotWork
	Acceptor protocol.Account // the coordinator
	Accept   []byte           // the signature of the accept
}

// Kind returns KindUnitClaim.
func (UnitClaim) Kind() TxKind { return KindUnitClaim }

func (UnitClaim) signatures() int { return 2 }

// free: the slots of approved plans bound such claims, because each slot takes one.
func (b UnitClaim) free(d *draft, _ *Tx) bool {
	_, known := load[FunctionState](d, FunctionKey(b.Function))
	return known
}

func (b UnitClaim) check() error {
	if n := b.Proof.Group.Slots; n > maxClaimed {
		return fmt.Errorf("%w: a round of %d slots, the limit is %d", TooLarge, n, maxClaimed)
	}
	if err := need("function", b.Function); err != nil {
		return err
	}
	return need("run", b.Run)
}

func (b UnitClaim) apply(d *draft, tx *Tx) error {
	if _, known := load[FunctionState](d, FunctionKey(b.Function)); !known {
		return UnknownRun
	}
	key := RoundKey(b.Function, b.Round)
	if b.Closing {
		key = RoundKey(b.Function, ClosingRound)
	}
	r, known := load[RoundState](d, key)
	if !known || !r.Claimed {
		var err error
		if r, err = d.unclaimed(b); err != nil {
			return err
		}
	}
	switch {
	case r.Coordinator != b.Acceptor || r.Run != b.Run || r.Round != b.Round:
		return fmt.Errorf("%w: %s coordinates the round, not %s", NotCoordinator, r.Coordinator.Short(), b.Acceptor.Short())
	case r.Claimed && d.height >= r.Due:
		return fmt.Errorf("%w: the pay of the round is due since height %d", Already, r.Due)
	}
	root, err := protocol.RootBySlot(b.Proof.Slot, b.Proof.Position, r.Group.Slots, protocol.Hashes(b.Proof.Path))
	if err != nil {
		return fmt.Errorf("%w: %w", Malformed, err)
	}
	if root != r.Group.Root {
		return fmt.Errorf("%w: the slot is not one of the round", Mismatch)
	}
	i := int(b.Proof.Position)
	slot := r.Slots[i]
	if slot.Status == SlotAccepted || slot.Status == SlotPaid || slot.Status == SlotClaimed && slot.Miner == b.Work.Account {
		return fmt.Errorf("%w: the slot is claimed for %s", Already, slot.Miner.Short())
	}
	if err := b.verify(tx); err != nil {
		return err
	}
	// If the slot is claimed, the coordinator has accepted this miner's result, and claimed
	// the slot for another.
	owes := slices.ContainsFunc(r.Slots, func(s SlotState) bool { return s.Owed > 0 })
	r.Slots = slices.Clone(r.Slots)
	if err := d.fill(&r, i, SlotAccepted, b.Proof.Slot, b.Work); err != nil {
		return err
	}
	// Miners' claims of a round that come later are paid with the first: so nobody can put
	// its pay off, nor what is left of it.
	if !r.Claimed && d.height >= r.Due && !owes {
		r.Due = d.height + d.base.genesis.Params.Finality
	}
	return d.keep(key, r)
}

// unclaimed returns the next round of the acceptor's run, which nobody has claimed, for a
// unit that learns.
func (d *draft) unclaimed(b UnitClaim) (r RoundState, err error) {
	run, known := load[RunState](d, RunKey(b.Run, b.Acceptor))
	f, _ := load[FunctionState](d, FunctionKey(b.Function))
	switch {
	case !known || run.Plan.Function != b.Function:
		return r, fmt.Errorf("%w: run %s of %s", UnknownRun, b.Run, b.Acceptor.Short())
	case run.Status == Proposed:
		return r, NotApproved
	case b.Round < f.Next || b.Closing && f.Closing:
		return r, fmt.Errorf("%w: the round is paid", Already)
	case b.Round > f.Next:
		return r, fmt.Errorf("%w: %d, the next is %d", BadRound, b.Round, f.Next)
	}
	if k := unit.Kind(b.Proof.Slot.Kind); b.Closing || b.Round == run.Plan.Groups-1 || k != unit.Gradient && k != unit.LocalSteps {
		return r, fmt.Errorf("%w: the coordinator has not claimed the round", NotDue)
	}
	if err := inPlan(run.Plan, b.Round, b.Proof.Group, b.Proof.GroupPath); err != nil {
		return r, err
	}
	return d.round(run, b.Round, b.Proof.Group)
}

// verify checks the signatures of the attestation and of the accept.
func (b UnitClaim) verify(tx *Tx) error {
	return tx.verify(1, func(int) error {
		s := b.Proof.Slot
		if err := b.Work.attested(tx.net, b.Run, b.Acceptor, b.Round, s); err != nil {
			return err
		}
		ac := protocol.Accept{
			Header: protocol.Header{Version: protocol.Version, Net: tx.net},
			Work:   b.Run, Place: protocol.Place{Round: b.Round, Kind: s.Kind, Index: s.Index},
			Unit: b.Work.Unit, Miner: b.Work.Account, Result: b.Work.Result,
			Seal: protocol.Seal{Account: b.Acceptor, Sig: b.Accept},
		}
		if err := protocol.Verify(tx.net, &ac); err != nil {
			return &Refusal{codeOf(err), err.Error()}
		}
		return nil
	})[0]
}
