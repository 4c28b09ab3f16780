package client

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/terms"
	"github.com/alia-network/alia/work/unit"
)

// maxSegments bounds the segments of a document, so that the receipt fits into its bytes:
// at most eight for each segment, and 400 for each unit.
const maxSegments = 1 << 16

// job is a translation job. The first fields follow from the job's record, its text and
// the model's head, so another process finds the same.
type job struct {
	record    unit.Job
	link      block.Link // of record
	units     []unit.Unit
	slots     []protocol.Slot // of the units, what the escrow pays for
	estimates []uint64        // MFLOP of each unit, for scheduling
	sizes     []int           // sentences of each unit

	document Document // as it was when the job was opened
	blocks   block.Blocks
	journal  *journal.Journal

	// Of a job that is open in a client:
	users      int           // the client's lock guards it
	looked     chan struct{} // closed when the fields below are set
	failed     error         // why the job could not be opened
	ended      bool          // its escrow was closed before it was done
	quoted     Quote         // when it was opened
	cancelled  chan struct{}
	cancelling sync.Once
	checked    atomic.Int64                // segments that this process has checked
	turn       chan struct{}               // has a value while somebody works on the job; guards the rest
	paid       bool                        // the job has an escrow, or had one
	deadline   uint64                      // of the escrow, a height
	escrow     uint64                      // its number, which tickets name
	proof      []byte                      // of the escrow as it was when the job was taken up; nil: it was opened here
	claimed    map[uint32]protocol.Account // miners of the units that the escrow had claims of when the job was opened
	shut       bool                        // the journal is closed; the client's lock guards it
}

// newJob stores the job's record and the inputs of its units.
func (c *Client) newJob(ctx context.Context, d Document, m *model.Head, sentences []string) (*job, error) {
	n, bytes := len(sentences), 0
	for _, s := range sentences {
		bytes += len(s)
	}
	switch {
	case n > maxSegments:
		return nil, fmt.Errorf("the document has %d sentences, and a receipt has at most %d: translate it in parts", n, maxSegments)
	case bytes > block.MaxSize-10*n: // each sentence has a head
		return nil, fmt.Errorf("the document has %d bytes of text, and a block has at most %d: translate it in parts", bytes, block.MaxSize)
	}
	j := &job{document: d, looked: make(chan struct{}), cancelled: make(chan struct{}), turn: make(chan struct{}, 1)}
	j.record = unit.Job{Version: unit.Plain, Customer: c.Peer.Account(), Sequence: d.Sequence, Model: d.Model, Decoding: d.Decoding}
	document := unit.Text{Version: unit.Plain, Segments: sentences}
	g, err := terms.New(d.Terms)
	if err != nil {
		return nil, err
	}
	// Only the terms that some segment needs are in the record.
	if _, used := g.All(sentences); len(used) > 0 {
		j.record.Version, j.record.Terms = unit.WithTerms, used
	}
	if err := j.record.Validate(); err != nil {
		return nil, &terms.TermError{Err: err}
	}
	// The record names the text, and the owner of both blocks has the name of the record.
	if j.record.Input, err = block.LinkOf(document); err == nil && d.Privacy != PrivacyOpen {
		if j.record.Salt, err = c.salt(j.record); err == nil {
			j.record.Version = unit.Salted
			document = document.WithSalt(j.record.Salt)
			j.record.Input, err = block.LinkOf(document)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("store document: %w", err)
	}
	if j.link, err = block.LinkOf(j.record); err != nil {
		return nil, fmt.Errorf("store document: %w", err)
	}
	owner, needs := node.SecretOwner(j.link), node.JobOwner(j.link)
	if d.Privacy == PrivacyOpen {
		owner, needs = node.OpenOwner(j.link), node.OpenOwner(j.link)
	}
	j.blocks = block.Owned{Store: c.Peer.Store, Owner: owner}
	for _, v := range []any{document, j.record} {
		if _, err := block.PutNode(ctx, j.blocks, v); err != nil {
			return nil, fmt.Errorf("store document: %w", err)
		}
	}
	// Whoever takes the escrow back needs the model's head too.
	if err := block.PinTree(ctx, c.Peer.Store, needs, d.Model.Cid); err != nil {
		return nil, fmt.Errorf("store document: %w", err)
	}
	return j, j.cut(ctx, m, sentences)
}

// openJob reads a job of an earlier process from a store, and changes nothing there.
func openJob(ctx context.Context, store block.Blocks, link block.Link) (*job, error) {
	j := &job{link: link, blocks: &overlay{store, &block.MemoryStore{}}}
	if err := block.GetNode(ctx, j.blocks, link, &j.record); err != nil {
		return nil, err
	}
	m, err := model.ReadHead(ctx, j.blocks, j.record.Model)
	if err != nil {
		return nil, err
	}
	var document unit.Text
	if err := block.GetNode(ctx, j.blocks, j.record.Input, &document); err != nil {
		return nil, err
	}
	return j, j.cut(ctx, &m, document.Segments)
}

// overlay reads blocks from a store, and keeps new ones in memory.
type overlay struct {
	store  block.Blocks
	memory *block.MemoryStore
}

func (o *overlay) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if o.memory.Has(c) {
		return o.memory.Get(ctx, c)
	}
	return o.store.Get(ctx, c)
}

func (o *overlay) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	return o.memory.Put(ctx, codec, data)
}

// cut makes the units of the job and their slots.
func (j *job) cut(ctx context.Context, m *model.Head, sentences []string) error {
	r := j.record
	targets, err := termsOf(r, sentences)
	if err != nil {
		return err
	}
	for i, list := range targets {
		if _, err := model.Spell(m.Tokenizer, list); err != nil {
			return &terms.TermError{Err: fmt.Errorf("sentence %d, %.60q: %w", i+1, sentences[i], err)}
		}
	}
	if j.units, err = model.JobTranslations(ctx, j.blocks, j.link, r, m.Tokenizer, sentences, targets); err != nil {
		return fmt.Errorf("store document: %w", err)
	}
	if n := len(j.units); n > ledger.MaxJobUnits {
		return fmt.Errorf("the document makes %d units of work, and an escrow pays for at most %d: translate it in parts", n, ledger.MaxJobUnits)
	}
	checker := check.New()
	most := make([]uint64, len(j.units))
	for i, u := range j.units {
		// The miner and whoever checks its result find the most cost in the same way.
		e, err := checker.Expect(ctx, j.blocks, u)
		if err != nil {
			return fmt.Errorf("cost of unit %d: %w", i, err)
		}
		most[i] = e.MFLOP()
		var part unit.Text // the unit's sentences
		if err := block.GetNode(ctx, j.blocks, u.Inputs[1], &part); err != nil {
			return fmt.Errorf("store document: %w", err)
		}
		j.sizes = append(j.sizes, len(part.Segments))
		j.estimates = append(j.estimates, m.Estimate(part, r.Decoding))
	}
	j.slots = node.JobSlots(j.units, most)
	return nil
}

// termsOf are the terms of each sentence of a job; nil for a job without terms.
func termsOf(r unit.Job, sentences []string) ([][]string, error) {
	if len(r.Terms) == 0 {
		return nil, nil
	}
	g, err := terms.New(r.Terms)
	if err != nil {
		return nil, fmt.Errorf("glossary: %w", err)
	}
	targets, _ := g.All(sentences)
	return targets, nil
}

// amountOf is the amount for work of some MFLOP at a price for a GFLOP, as the ledger
// counts.
func amountOf(mflop, price uint64) uint64 {
	hi, lo := bits.Mul64(mflop, price)
	if hi >= 1000 {
		return math.MaxUint64
	}
	amount, _ := bits.Div64(hi, lo, 1000)
	return amount
}

// most is the most that the job can cost, an amount. It is at least 1, which an escrow
// must have.
func (j *job) most(price uint64) uint64 {
	var sum uint64
	for _, s := range j.slots {
		sum = protocol.AddCosts(sum, amountOf(s.Most, price))
	}
	return max(1, sum)
}

// quote is the most that the job can cost.
func (j *job) quote() Quote {
	q := Quote{Units: len(j.units)}
	for _, s := range j.slots {
		q.MFLOP = protocol.AddCosts(q.MFLOP, s.Most)
	}
	if j.paid || j.document.Budget > 0 {
		q.Amount = j.most(j.document.Price)
	}
	return q
}

// entries is how many units somebody has begun.
func (j *job) entries() int {
	return j.journal.Count(journal.Pending) + j.journal.Count(journal.Paid) + j.journal.Count(journal.Unaccepted)
}

// accepted reports whether every unit of the job is accepted.
func (j *job) accepted() (bool, error) {
	for _, u := range j.units {
		if a, _, err := j.journal.Accepted(u.ID()); err != nil || a == nil {
			return false, err
		}
	}
	return true, nil
}

// settled reports whether every unit of the job is accepted and claimed.
func (j *job) settled() (bool, error) {
	for _, u := range j.units {
		if _, settled, err := j.journal.Accepted(u.ID()); err != nil || !settled {
			return false, err
		}
	}
	return true, nil
}
