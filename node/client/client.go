// Package client is the library of a customer: it has a network's miners translate
// a document, pays them, and keeps the receipt.
//
// A customer has a home, which is a directory with a key and a network file (`alia
// init` makes one), and tokens to pay with.
//
//	c, err := client.Open(ctx, home.Dir("/home/ada/.local/share/alia"))
//	defer c.Close()
//	model, err := block.ParseLink("bafyrei...")
//	t, err := c.Translate(ctx, client.Document{Text: "Good morning.", Model: model, Budget: protocol.Coin / 10})
//	fmt.Print(t.Text)
//
// The receipt stays in the home. It can be checked without the network, years later:
//
//	data, err := os.ReadFile(t.ReceiptFile)
//	proven, err := client.VerifyReceipt(network, data)
//
// A program that runs a [node.Peer] already makes a [Client] from it:
//
//	c := &client.Client{Peer: peer, Report: report}
package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alia-network/alia/ledger/wallet"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Client has documents translated for one customer, whose key and home are the
// peer's. It is safe for concurrent use; one document is translated at a time.
type Client struct {
	Peer *node.Peer
	// Report receives every notice; nil receives none.
	Report node.Reporter
	// Patience is how long Translate looks for a peer that has the model; 0 is
	// DefaultPatience.
	Patience time.Duration

	mu sync.Mutex // held by Translate: a peer publishes one job at a time
}

// DefaultPatience is enough for a peer that has just joined to meet others.
const DefaultPatience = 30 * time.Second

// Open joins the network of a home as the home's account. Close leaves it.
func Open(ctx context.Context, dir home.Dir) (*Client, error) {
	w, err := wallet.Open(dir.Wallet())
	if err != nil {
		return nil, err
	}
	network, err := node.ReadNetwork(dir.Network())
	if err != nil {
		return nil, err
	}
	peer, err := node.OpenPeer(ctx, node.PeerConfig{Home: dir, Network: network, Key: w.Key()})
	if err != nil {
		return nil, err
	}
	return &Client{Peer: peer}, nil
}

// Close leaves the network and closes the peer.
func (c *Client) Close() error { return c.Peer.Close() }

// Document is a text to be translated, and what the customer offers for the
// translation. Text and Model are required.
type Document struct {
	Text  string
	Model block.Link
	// Source and Target are languages, such as "en" and "de". Translate fails
	// when the model has others. Empty takes the model's.
	Source, Target string
	// Holders are addresses of peers that have the model. Without them the
	// network's directory is asked.
	Holders []string
	// Decoding sets the search for a translation; zero is [unit.Greedy].
	Decoding unit.Decoding
	// Budget is the most to pay, as an amount. Translate fails when the document
	// may cost more. 0 asks for an unpaid translation.
	Budget uint64
	// Price is the amount paid for a GFLOP; 0 is DefaultPrice.
	Price uint64
	// Hold is the number of heights for which miners can rely on the escrow; 0 is
	// DefaultHold. [Reclaim] then takes back the unspent part.
	Hold uint64
	// Sequence distinguishes equal documents of one customer. A document with the
	// same fields and Sequence as before is the same job: its finished units are
	// neither done nor paid again.
	Sequence uint64
}

const (
	// DefaultPrice is 0.002 ALIA for a GFLOP.
	DefaultPrice = 200_000
	// DefaultHold is about ten minutes, where a height takes a second.
	DefaultHold = 600
)

// Translation is a translated document.
type Translation struct {
	Text string // line for line as the document
	Job  block.Link
	// Receipt says who translated the document and what was paid; ReceiptFile is
	// where it is kept.
	Receipt     *protocol.Receipt
	ReceiptFile string
	Paid        uint64 // amount, to miners
	Units       int
	Seconds     float64
}

// Translate publishes a document, waits until miners have translated it, pays them
// and keeps the receipt in the home. When ctx ends before, the finished units stay
// in the home, and the same call continues from there.
func (c *Client) Translate(ctx context.Context, d Document) (*Translation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	began := time.Now()
	j, err := c.prepare(ctx, d)
	if err != nil {
		return nil, err
	}
	// The journal has the units of an earlier call for the same job.
	if j.journal, err = c.Peer.OpenJournal(c.Peer.Home.Job(j.link)); err != nil {
		return nil, err
	}
	defer j.journal.Close()
	settled, err := j.settled()
	if err != nil {
		return nil, err
	}
	// A job that was paid before has its proof of payment in its receipt, also
	// when the customer asks for the same document as a gift now.
	paid := j.document.Budget > 0 || settled
	if paid && !settled {
		if err := c.openEscrow(ctx, j); err != nil {
			return nil, err
		}
	}
	// The work, then the payment, then the receipt over both.
	outcomes, err := c.publish(ctx, j)
	if err != nil {
		return nil, err
	}
	t := &Translation{Job: j.link, Units: len(j.units)}
	output, err := c.collect(ctx, j, outcomes, t)
	if err != nil {
		return nil, err
	}
	var settlement []byte
	if paid {
		if t.Paid, settlement, err = c.settle(ctx, j); err != nil {
			return nil, err
		}
	}
	if err := c.keepReceipt(j, output, settlement, t); err != nil {
		return nil, err
	}
	t.Seconds = time.Since(began).Seconds()
	return t, nil
}

// prepare makes the job of a document. It refuses everything that can be refused
// before there is an escrow.
func (c *Client) prepare(ctx context.Context, d Document) (*job, error) {
	if err := d.complete(); err != nil {
		return nil, err
	}
	m, err := c.findModel(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := d.speak(m.Model); err != nil {
		return nil, err
	}
	layout := text.Split(d.Text).Fit(m.Fits)
	if len(layout.Sentences) == 0 {
		return nil, errors.New("the document has no text")
	}
	j, err := c.newJob(ctx, d, m, layout)
	if err != nil {
		return nil, err
	}
	return j, j.affordable()
}

// job is a document that is ready to be published.
type job struct {
	document  Document
	layout    text.Layout
	link      block.Link
	blocks    block.Owned // of the job
	input     block.Link  // all sentences
	most      uint64      // amount, the most that the job can cost
	units     []unit.Unit
	estimates []uint64 // MFLOP of each unit
	journal   *journal.Journal
}

// newJob stores the job's record and the inputs of its units.
func (c *Client) newJob(ctx context.Context, d Document, m *model.Head, layout text.Layout) (*job, error) {
	sentences := layout.Sentences
	j := &job{document: d, layout: layout, most: max(1, d.cost(m.Most(sentences, d.Decoding)))}
	var err error
	// The record names the text, and the owner of both blocks has the name of the record.
	document := unit.Text{Version: 1, Segments: sentences}
	if j.input, err = block.LinkOf(document); err != nil {
		return nil, fmt.Errorf("store document: %w", err)
	}
	record := unit.Job{
		Version: 1, Customer: c.Peer.Account(), Sequence: d.Sequence, Model: d.Model, Input: j.input, Decoding: d.Decoding,
	}
	if j.link, err = block.LinkOf(record); err != nil {
		return nil, fmt.Errorf("store document: %w", err)
	}
	j.blocks = block.Owned{Store: c.Peer.Store, Owner: node.JobOwner(j.link)}
	for _, v := range []any{document, record} {
		if _, err := block.PutNode(ctx, j.blocks, v); err != nil {
			return nil, fmt.Errorf("store document: %w", err)
		}
	}
	if j.units, err = model.Translations(ctx, j.blocks, j.link, d.Model, m.Tokenizer, sentences, d.Decoding); err != nil {
		return nil, fmt.Errorf("store document: %w", err)
	}
	for _, u := range j.units {
		var part unit.Text // the unit's sentences
		if err := block.GetNode(ctx, j.blocks, u.Inputs[1], &part); err != nil {
			return nil, fmt.Errorf("store document: %w", err)
		}
		j.estimates = append(j.estimates, m.Estimate(part.Segments, d.Decoding))
	}
	return j, nil
}

// settled reports whether every unit of the job is accepted and paid.
func (j *job) settled() (bool, error) {
	for _, u := range j.units {
		if _, settled, err := j.journal.Accepted(u.ID()); err != nil || !settled {
			return false, err
		}
	}
	return true, nil
}

// publish offers the job until every unit is done.
func (c *Client) publish(ctx context.Context, j *job) ([]unit.Outcome, error) {
	d := j.document
	p := node.NewPublisher(node.PublisherConfig{
		Peer: c.Peer, Journal: j.journal, Work: j.link, Price: d.Price, Hints: d.Holders, Report: c.report,
		Estimate: func(u unit.Unit) uint64 { return j.estimates[u.Index] },
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.JobOffer{Job: j.link, Time: time, Src: d.Source, Dst: d.Target, Model: d.Model, Price: d.Price, Addrs: addrs}
		},
	})
	var outcomes []unit.Outcome
	err := node.Together(ctx, func(ctx context.Context) (err error) {
		if outcomes, err = p.Do(ctx, j.units); err == nil {
			p.End(ctx) // an interrupted job continues later: miners must not think that it has ended
		}
		return err
	}, p.Run)
	return outcomes, err
}

// collect joins the translated sentences to a text, and stores them as the job's
// output.
func (c *Client) collect(ctx context.Context, j *job, outcomes []unit.Outcome, t *Translation) (block.Link, error) {
	segments, err := model.Segments(ctx, j.blocks, j.units, outcomes)
	if err != nil {
		return block.Link{}, err
	}
	if t.Text, err = j.layout.Join(segments); err != nil {
		return block.Link{}, err
	}
	output, err := block.PutNode(ctx, j.blocks, unit.Text{Version: 1, Segments: segments})
	if err != nil {
		return block.Link{}, fmt.Errorf("store translation: %w", err)
	}
	return output, nil
}

func (c *Client) report(n node.Notice) {
	if c.Report != nil {
		c.Report(n)
	}
}
