package node

import (
	"context"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/unit"
)

// acceptance decides whether a miner's result is taken: it fetches the result,
// checks what can be checked without computing, and writes the journal.
type acceptance struct {
	peer    *Peer
	journal *Journal
}

// earlier finds the outcome of a unit that was accepted before, in this process
// or an earlier one. It reports false if a block of the outcome is missing.
func (a acceptance) earlier(ctx context.Context, u unit.Unit) (unit.Outcome, bool) {
	entry, ok := a.journal.Get(u.ID())
	if !ok {
		return unit.Outcome{}, false
	}
	data, err := a.peer.Store.Get(ctx, entry.Attestation.Result.Cid)
	if err != nil {
		return unit.Outcome{}, false
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		return unit.Outcome{}, false
	}
	for _, l := range r.Outputs {
		if !whole(ctx, a.peer.Store, l.Cid) {
			return unit.Outcome{}, false
		}
	}
	return entry.outcome(r), true
}

// fetch brings an attested result and its outputs from the holder into the
// store, and checks their form. It returns the bytes fetched.
func (a acceptance) fetch(ctx context.Context, u unit.Unit, at protocol.Attestation, holder string) (unit.Result, uint64, error) {
	blocks := &remote{store: a.peer.Store, mesh: a.peer.Mesh, hints: []string{holder}}
	data, err := blocks.one(ctx, at.Result.Cid)
	if err != nil {
		return unit.Result{}, 0, protocol.Refuse(protocol.ResultUnavailable, "%w", err)
	}
	r, err := unit.ParseResult(data)
	if err != nil {
		return unit.Result{}, 0, protocol.Refuse(protocol.Malformed, "%w", err)
	}
	if err := unit.Fits(u, r); err != nil {
		return unit.Result{}, 0, protocol.Refuse(protocol.ResultMismatch, "%w", err)
	}
	if r.MFLOP() != at.Cost {
		return unit.Result{}, 0, protocol.Refuse(protocol.CostMismatch, "the result says %d MFLOP, the attestation %d", r.MFLOP(), at.Cost)
	}
	for _, l := range r.Outputs {
		if _, err := blocks.Get(ctx, l.Cid); err != nil {
			return unit.Result{}, 0, protocol.Refuse(protocol.ResultUnavailable, "%w", err)
		}
	}
	return r, blocks.in, nil
}

// accept signs the acceptance of an attestation and writes both to the journal.
// It returns the journal's entry and the bytes of the acceptance.
func (a acceptance) accept(at protocol.Attestation, e unit.Effort) (Accepted, []byte, error) {
	entry := Accepted{
		Attestation: at,
		Accept:      protocol.Accept{Work: at.Work, Unit: at.Unit, Miner: at.Account, Result: at.Result, Cost: at.Cost},
		Effort:      e,
	}
	body, err := protocol.Sign(a.peer.Key, a.peer.Net, &entry.Accept)
	if err != nil {
		return Accepted{}, nil, err
	}
	return entry, body, a.journal.Add(entry)
}

// outcome is the entry's outcome, with the result that it names.
func (a Accepted) outcome(r unit.Result) unit.Outcome {
	return unit.Outcome{Link: a.Attestation.Result, Result: r, Miner: a.Attestation.Account, Effort: a.Effort}
}

// effort is what a unit took from its lease until now, and the bytes it moved.
func effort(leased, now time.Time, in, out uint64) unit.Effort {
	return unit.Effort{
		Started: uint64(leased.UnixMilli()), Took: uint64(now.Sub(leased).Milliseconds()), BytesIn: in, BytesOut: out,
	}
}
