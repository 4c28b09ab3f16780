// Package client is the library a customer imports: publish a document,
// follow it, get the translation and its receipt.
//
//	c := &client.Client{Peer: peer, Dir: dir, Report: report}
//	t, err := c.Translate(ctx, client.Document{Text: text, Model: model, Source: "en", Target: "de", Budget: 2 * coin})
//	fmt.Print(t.Text)
//	receipt, paid, err := client.VerifyReceipt(network, bytes) // offline, years later
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Client publishes documents for one customer.
type Client struct {
	Peer *node.Peer
	// Dir keeps the journals of jobs, so that a job interrupted goes on.
	Dir    string
	Report node.Reporter
}

// Document is text to be translated.
type Document struct {
	Text           string
	Source, Target string // languages
	Model          block.Link
	Hints          []string // addresses of peers that hold the model
	Decoding       unit.Decoding
	// Budget, in units of the token, is the most to pay; 0 asks for the work unpaid, which miners may refuse.
	Budget uint64
	// Price is offered for a GFLOP, in units of the token.
	Price uint64
	// Hold is how many heights the budget stays in escrow, so that miners can
	// rely on it; 0 is 600. What is left then comes back by [Reclaim].
	Hold uint64
	// Sequence tells equal documents of one customer apart.
	Sequence uint64
}

// Translation is a document translated, and the proof of who did it.
type Translation struct {
	Text    string
	Job     block.Link
	Receipt *protocol.Receipt
	Paid    uint64 // units of the token that left the escrow
	Units   int
	Seconds float64
}

// defaultHold is the heights an escrow stands unless the document says.
const defaultHold = 600

// Translate publishes a document, has its units done, pays for them, and
// returns the translation, line for line, with a signed receipt.
func (c *Client) Translate(ctx context.Context, d Document) (*Translation, error) {
	began := time.Now()
	if err := c.fetchModel(ctx, d); err != nil {
		return nil, err
	}
	head, err := model.ReadHead(ctx, c.Peer.Store, d.Model)
	if err != nil {
		return nil, err
	}
	layout := text.Split(d.Text).Fit(head.Fits)
	job, input, units, err := c.job(ctx, d, &head, layout.Sentences)
	if err != nil {
		return nil, err
	}
	journal, err := node.OpenJournal(filepath.Join(c.Dir, job.String()+home.JournalSuffix), c.Peer.Net)
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	sender := c.Peer.Ledger.Sender(c.Peer.Key)
	if d.Budget > 0 {
		if most := head.Most(layout.Sentences, d.Decoding) * d.Price / 1000; most > d.Budget {
			return nil, fmt.Errorf("the document may cost up to %d units of the token at %d a GFLOP, the budget is %d: raise the budget; what is not spent comes back", most, d.Price, d.Budget)
		}
		if err := c.escrow(ctx, sender, job, d); err != nil {
			return nil, err
		}
	}
	outcomes, err := c.publish(ctx, d, job, &head, units, journal)
	if err != nil {
		return nil, err
	}
	t := &Translation{Job: job, Units: len(units)}
	output, err := c.collect(ctx, d, layout, outcomes, t)
	if err != nil {
		return nil, err
	}
	r := protocol.Receipt{Job: job, Model: d.Model, Input: input, Output: output}
	if d.Budget > 0 {
		if t.Paid, r.Settlement, err = c.settle(ctx, sender, units, journal); err != nil {
			return nil, err
		}
	}
	if t.Receipt, err = c.receipt(r, units, journal); err != nil {
		return nil, err
	}
	t.Seconds = time.Since(began).Seconds()
	return t, nil
}

// fetchModel brings the model's record and tokenizer here: the customer cuts
// the text into units by its tokens.
func (c *Client) fetchModel(ctx context.Context, d Document) error {
	if err := c.Peer.Mesh.FetchTree(ctx, d.Hints, d.Model.Cid); err != nil {
		return fmt.Errorf("model %s: %w", d.Model, err)
	}
	m, err := model.Read(ctx, c.Peer.Store, d.Model)
	if err != nil {
		return err
	}
	if m.Source != d.Source || m.Target != d.Target {
		return fmt.Errorf("model %s translates from %s to %s, not from %s to %s", d.Model, m.Source, m.Target, d.Source, d.Target)
	}
	return nil
}

// job stores the job's record and its units' inputs.
func (c *Client) job(ctx context.Context, d Document, m *model.Head, segments []string) (job, input block.Link, units []unit.Unit, err error) {
	if len(segments) == 0 {
		return job, input, nil, errors.New("the document holds no text")
	}
	fail := func(err error) (block.Link, block.Link, []unit.Unit, error) {
		return block.Link{}, block.Link{}, nil, fmt.Errorf("publish document: %w", err)
	}
	if input, err = block.PutNode(ctx, c.Peer.Store, unit.Text{Version: 1, Segments: segments}); err != nil {
		return fail(err)
	}
	rec := unit.Job{Version: 1, Customer: c.Peer.Account(), Sequence: d.Sequence, Model: d.Model, Input: input, Decoding: d.Decoding}
	if job, err = block.PutNode(ctx, c.Peer.Store, rec); err != nil {
		return fail(err)
	}
	if units, err = model.Translations(ctx, c.Peer.Store, job, d.Model, m.Tokenizer, segments, d.Decoding); err != nil {
		return fail(err)
	}
	return job, input, units, nil
}

// escrow sets the budget aside, unless an earlier attempt did.
func (c *Client) escrow(ctx context.Context, sender *light.Sender, job block.Link, d Document) error {
	head, err := c.Peer.Ledger.Head(ctx)
	if err != nil {
		return fmt.Errorf("open escrow: %w", err)
	}
	nonce, err := sender.Send(ctx, ledger.EscrowOpen{Job: job, Amount: d.Budget, Price: d.Price, Deadline: head.Height + cmp.Or(d.Hold, defaultHold)})
	if errors.Is(err, ledger.Already) {
		return nil
	} else if err != nil {
		return fmt.Errorf("open escrow of %d for job %s: %w", d.Budget, job, err)
	}
	if err := sender.Confirm(ctx, nonce); err != nil {
		return fmt.Errorf("open escrow: %w", err)
	}
	return nil
}

// publish offers the job and returns when every unit is done.
func (c *Client) publish(ctx context.Context, d Document, job block.Link, m *model.Head, units []unit.Unit, journal *node.Journal) ([]unit.Outcome, error) {
	price := d.Price
	if d.Budget == 0 {
		price = 0 // nothing is in escrow: the work is unpaid
	}
	costs := make([]uint64, len(units)) // by Index
	for i, u := range units {
		var t unit.Text
		if err := block.GetNode(ctx, c.Peer.Store, u.Inputs[1], &t); err != nil {
			return nil, fmt.Errorf("publish document: %w", err)
		}
		costs[i] = m.Estimate(t.Segments, d.Decoding)
	}
	p := &node.Publisher{
		Peer: c.Peer, Journal: journal, Work: job, Price: price, Report: c.Report,
		Topic:    protocol.JobTopic(c.Peer.Net, d.Source, d.Target),
		Estimate: func(u unit.Unit) uint64 { return costs[u.Index] },
		Offer: func(seq uint64, addrs []string) protocol.Signed {
			return &protocol.JobOffer{Job: job, Seq: seq, Src: d.Source, Dst: d.Target, Model: d.Model, Price: price, Addrs: addrs}
		},
	}
	var outcomes []unit.Outcome
	err := node.Together(ctx, func(ctx context.Context) (err error) {
		outcomes, err = p.Do(ctx, units)
		p.End()
		return err
	}, p.Run)
	return outcomes, err
}

// collect puts the document together and stores its sentences as one text.
func (c *Client) collect(ctx context.Context, d Document, layout text.Layout, outcomes []unit.Outcome, t *Translation) (block.Link, error) {
	segments, err := model.Segments(ctx, c.Peer.Store, outcomes)
	if err != nil {
		return block.Link{}, err
	}
	if t.Text, err = layout.Join(segments); err != nil {
		return block.Link{}, err
	}
	output, err := block.PutNode(ctx, c.Peer.Store, unit.Text{Version: 1, Segments: segments})
	if err != nil {
		return block.Link{}, fmt.Errorf("store translation: %w", err)
	}
	return output, nil
}

// proofs is the settlement part of a receipt: for each unit, in order, what
// the ledger has of it.
type proofs struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Units   [][]byte
}

// settle carries the accepted units to the ledger and returns what was paid
// for them, with the ledger's proofs.
func (c *Client) settle(ctx context.Context, sender *light.Sender, units []unit.Unit, journal *node.Journal) (paid uint64, proof []byte, err error) {
	relay := &node.Relay{Ledger: c.Peer.Ledger, Sender: sender, Journal: journal, Every: 200 * time.Millisecond, Report: c.Report, Log: c.Peer.Log}
	if err := relay.Drain(ctx); err != nil {
		return 0, nil, err
	}
	all := proofs{Version: 1}
	for _, u := range units {
		s, p, err := c.Peer.Ledger.ProveUnit(ctx, u.ID())
		if err != nil {
			return 0, nil, err
		}
		paid += s.Paid
		all.Units = append(all.Units, p)
	}
	proof, err = block.Encode(all)
	return paid, proof, err
}

// receipt signs what the customer keeps.
func (c *Client) receipt(r protocol.Receipt, units []unit.Unit, journal *node.Journal) (*protocol.Receipt, error) {
	for _, u := range units {
		a, ok := journal.Get(u.ID())
		if !ok {
			return nil, fmt.Errorf("receipt: unit %s is not in the journal", u.ID())
		}
		r.Attestations = append(r.Attestations, a.Attestation)
		r.Accepts = append(r.Accepts, a.Accept)
	}
	if _, err := protocol.Sign(c.Peer.Key, c.Peer.Net, &r); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return &r, nil
}

// VerifyReceipt checks a receipt without the network: its signatures, that
// its parts speak of the same units, and the ledger's proof that each was
// settled as attested. It returns what the miners were paid, in units of the
// token; 0 for work that was not to be paid.
func VerifyReceipt(n node.Network, receipt []byte) (*protocol.Receipt, uint64, error) {
	var r protocol.Receipt
	if err := protocol.Parse(receipt, n.Net(), &r); err != nil {
		return nil, 0, fmt.Errorf("receipt: %w", err)
	}
	for i, a := range r.Attestations {
		b := r.Accepts[i]
		if a.Work != r.Job || b.Work != r.Job || a.Unit != b.Unit || a.Result != b.Result || a.Account != b.Miner || b.Account != r.Account {
			return nil, 0, fmt.Errorf("receipt: attestation and acceptance %d do not agree", i)
		}
	}
	if len(r.Settlement) == 0 {
		return &r, 0, nil
	}
	var all proofs
	if err := block.Decode(r.Settlement, &all); err != nil {
		return nil, 0, fmt.Errorf("receipt: settlement: %w", err)
	}
	if all.Version != 1 || len(all.Units) != len(r.Attestations) {
		return nil, 0, fmt.Errorf("receipt: settlement of version %d has %d proofs for %d units", all.Version, len(all.Units), len(r.Attestations))
	}
	var paid uint64
	for i, a := range r.Attestations {
		s, err := light.VerifyProof(n.Genesis, all.Units[i], a.Unit)
		if err != nil {
			return nil, 0, fmt.Errorf("receipt: %w", err)
		}
		if s.Result != a.Result || s.Miner != a.Account {
			return nil, 0, fmt.Errorf("receipt: unit %s was settled with result %s of %s", a.Unit, s.Result, s.Miner.Short())
		}
		paid += s.Paid
	}
	return &r, paid, nil
}
