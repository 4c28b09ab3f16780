package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/node/journal"
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
	journal *journal.Journal
	checker *check.Checker
	// confirm computes units again whose results are said to be not finite; nil
	// where this process has no worker.
	confirm unit.Crew
	secret  bool // nothing of the work lies on the disk as it is
}

// past is what the journal says of a unit that is to be done.
type past struct {
	found   bool // the unit was accepted before, and its outcome is here
	outcome unit.Outcome
	slot    uint32             // for the next result
	barred  []protocol.Account // miners whose results were voided
}

// past finds the outcome of a unit that was accepted before, by this process
// or by an earlier one. It is not found if a block of the outcome is missing, or
// if the outcome does not have the form expected of the unit. Then the unit is
// done again. An error is the journal's.
func (a acceptance) past(ctx context.Context, e *check.Expectation) (past, error) {
	entries, err := a.journal.Slots(e.Unit)
	if err != nil {
		return past{}, err
	}
	p := past{slot: uint32(len(entries))}
	for _, entry := range entries {
		for _, v := range entry.Voided {
			if v.Accepted != nil {
				p.barred = append(p.barred, v.Accepted.Attestation.Account)
			}
		}
		if entry.Accepted == nil {
			p.slot = min(p.slot, entry.Key.Slot)
			continue
		}
		at := entry.Accepted.Attestation
		r, err := e.Receive(ctx, at.Result, check.Held{Blocks: a.peer.Store})
		if err == nil {
			return past{found: true, outcome: outcome(*entry.Accepted, r)}, nil
		}
		a.peer.Log.Warn("an accepted result does not count any more", "unit", e.Unit, "miner", at.Account, "err", err)
	}
	return p, nil
}

// accepted returns the acceptance of a unit, or nil if the journal has none.
func (a acceptance) accepted(u block.Link) *journal.Accepted {
	r, _, err := a.journal.Accepted(u)
	if err != nil {
		a.peer.Log.Warn("journal not read", "unit", u, "err", err)
	}
	return r
}

// fetch brings an attested result and its outputs from the miner into the
// store, if they have the form expected of the unit. It returns the number of
// bytes fetched. A result with a defect is returned only if this process
// recomputes the unit and finds the same defect.
func (a acceptance) fetch(ctx context.Context, w *pending, at protocol.Attestation) (unit.Result, uint64, error) {
	miner, err := mesh.PeerOf(at.Account)
	if err != nil {
		return unit.Result{}, 0, err
	}
	attempt, owner := "attempt/"+at.Ticket.String(), w.unit.Owner()
	if a.secret {
		attempt, owner = attempt+secret, SecretOwner(w.unit.Work)
	}
	blocks := &remote{store: a.peer.Store, mesh: a.peer.Mesh, owner: attempt}
	// What is refused has no owner, so the next sweep deletes it.
	defer a.peer.Store.Unpin(blocks.owner)
	r, err := w.expect.Receive(ctx, at.Result, attested{blocks, miner})
	var bad *check.Error
	switch {
	case errors.As(err, &bad) && bad.Reason == check.Defect:
		return r, blocks.in, a.confirmed(ctx, w, at.Result)
	case err != nil:
		return unit.Result{}, 0, refusal(err)
	}
	return r, blocks.in, block.PinTree(ctx, a.peer.Store, owner, at.Result.Cid)
}

// confirmed computes a unit here, and refuses a result that is not the same. It computes
// a unit once, however many miners claim a defect: keys cost nothing.
func (a acceptance) confirmed(ctx context.Context, w *pending, claimed block.Link) error {
	if a.confirm == nil {
		return protocol.Refuse(protocol.ResultMismatch, "the miner reports a defect, which this node cannot confirm: %w", unit.ErrDefect)
	}
	w.confirming.Lock()
	defer w.confirming.Unlock()
	if !w.computed.Defined() {
		mine, err := a.confirm.Do(ctx, []unit.Unit{w.unit})
		if err != nil {
			return err
		}
		w.computed = mine[0].Link
	}
	if w.computed != claimed {
		return protocol.Refuse(protocol.ResultMismatch, "the miner reports a NaN or an infinity, but this node computes the result %s", w.computed)
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

// attested is the blocks of a result: each is fetched within the bytes that it may
// have, and brings no others with it. The miner must have them all. It could otherwise
// name a block of this node, to find out that it is here or to have it made public.
type attested struct {
	*remote
	miner peer.ID
}

// Fetch implements [check.Blocks].
func (a attested) Fetch(ctx context.Context, wants []check.Want) error {
	within := make([]mesh.Want, len(wants))
	blocks := make([]cid.Cid, len(wants))
	for i, w := range wants {
		within[i], blocks[i] = mesh.Want{CID: w.CID, Most: w.Most}, w.CID
	}
	a.missing(blocks)
	err := a.mesh.FetchFrom(ctx, a.miner, within...)
	if errors.Is(err, mesh.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", check.ErrTooLarge, err)
	}
	return err
}

// Get implements [check.Blocks].
func (a attested) Get(ctx context.Context, c cid.Cid) ([]byte, error) { return a.one(ctx, c) }

// secure makes the blocks of a result durable, before the journal names it. A
// power cut then never leaves an accepted unit whose result is gone.
func (a acceptance) secure(ctx context.Context, result block.Link, r unit.Result) error {
	blocks := []cid.Cid{result.Cid}
	for _, l := range r.Outputs {
		data, err := a.peer.Store.Get(ctx, l.Cid)
		if err != nil {
			return err
		}
		links, err := block.Links(data)
		if err != nil {
			return err
		}
		blocks = append(append(blocks, l.Cid), links...)
	}
	return a.peer.Store.Sync(ctx, blocks)
}

// sign signs the acceptance of an attestation. It returns the journal's record and
// the bytes of the acceptance.
func (a acceptance) sign(round uint32, at protocol.Attestation, e unit.Effort) (journal.Accepted, []byte, error) {
	record := journal.Accepted{
		Attestation: at,
		Accept:      protocol.Accept{Work: at.Work, Place: at.Place, Unit: at.Unit, Miner: at.Account, Result: at.Result},
		Started:     e.Started, Took: e.Took, Round: round, BytesIn: e.BytesIn, BytesOut: e.BytesOut,
	}
	body, err := protocol.Sign(a.peer.Key, a.peer.Net, &record.Accept)
	return record, body, err
}

// void has the acceptances of a unit count no more. It returns the miners whose
// results they are.
func (a acceptance) void(u block.Link, code protocol.Reason, text string) ([]protocol.Account, error) {
	entries, err := a.journal.Slots(u)
	if err != nil {
		return nil, err
	}
	var miners []protocol.Account
	var lines []journal.Line
	for _, e := range entries {
		if e.Accepted != nil {
			miners = append(miners, e.Accepted.Attestation.Account)
			lines = append(lines, journal.Line{Key: e.Key, Record: journal.NewVoided(code, text, 0)})
		}
	}
	return miners, a.journal.Append(lines...)
}

// outcome is the outcome of an accepted unit, with the result that it names.
func outcome(a journal.Accepted, r unit.Result) unit.Outcome {
	return unit.Outcome{
		Link: a.Attestation.Result, Result: r, Miner: a.Attestation.Account,
		Effort: unit.Effort{Started: a.Started, Took: a.Took, BytesIn: a.BytesIn, BytesOut: a.BytesOut},
	}
}

// effort is the time from the unit's lease until now, and the bytes that it moved.
func effort(leased, now time.Time, in, out uint64) unit.Effort {
	return unit.Effort{
		Started: uint64(leased.UnixMilli()), Took: uint64(now.Sub(leased).Milliseconds()), BytesIn: in, BytesOut: out,
	}
}
