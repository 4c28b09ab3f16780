package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Job is a document's translation. Its methods may be called concurrently; those that work
// on the job take turns. Two jobs that [Client.Start] made of equal documents are one job
// for the network and for the ledger.
type Job struct {
	client  *Client
	work    *job
	texts   []string
	layouts []text.Layout // of the texts
	quote   Quote
	closing sync.Once
}

var (
	// ErrCancelled is returned by what a cancelled job is asked for.
	ErrCancelled = errors.New("the job is cancelled")
	// ErrUnfinished is returned, wrapped, by Settle while a unit is not translated.
	ErrUnfinished = errors.New("the document is not translated yet: take its Segments or its Text first")
)

// Quote is the most that a job can cost. It follows from the document, the model and the
// price; no miner is asked.
type Quote struct {
	Amount uint64 // what is set aside, at most; 0 for an unpaid job
	MFLOP  uint64
	Units  int
}

// Segment is a translated text of a document.
type Segment struct {
	Index  int    // of the text
	Source string // the text
	Text   string // its translation
}

// ID is the job's name, the CID of its record.
func (j *Job) ID() block.Link { return j.work.link }

// Quote is what the job costs at most.
func (j *Job) Quote() Quote { return j.quote }

// ReceiptFile is where Settle keeps the receipt.
func (j *Job) ReceiptFile() string { return j.client.Peer.Home.Receipt(j.work.link) }

// Segments has the document translated, and yields each text once, when it is there, in
// any sequence. What was translated before comes first, also in an earlier process. An
// error ends the sequence.
//
// The work goes on while the iterator runs, whether the caller is fast or slow. When the
// caller ends the loop, or ctx ends, the work stops; the finished units stay in the home,
// and the next call continues from there. Before the first unit is offered, the ledger sets
// the job's Quote aside, unless it did before.
func (j *Job) Segments(ctx context.Context) iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		ctx, done, err := j.begin(ctx)
		if err != nil {
			yield(Segment{}, err)
			return
		}
		defer done()
		a := j.assemble()
		more := a.blank(yield) && j.translate(ctx, a, yield, &err)
		if err != nil && context.Cause(ctx) == ErrClosed {
			err = ErrClosed
		}
		if err != nil && more {
			yield(Segment{}, err)
		}
	}
}

// begin waits for the job's turn. The context that it returns ends with the client.
func (j *Job) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	w := j.work
	ctx, stop := until(ctx, ErrClosed, j.client.closed)
	select {
	case <-ctx.Done():
		err := context.Cause(ctx)
		stop()
		return nil, nil, err
	case w.turn <- struct{}{}:
	}
	done = func() { <-w.turn; stop() }
	if isClosed(j.client.closed) {
		err = ErrClosed
	} else if isClosed(w.cancelled) {
		err = ErrCancelled
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return ctx, done, nil
}

// translate has the units done, and yields the texts that are complete. It returns false
// if the caller wants no more; err is then not the caller's.
func (j *Job) translate(ctx context.Context, a *assembly, yield func(Segment, error) bool, err *error) bool {
	c, w := j.client, j.work
	select {
	case <-ctx.Done():
		*err = context.Cause(ctx)
		return true
	case c.running <- struct{}{}:
		defer func() { <-c.running }()
	}
	if *err = c.fund(ctx, w); *err != nil {
		return true
	}
	type result struct {
		unit    int
		outcome unit.Outcome
	}
	ctx, stop := context.WithCancel(ctx)
	results := make(chan result, len(w.units)) // so that the work never waits for the caller
	end := make(chan error, 1)
	go func() {
		end <- c.publish(ctx, w, func(i int, o unit.Outcome) { results <- result{i, o} })
		close(results)
	}()
	finish := func() error {
		stop()
		for range results { // until publish has ended
		}
		return <-end
	}
	for r := range results {
		for _, s := range a.add(ctx, r.unit, r.outcome, err) {
			if !yield(s, nil) {
				finish()
				return false
			}
		}
		if *err != nil {
			finish()
			return true
		}
	}
	*err = finish()
	return true
}

// publish offers the job until every unit is done, and calls done for each.
func (c *Client) publish(ctx context.Context, w *job, done func(int, unit.Outcome)) error {
	d := w.document
	config := node.PublisherConfig{
		Peer: c.Peer, Journal: w.journal, Work: w.link, Price: d.Price, Hints: d.Holders, Report: c.report,
		Secret: d.Privacy != PrivacyOpen, Miners: d.Miners,
		Estimate: func(u unit.Unit) uint64 { return w.estimates[u.Index] },
		Only:     func(u unit.Unit) protocol.Account { return w.claimed[u.Index] },
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.JobOffer{Job: w.link, Time: time, Src: d.Source, Dst: text.Tag(d.Target), Model: d.Model, Price: d.Price, Addrs: addrs}
		},
	}
	if w.paid {
		config.Proof, config.Escrow = node.JobProof(w.slots), w.escrow
	}
	if err := c.check(w, &config); err != nil {
		return err
	}
	p := node.NewPublisher(config)
	others := []func(context.Context) error{p.Run}
	if whole, err := w.accepted(); err != nil {
		return err
	} else if w.paid && !whole {
		others = append(others, func(ctx context.Context) error { return c.extend(ctx, w) })
	}
	err := node.Together(ctx, func(ctx context.Context) error {
		working, stop := until(ctx, ErrCancelled, w.cancelled)
		defer stop()
		err := p.DoEach(working, w.units, done)
		if err != nil && context.Cause(working) == ErrCancelled {
			err = ErrCancelled
		}
		if err == nil || err == ErrCancelled {
			p.End(ctx) // an interrupted job continues later: miners must not think that it has ended
		}
		return err
	}, others...)
	if errors.Is(err, node.ErrTaken) {
		return c.lost(w, err)
	}
	return err
}

// lost says what to do about a job that cannot be finished. Without its order, nothing keeps
// the escrow open.
func (c *Client) lost(w *job, why error) error {
	if err := os.RemoveAll(c.Peer.Home.Order(w.link)); err != nil {
		why = errors.Join(why, err)
	}
	return fmt.Errorf("job %s cannot be finished: %w. What is left of its escrow comes back after height %d; "+
		"then the document is a new job, so start it again", w.link, why, w.deadline)
}

// assembly is the translated sentences of a job's texts.
type assembly struct {
	job       *Job
	sentences []string // translated; those of unit i are first[i] to first[i+1]
	first     []int
	begins    []int // first sentence of each text, and in the end the number of sentences
	missing   []int // sentences of each text
}

func (j *Job) assemble() *assembly {
	a := &assembly{job: j, first: []int{0}, begins: []int{0}}
	for _, n := range j.work.sizes {
		a.first = append(a.first, a.first[len(a.first)-1]+n)
	}
	for _, l := range j.layouts {
		n := len(l.Sentences)
		a.begins, a.missing = append(a.begins, a.begins[len(a.begins)-1]+n), append(a.missing, n)
	}
	a.sentences = make([]string, a.begins[len(a.begins)-1])
	return a
}

// blank yields the texts that have no sentences. It returns false if the caller wants no
// more.
func (a *assembly) blank(yield func(Segment, error) bool) bool {
	for i, n := range a.missing {
		if t := a.job.texts[i]; n == 0 && !yield(Segment{i, t, t}, nil) {
			return false
		}
	}
	return true
}

// add takes a unit's outcome, and returns the texts that are complete with it.
func (a *assembly) add(ctx context.Context, i int, o unit.Outcome, err *error) (whole []Segment) {
	w := a.job.work
	var sentences []string
	if sentences, *err = model.Segments(ctx, w.blocks, w.units[i:i+1], []unit.Outcome{o}); *err != nil {
		return nil
	}
	copy(a.sentences[a.first[i]:], sentences)
	for t := range a.missing {
		from, to := max(a.begins[t], a.first[i]), min(a.begins[t+1], a.first[i+1])
		if from >= to {
			continue
		}
		if a.missing[t] -= to - from; a.missing[t] > 0 {
			continue
		}
		s := Segment{Index: t, Source: a.job.texts[t]}
		if s.Text, *err = a.job.layouts[t].Join(a.sentences[a.begins[t]:a.begins[t+1]]); *err != nil {
			return nil
		}
		whole = append(whole, s)
	}
	return whole
}

// Texts has the document translated, and returns its texts. They are not settled yet.
func (j *Job) Texts(ctx context.Context) ([]string, error) {
	all := make([]string, len(j.texts))
	for s, err := range j.Segments(ctx) {
		if err != nil {
			return nil, err
		}
		all[s.Index] = s.Text
	}
	return all, nil
}

// Text is Texts in one, with a line feed between two of them.
func (j *Job) Text(ctx context.Context) (string, error) {
	all, err := j.Texts(ctx)
	return strings.Join(all, "\n"), err
}

// Settle claims the pay of the miners on the ledger, and keeps the receipt in the home. The
// claims are paid later, at the height that the receipt names. The error wraps
// ErrUnfinished while a unit is not translated.
func (j *Job) Settle(ctx context.Context) (Proven, error) {
	ctx, done, err := j.begin(ctx)
	if err != nil {
		return Proven{}, err
	}
	defer done()
	w := j.work
	if whole, err := w.accepted(); err != nil {
		return Proven{}, err
	} else if !whole {
		return Proven{}, fmt.Errorf("settle job %s: %w", w.link, ErrUnfinished)
	}
	me := j.client.Customer()
	if w.paid {
		// Another home of the customer may have closed the escrow, when all was claimed: then the
		// ledger pays nothing more, and the receipt says what it paid.
		if err := me.claim(ctx, w); err != nil && !errors.Is(err, ledger.UnknownEscrow) {
			return Proven{}, err
		}
		j.client.watch(w.link, true)
	}
	p, ok, err := me.keepReceipt(ctx, w, w.paid)
	if err == nil && !ok {
		err = fmt.Errorf("receipt: the journal %s lacks a unit that was just done: is another program changing it?", me.Home.Job(w.link))
	}
	return p, err
}

// Translation is a document that is translated and settled.
type Translation struct {
	Text string // line for line as the document
	// Receipt says who translated the document and what the ledger pays; ReceiptFile is
	// where it is kept.
	Receipt     Proven
	ReceiptFile string
}

// Translate is Start, Text and Settle in one.
func (c *Client) Translate(ctx context.Context, d Document) (*Translation, error) {
	j, err := c.Start(ctx, d)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	t := &Translation{ReceiptFile: j.ReceiptFile()}
	if t.Text, err = j.Text(ctx); err != nil {
		return nil, err
	}
	if t.Receipt, err = j.Settle(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Receipt is the receipt that Settle has kept. The error wraps [fs.ErrNotExist] before.
func (j *Job) Receipt() (Proven, error) {
	data, err := os.ReadFile(j.ReceiptFile())
	if err != nil {
		return Proven{}, fmt.Errorf("receipt: %w", err)
	}
	return VerifyReceipt(j.client.Peer.Network, data)
}

// Cancel stops the work, and claims the pay of what was accepted. What is left of the
// escrow comes back when the ledger lets it, without another call: when the miners have had
// time to claim what they did. Nothing can be asked of the job afterwards; its document can
// be started again.
func (j *Job) Cancel(ctx context.Context) error {
	w := j.work
	w.cancelling.Do(func() { close(w.cancelled) })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case w.turn <- struct{}{}: // the iterator has ended
		defer func() { <-w.turn }()
	}
	if isClosed(j.client.closed) {
		return ErrClosed
	}
	// Without its order, nothing keeps the escrow open.
	if err := os.RemoveAll(j.client.Peer.Home.Order(w.link)); err != nil {
		return fmt.Errorf("cancel job %s: %w", w.link, err)
	}
	if !w.paid {
		return nil
	}
	if err := j.client.Customer().claim(ctx, w); err != nil {
		return fmt.Errorf("cancel job %s: %w", w.link, err)
	}
	return nil
}

// Close releases the job. One that was begun and is not settled can be started again.
func (j *Job) Close() (err error) {
	j.closing.Do(func() { err = j.client.release(j.work) })
	return err
}
