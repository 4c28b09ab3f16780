package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/unit"
)

// acceptance decides whether the publisher accepts a miner's result. It compares
// the form of the result with the form expected of the unit ([check.Expectation]),
// and writes the accepted result to the journal.
type acceptance struct {
	peer    *Peer
	journal *Journal
	checker *check.Checker
	// confirm computes units again whose results are said to be not finite; nil
	// where this process has no worker.
	confirm unit.Crew
}

// earlier finds the outcome of a unit that was accepted before, by this process
// or by an earlier one. It reports false if a block of the outcome is missing, or
// if the outcome does not have the form expected of the unit. Then the unit is
// done again.
func (a acceptance) earlier(ctx context.Context, e *check.Expectation) (unit.Outcome, bool) {
	entry, ok := a.journal.Get(e.Unit)
	if !ok {
		return unit.Outcome{}, false
	}
	r, err := e.Receive(ctx, entry.Attestation.Result, check.Held{Blocks: a.peer.Store})
	if err != nil || r.MFLOP() != entry.Attestation.Cost {
		a.peer.Log.Warn("an accepted result does not count any more", "unit", e.Unit, "miner", entry.Attestation.Account, "err", err)
		return unit.Outcome{}, false
	}
	return entry.outcome(r), true
}

// fetch brings an attested result and its outputs from the holder into the
// store, if they have the form expected of the unit. It returns the number of
// bytes fetched. A result with a defect is returned only if this process
// recomputes the unit and finds the same defect.
func (a acceptance) fetch(ctx context.Context, w *pending, at protocol.Attestation, holder string) (unit.Result, uint64, error) {
	if most := w.expect.MFLOP(); at.Cost > most {
		return unit.Result{}, 0, protocol.Refuse(protocol.CostMismatch, "the attestation says %d MFLOP, the unit costs at most %d", at.Cost, most)
	}
	blocks := &remote{store: a.peer.Store, mesh: a.peer.Mesh, hints: []string{holder}}
	r, err := w.expect.Receive(ctx, at.Result, bounded{blocks})
	var bad *check.Error
	switch {
	case errors.As(err, &bad) && bad.Reason == check.Defect:
		return r, blocks.in, a.confirmed(ctx, w.unit, at.Result)
	case err != nil:
		return unit.Result{}, 0, refusal(err)
	case r.MFLOP() != at.Cost:
		return unit.Result{}, 0, protocol.Refuse(protocol.CostMismatch, "the result says %d MFLOP, the attestation %d", r.MFLOP(), at.Cost)
	}
	return r, blocks.in, nil
}

// confirmed computes a unit here, and refuses a result that is not the same.
func (a acceptance) confirmed(ctx context.Context, u unit.Unit, claimed block.Link) error {
	if a.confirm == nil {
		return protocol.Refuse(protocol.ResultMismatch, "the miner reports a defect, which this node cannot confirm: %w", unit.ErrDefect)
	}
	mine, err := a.confirm.Do(ctx, []unit.Unit{u})
	if err != nil {
		return err
	}
	if mine[0].Link != claimed {
		return protocol.Refuse(protocol.ResultMismatch, "the miner reports a NaN or an infinity, but this node computes the result %s", mine[0].Link)
	}
	return nil
}

// refusal returns the refusal of a result that failed a check.
func refusal(err error) error {
	var bad *check.Error
	if !errors.As(err, &bad) {
		return err
	}
	code := protocol.ResultMismatch
	switch bad.Reason {
	case check.Malformed, check.Codec:
		code = protocol.Malformed
	case check.Size:
		code = protocol.TooLarge
	case check.Cost:
		code = protocol.CostMismatch
	case check.Unavailable:
		code = protocol.ResultUnavailable
	}
	return protocol.Refuse(code, "%w", err)
}

// bounded is the blocks of a result: each is fetched within the bytes that it may
// have, and brings no others with it.
type bounded struct{ *remote }

// Fetch implements [check.Blocks].
func (b bounded) Fetch(ctx context.Context, wants []check.Want) error {
	within := make([]mesh.Want, len(wants))
	for i, w := range wants {
		within[i] = mesh.Want{CID: w.CID, Most: w.Most}
	}
	err := b.fetchWithin(ctx, within)
	if errors.Is(err, mesh.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", check.ErrTooLarge, err)
	}
	return err
}

// Get implements [check.Blocks].
func (b bounded) Get(ctx context.Context, c cid.Cid) ([]byte, error) { return b.one(ctx, c) }

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

// effort is the time from the unit's lease until now, and the bytes that it moved.
func effort(leased, now time.Time, in, out uint64) unit.Effort {
	return unit.Effort{
		Started: uint64(leased.UnixMilli()), Took: uint64(now.Sub(leased).Milliseconds()), BytesIn: in, BytesOut: out,
	}
}
