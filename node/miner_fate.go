package node

import (
	"context"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/unit"
)

// fate is what the ledger says of a unit whose result a publisher has accepted.
type fate int

const (
	unproven   fate = iota // this miner cannot show that the ledger pays
	early                  // not claimed, and this miner cannot claim it (yet)
	unclaimed              // not claimed, and this miner can claim it
	mine                   // claimed for this miner
	passed                 // its coordinator has claimed its round, and the unit for another miner or for nobody
	superseded             // another coordinator has claimed its round
	lost                   // claimed for another miner for good
	paid                   // its round is paid, nobody can say any more to whom
	closed                 // the job has no escrow (any more) that pays the miner's tickets
)

// paidTicket is the ticket of an entry that proves that the ledger pays; nil if none does.
func paidTicket(e journal.Entry) *protocol.Ticket {
	return firstTicket(e, func(protocol.Ticket) bool { return true })
}

// escrowTicket is the ticket of an entry that the escrow with a number pays; nil if none is. A
// customer that closed an escrow, and opened another, may have leased the unit from both.
func escrowTicket(e journal.Entry, number uint64) *protocol.Ticket {
	return firstTicket(e, func(t protocol.Ticket) bool { return t.Escrow == number })
}

// firstTicket is the oldest ticket with a proof, of whose promise it is, that is as wanted.
func firstTicket(e journal.Entry, wanted func(protocol.Ticket) bool) *protocol.Ticket {
	of := promisedBy(e)
	for i, t := range e.Tickets {
		if len(t.Proof) > 0 && t.Account == of.Publisher && t.Work == of.Work && wanted(t) {
			return &e.Tickets[i]
		}
	}
	return nil
}

// promisedBy is whose promise the miner has for a result: the publisher's that accepted it,
// and before the publisher's that leased the unit last.
func promisedBy(e journal.Entry) market.OfferKey {
	if e.Taken != nil {
		return market.OfferKey{Work: e.Taken.Accept.Work, Publisher: e.Taken.Accept.Account}
	}
	if len(e.Tickets) == 0 {
		return market.OfferKey{}
	}
	t := e.Tickets[len(e.Tickets)-1]
	return market.OfferKey{Work: t.Work, Publisher: t.Account}
}

// claimable reports whether the miner can claim a unit without the publisher's answer: a
// unit of a job. The ledger pays a unit of a run only with the coordinator's accept.
func claimable(e journal.Entry) bool {
	t := paidTicket(e)
	return t != nil && t.Proof[0].Groups == 0
}

// view is what the ledger says at one look, each record read once.
type view struct {
	ledger    Ledger
	functions map[block.Link]ledger.FunctionState
	rounds    map[roundName]*ledger.RoundState
	escrows   map[market.OfferKey]*ledger.Escrow
	reads     int
}

type roundName struct {
	function block.Link
	round    uint32
}

// read returns a record that is kept in m, or reads it.
func read[K comparable, V any](v *view, m *map[K]V, k K, get func() (V, error)) (V, error) {
	if v, ok := (*m)[k]; ok {
		return v, nil
	}
	v.reads++
	r, err := get()
	if err == nil {
		if *m == nil {
			*m = map[K]V{}
		}
		(*m)[k] = r
	}
	return r, err
}

// fate is what the ledger says of an accepted unit of this miner.
func (v *view) fate(ctx context.Context, e journal.Entry, me protocol.Account) (fate, error) {
	t := paidTicket(e)
	switch {
	case t == nil:
		return unproven, nil
	case t.Proof[0].Groups == 0:
		return v.ofJob(ctx, e, me)
	default:
		return v.ofRun(ctx, e, t.Proof[0], me)
	}
}

func (v *view) ofJob(ctx context.Context, e journal.Entry, me protocol.Account) (fate, error) {
	of := promisedBy(e)
	escrow, err := read(v, &v.escrows, of, func() (*ledger.Escrow, error) {
		x, open, err := v.ledger.Escrow(ctx, of.Publisher, of.Work)
		if err != nil || !open {
			return nil, err
		}
		return &x, nil
	})
	switch {
	case err != nil:
		return early, err
	case escrow == nil || escrowTicket(e, escrow.Number) == nil:
		return closed, nil
	}
	for _, c := range escrow.Claims {
		switch {
		case c.Index != e.Done.Attestation.Place.Index:
		case c.Miner == me:
			return mine, nil
		default:
			return lost, nil
		}
	}
	return unclaimed, nil
}

func (v *view) ofRun(ctx context.Context, e journal.Entry, p protocol.SlotProof, me protocol.Account) (fate, error) {
	f, err := read(v, &v.functions, p.Function, func() (ledger.FunctionState, error) {
		f, _, err := v.ledger.Function(ctx, p.Function)
		return f, err
	})
	if err != nil {
		return early, err
	}
	number := e.Done.Attestation.Place.Round
	name := roundName{p.Function, number}
	next, claimed, done := number == f.Next, number < f.Next, number < f.Paid
	if number == p.Groups-1 {
		name.round, next, claimed, done = ledger.ClosingRound, false, f.Closing, f.ClosingPaid
	}
	if done {
		return paid, nil
	}
	r, err := read(v, &v.rounds, name, func() (*ledger.RoundState, error) {
		x, known, err := v.ledger.Round(ctx, name.function, name.round)
		if err != nil || !known {
			return nil, err
		}
		return &x, nil
	})
	switch of := e.Taken.Accept; {
	case err != nil:
		return early, err
	case r == nil && claimed: // it was paid between two reads
		return paid, nil
	case r == nil:
	case r.Claimed && (r.Run != of.Work || r.Coordinator != of.Account):
		return superseded, nil
	case int(p.Position) >= len(r.Slots):
	case r.Slots[p.Position].Status == ledger.SlotOpen && !r.Claimed:
	case r.Slots[p.Position].Miner == me:
		return mine, nil
	case r.Slots[p.Position].Status > ledger.SlotClaimed:
		return lost, nil
	default:
		return passed, nil
	}
	if k := unit.Kind(e.Done.Attestation.Place.Kind); next && (k == unit.Gradient || k == unit.LocalSteps) {
		return unclaimed, nil
	}
	return early, nil
}
