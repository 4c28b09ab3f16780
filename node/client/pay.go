package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// settleEvery is the pause between two reads of the ledger while it settles.
const settleEvery = 200 * time.Millisecond

// complete fills in the defaults of a document, and refuses fields that no network
// could serve.
func (d *Document) complete() error {
	if d.Decoding == (unit.Decoding{}) {
		d.Decoding = unit.Greedy
	}
	switch {
	case !d.Model.Defined():
		return errors.New("no model is named: give the CID of a model of the network (--model)")
	case d.Decoding.Beam < 1 || d.Decoding.Beam > unit.MaxBeam:
		return fmt.Errorf("a beam of %d translations, want 1 to %d (--beam)", d.Decoding.Beam, unit.MaxBeam)
	case d.Decoding.LengthPPM > unit.MaxLengthPPM:
		return fmt.Errorf("a length penalty of %d millionths, at most %d are taken", d.Decoding.LengthPPM, unit.MaxLengthPPM)
	case d.Budget == 0:
		d.Price = 0 // a gift
	case d.Price == 0:
		d.Price = DefaultPrice
	}
	if d.Hold == 0 {
		d.Hold = DefaultHold
	}
	return nil
}

// speak compares the document's languages with the model's, and takes the model's
// where the document names none.
func (d *Document) speak(m model.Model) error {
	if d.Source == "" {
		d.Source = m.Source
	}
	if d.Target == "" {
		d.Target = m.Target
	}
	if d.Source != m.Source || d.Target != m.Target {
		return fmt.Errorf("model %s translates from %s to %s, not from %s to %s", d.Model, m.Source, m.Target, d.Source, d.Target)
	}
	return nil
}

// cost is the amount for work of some MFLOP at the document's price.
func (d *Document) cost(mflop uint64) uint64 {
	hi, lo := bits.Mul64(mflop, d.Price)
	if hi >= 1000 {
		return math.MaxUint64
	}
	amount, _ := bits.Div64(hi, lo, 1000)
	return amount
}

// affordable refuses a job that may cost more than the document's budget.
func (j *job) affordable() error {
	d, most := j.document, j.most
	if d.Budget == 0 || most <= d.Budget {
		return nil
	}
	return fmt.Errorf("the document may cost up to %s ALIA at %s ALIA a GFLOP, but the budget (--budget) is %s ALIA: "+
		"raise the budget; the unspent part comes back",
		protocol.FormatAmount(most), protocol.FormatAmount(d.Price), protocol.FormatAmount(d.Budget))
}

// openEscrow sets aside the most that the job can cost, unless an earlier call did.
func (c *Client) openEscrow(ctx context.Context, j *job) error {
	head, err := c.Peer.Ledger.Head(ctx)
	if err != nil {
		return fmt.Errorf("open escrow: %w", err)
	}
	most, sender := j.most, c.Peer.Sender
	nonce, err := sender.Send(ctx, ledger.EscrowOpen{
		Job: j.link, Amount: most, Price: j.document.Price, Deadline: head.Height + j.document.Hold,
	})
	switch {
	case errors.Is(err, ledger.Already):
		return c.keepPrice(ctx, j)
	case errors.Is(err, ledger.InsufficientFunds):
		return fmt.Errorf("the document may cost up to %s ALIA, which the customer's account does not have: %w", protocol.FormatAmount(most), err)
	case err != nil:
		return fmt.Errorf("open escrow of %s ALIA for job %s: %w", protocol.FormatAmount(most), j.link, err)
	}
	if err := sender.Confirm(ctx, nonce); err != nil {
		return fmt.Errorf("open escrow: %w", err)
	}
	return nil
}

// keepPrice has a job go on at the price of the escrow that an earlier call opened: the
// ledger pays no other. It says so where the document now names another price.
func (c *Client) keepPrice(ctx context.Context, j *job) error {
	e, open, err := c.Peer.Ledger.Escrow(ctx, j.link, c.Peer.Account())
	switch {
	case err != nil:
		return fmt.Errorf("read escrow of job %s: %w", j.link, err)
	case !open:
		return fmt.Errorf("the escrow of job %s was just closed: translate the document again", j.link)
	case e.Price != j.document.Price:
		c.report(node.Resumed{Text: fmt.Sprintf("the job goes on at the price of its escrow, %s ALIA a GFLOP, not at %s: an escrow's price is fixed",
			protocol.FormatAmount(e.Price), protocol.FormatAmount(j.document.Price))})
		j.document.Price = e.Price
	}
	return nil
}

// settlements is the settlement part of a receipt: the ledger's proof for each
// unit, in the sequence of the job's units.
type settlements struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Units   [][]byte
}

// settle carries the accepted units to the ledger. It returns what miners were
// paid, and the ledger's proofs.
func (c *Client) settle(ctx context.Context, j *job) (paid uint64, proofs []byte, err error) {
	relay := &node.Relay{
		Ledger: c.Peer.Ledger, Sender: c.Peer.Sender, Journal: j.journal,
		Every: settleEvery, Report: c.report, Log: c.Peer.Log,
	}
	if err := relay.Drain(ctx); err != nil {
		return 0, nil, err
	}
	all := settlements{Version: 1}
	for _, u := range j.units {
		s, proof, err := c.Peer.Ledger.ProveUnit(ctx, u.ID())
		if err != nil {
			return 0, nil, err
		}
		paid += s.Paid
		all.Units = append(all.Units, proof)
	}
	proofs, err = block.Encode(all)
	return paid, proofs, err
}
