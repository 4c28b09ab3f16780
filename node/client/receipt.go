package client

import (
	"errors"
	"fmt"
	"os"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// keepReceipt signs the receipt of a job, checks it and writes it to the home.
func (c *Client) keepReceipt(j *job, output block.Link, settlement []byte, t *Translation) error {
	r := &protocol.Receipt{Job: j.link, Model: j.document.Model, Input: j.input, Output: output, Settlement: settlement}
	for _, u := range j.units {
		a, _, err := j.journal.Accepted(u.ID())
		if err != nil {
			return fmt.Errorf("receipt: %w", err)
		}
		if a == nil {
			return fmt.Errorf("receipt: unit %s is not in the journal", u.ID())
		}
		r.Attestations = append(r.Attestations, a.Attestation)
		r.Accepts = append(r.Accepts, a.Accept)
	}
	data, err := protocol.Sign(c.Peer.Key, c.Peer.Net, r)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	// A receipt that does not verify would be found out when it is needed.
	if _, err := VerifyReceipt(c.Peer.Network, data); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Peer.Home.Receipts(), 0o755); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	t.Receipt, t.ReceiptFile = r, c.Peer.Home.Receipt(j.link)
	return node.WriteFile(t.ReceiptFile, data)
}

// Proven is the content of a checked receipt.
type Proven struct {
	Receipt *protocol.Receipt
	// Settled says that the receipt has the ledger's proof for every unit. A
	// unpaid translation has none.
	Settled bool
	Paid    uint64 // amount, to miners; proven by the ledger
}

// VerifyReceipt checks a receipt without the network. It checks the signatures. It
// checks that all parts are about the same units of one job, and that each unit
// occurs once. It checks the ledger's proof that each unit was paid as attested.
func VerifyReceipt(n node.Network, receipt []byte) (Proven, error) {
	var r protocol.Receipt
	if err := protocol.Parse(receipt, n.Net(), &r); err != nil {
		return Proven{}, fmt.Errorf("receipt: %w", err)
	}
	if len(r.Attestations) == 0 {
		return Proven{}, errors.New("receipt: it has no unit of work")
	}
	seen := map[block.Link]bool{}
	for i, a := range r.Attestations {
		b := r.Accepts[i]
		if a.Work != r.Job || b.Work != r.Job || a.Unit != b.Unit || a.Result != b.Result || a.Cost != b.Cost ||
			a.Account != b.Miner || b.Account != r.Account {
			return Proven{}, fmt.Errorf("receipt: attestation and accept %d do not agree", i)
		}
		if seen[a.Unit] {
			return Proven{}, fmt.Errorf("receipt: it has unit %s twice", a.Unit)
		}
		seen[a.Unit] = true
	}
	p := Proven{Receipt: &r, Settled: len(r.Settlement) > 0}
	if !p.Settled {
		return p, nil
	}
	var err error
	p.Paid, err = verifySettlements(n, &r)
	return p, err
}

// verifySettlements checks the ledger's proofs of a receipt, and returns what the
// miners were paid.
func verifySettlements(n node.Network, r *protocol.Receipt) (paid uint64, err error) {
	var all settlements
	if err := block.Decode(r.Settlement, &all); err != nil {
		return 0, fmt.Errorf("receipt: settlement: %w", err)
	}
	if all.Version != 1 || len(all.Units) != len(r.Attestations) {
		return 0, fmt.Errorf("receipt: settlement of version %d with %d proofs, want version 1 with %d",
			all.Version, len(all.Units), len(r.Attestations))
	}
	for i, a := range r.Attestations {
		s, err := light.VerifyProof(n.Genesis, all.Units[i], a.Unit)
		if err != nil {
			return 0, fmt.Errorf("receipt: %w", err)
		}
		if s.Work != a.Work || s.Result != a.Result || s.Miner != a.Account || s.Cost != a.Cost {
			return 0, fmt.Errorf("receipt: the ledger settled unit %s as %d MFLOP of work %s with result %s by %s, the receipt says otherwise",
				a.Unit, s.Cost, s.Work, s.Result, s.Miner.Short())
		}
		paid += s.Paid
	}
	return paid, nil
}
