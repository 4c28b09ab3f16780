package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Document is what is to be translated, and what the customer offers for the translation.
// Text or Texts, and Model are required.
type Document struct {
	// Text is a plain text. Its lines are the Texts of the job.
	Text string
	// Texts are translated one by one. A text may have several sentences and lines; its
	// translation has the same white space between them.
	Texts []string
	Model block.Link
	// Source and Target are languages, such as "en" and "de". Start fails when the model
	// has others. Empty takes the model's. A model with several targets is told Target by
	// codes in front of the sentences.
	Source, Target string
	// Holders are addresses of peers that have the model. Without them the
	// network's directory is asked.
	Holders []string
	// Decoding sets the search for a translation; zero is [unit.Greedy].
	Decoding unit.Decoding
	// Terms are the lines of a glossary: see package work/terms. The translation of a sentence
	// in which a source term stands contains its target term, verbatim. Start fails if the
	// model cannot write a term, or a sentence has too many.
	Terms []unit.Term
	// Budget is the most to pay, as an amount. Start fails when the document may cost
	// more. 0 asks for an unpaid translation.
	Budget uint64
	// Price is the amount paid for a GFLOP; 0 is DefaultPrice.
	Price uint64
	// Hold is the number of heights for which miners can rely on the escrow; 0 is
	// DefaultHold. While the work goes on it is extended.
	Hold uint64
	// Privacy says who may read the document; zero is [PrivacySealed].
	Privacy Privacy
	// Miners are the only ones that may do the work, and are needed with [PrivacyPrivate]; nil
	// lets every miner.
	Miners []protocol.Account
	// CheckPPM is the share of the segments, in parts per million, that [Client.Recompute]
	// translates again before a result is accepted. They are drawn when the result is there, so
	// no miner knows them. A wrong result is refused, its miner gets no more of the job, and the
	// proof is kept: see [Client.Wrong].
	CheckPPM uint32
	// Sequence distinguishes equal documents of one customer. A document with the
	// same sentences, Model, Decoding, Sequence and Terms that stand in it as before is the same job: its finished
	// units are neither done nor paid again. An open document and one that is not are two jobs.
	Sequence uint64
}

const (
	// DefaultPrice is 0.002 ALIA for a GFLOP.
	DefaultPrice = 200_000
	// DefaultHold is about ten minutes, where a height takes a second.
	DefaultHold = 600
)

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
	case d.Text != "" && d.Texts != nil:
		return errors.New("the document has a text and a list of texts: give one of them")
	case d.Budget == 0:
		d.Price = 0 // a gift
	case d.Price == 0:
		d.Price = DefaultPrice
	}
	if err := d.Decoding.Validate(); err != nil {
		return fmt.Errorf("%w (--no-repeat, --repetition-penalty)", err)
	}
	if d.Hold == 0 {
		d.Hold = DefaultHold
	}
	if d.Privacy == "" {
		d.Privacy = PrivacySealed
	}
	if err := d.Privacy.check(); err != nil {
		return err
	}
	switch {
	case d.Privacy == PrivacyPrivate && len(d.Miners) == 0:
		return errors.New("a private document needs the accounts of the miners that may read it (--miner)")
	case d.CheckPPM > everything:
		return fmt.Errorf("a check of %d millionths of the segments, at most %d are there (--check)", d.CheckPPM, everything)
	}
	if d.Texts == nil {
		d.Texts = strings.Split(d.Text, "\n")
	}
	d.Text = ""
	for i, t := range d.Texts {
		for at, r := range t {
			if _, n := utf8.DecodeRuneInString(t[at:]); r == utf8.RuneError && n == 1 {
				return fmt.Errorf("text %d is not UTF-8: byte %d of it is 0x%02X: convert it first", i, at, t[at])
			}
		}
	}
	return nil
}

// speak compares the document's languages with the model's, and takes the model's
// where the document names none.
func (d *Document) speak(m *model.Head) error {
	if d.Source == "" {
		d.Source = m.Model.Source
	}
	if d.Target == "" {
		d.Target = m.Model.Target
	}
	if text.Tag(d.Source) != text.Tag(m.Model.Source) || text.Tag(d.Target) != text.Tag(m.Model.Target) && len(m.Targets()) == 0 {
		return fmt.Errorf("model %s translates from %s to %s, not from %s to %s", d.Model, m.Model.Source, m.Model.Target, d.Source, d.Target)
	}
	return nil
}

// layouts divides each text into sentences that fit the model.
func (d *Document) layouts(m *model.Head) (all []text.Layout, sentences []string, err error) {
	s, err := m.Splitter(d.Target)
	if err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", d.Model, err)
	}
	for i, t := range d.Texts {
		l, err := s.Split(t)
		if err != nil {
			return nil, nil, fmt.Errorf("text %d, %.60q: %w", i, t, err)
		}
		all, sentences = append(all, l), append(sentences, l.Sentences...)
	}
	if len(sentences) == 0 {
		return nil, nil, errors.New("the document has no text with letters: what has none is copied, and needs no job")
	}
	return all, sentences, nil
}

// affordable refuses a job that may cost more than the document's budget.
func (d *Document) affordable(most uint64) error {
	if d.Budget == 0 || most <= d.Budget {
		return nil
	}
	return fmt.Errorf("the document may cost up to %s ALIA at %s ALIA a GFLOP, but the budget (--budget) is %s ALIA: "+
		"raise the budget; the unspent part comes back",
		protocol.FormatAmount(most), protocol.FormatAmount(d.Price), protocol.FormatAmount(d.Budget))
}

// order is the file with what a customer wants of a job: another process goes on from it.
type order struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16   // 3
	Rules          uint16   // [text.Rules], by which the texts become sentences
	Texts          []string
	Model          block.Link
	Source, Target string
	Holders        []string
	Decoding       unit.Decoding
	Terms          []unit.Term
	Budget         uint64
	Price          uint64
	Hold           uint64
	Sequence       uint64
	Privacy        string
	Miners         []protocol.Account
	CheckPPM       uint32
}

// encodeOrder is the bytes of an order.
func encodeOrder(d Document) ([]byte, error) {
	return block.Encode(order{
		Version: 3, Rules: text.Rules, Texts: d.Texts, Model: d.Model, Source: d.Source, Target: d.Target, Holders: d.Holders, Decoding: d.Decoding,
		Terms: d.Terms, Budget: d.Budget, Price: d.Price, Hold: d.Hold, Sequence: d.Sequence,
		Privacy: string(d.Privacy), Miners: d.Miners, CheckPPM: d.CheckPPM,
	})
}

// writeOrder keeps a document for [Client.Resume], sealed.
func (c *Client) writeOrder(path string, d Document) error {
	data, err := encodeOrder(d)
	if err == nil {
		data, err = c.Peer.Sealer.Seal(data)
	}
	if err != nil {
		return fmt.Errorf("keep document: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep document: %w", err)
	}
	return node.WriteFile(path, data)
}

// readOrder reads what writeOrder wrote.
func (c *Client) readOrder(path string) (Document, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Document{}, err
	}
	var d Document
	if data, err = c.Peer.Sealer.Unseal(data); err == nil {
		d, err = parseOrder(data)
	}
	if err != nil {
		return d, fmt.Errorf("%s: %w: start the document again", path, err)
	}
	return d, nil
}

// parseOrder reads the bytes of an order.
func parseOrder(data []byte) (Document, error) {
	var o order
	if err := block.Decode(data, &o); err != nil {
		return Document{}, fmt.Errorf("it is damaged, or of another version of this program: %w", err)
	}
	if o.Version != 3 {
		return Document{}, fmt.Errorf("version %d, this program knows version 3", o.Version)
	}
	if o.Rules != text.Rules {
		return Document{}, fmt.Errorf("the job was begun with version %d of the rules for sentences, and this program has version %d, which may divide it otherwise", o.Rules, text.Rules)
	}
	if err := Privacy(o.Privacy).check(); err != nil {
		return Document{}, err
	}
	if len(o.Miners) == 0 {
		o.Miners = nil // which lets every miner
	}
	return Document{
		Texts: o.Texts, Model: o.Model, Source: o.Source, Target: o.Target, Holders: o.Holders, Decoding: o.Decoding,
		Terms: o.Terms, Budget: o.Budget, Price: o.Price, Hold: o.Hold, Sequence: o.Sequence,
		Privacy: Privacy(o.Privacy), Miners: o.Miners, CheckPPM: o.CheckPPM,
	}, nil
}

// Start makes a job of a document, and finds what it can cost. It refuses everything that
// can be refused before there is an escrow, and moves no money: [Job.Segments] and
// [Job.Text] do. If the document is a job that was begun before, that one goes on. Close
// the job after use.
//
// A job whose escrow was closed before it was done has ended: what it has paid is paid.
// Then the document is a new job, with the next Sequence.
func (c *Client) Start(ctx context.Context, d Document) (*Job, error) {
	if err := d.complete(); err != nil {
		return nil, err
	}
	if d.CheckPPM > 0 && c.Recompute == nil {
		return nil, errNoCheck
	}
	for {
		j, ended, err := c.start(ctx, d)
		if err != nil || !ended {
			return j, err
		}
		d.Sequence++
	}
}

// Resume goes on with a job that was started in this home before, by its name. The error
// wraps [fs.ErrNotExist] if the home has no such job, or if the job was cancelled.
func (c *Client) Resume(ctx context.Context, link block.Link) (*Job, error) {
	d, err := c.readOrder(c.Peer.Home.Order(link))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("job %s is not in the home, or was cancelled: start it with its document: %w", link, err)
	} else if err != nil {
		return nil, fmt.Errorf("job %s: %w", link, err)
	}
	j, ended, err := c.start(ctx, d)
	switch {
	case err != nil:
		return nil, err
	case ended:
		return nil, fmt.Errorf("the escrow of job %s was closed before it was done: start the document again, as a new job", link)
	case j.ID() != link:
		return nil, errors.Join(fmt.Errorf("the order of job %s is that of job %s: delete %s, and start the job with its document", link, j.ID(), c.Peer.Home.Order(link)), j.Close())
	}
	return j, nil
}

// start is Start for one Sequence. ended reports that the job has ended, and then there is
// none.
func (c *Client) start(ctx context.Context, d Document) (_ *Job, ended bool, err error) {
	c.begin()
	if isClosed(c.closed) {
		return nil, false, ErrClosed
	}
	ctx, stop := until(ctx, ErrClosed, c.closed)
	defer stop()
	m, err := c.findModel(ctx, d)
	if err != nil {
		return nil, false, err
	}
	if err := d.speak(m); err != nil {
		return nil, false, err
	}
	h := &Job{client: c, texts: d.Texts}
	var sentences []string
	if h.layouts, sentences, err = d.layouts(m); err != nil {
		return nil, false, err
	}
	c.starts.RLock()
	defer c.starts.RUnlock()
	mine, err := c.newJob(ctx, d, m, sentences)
	if err != nil {
		return nil, false, err
	}
	if err := d.affordable(mine.most(d.Price)); err != nil {
		return nil, false, err
	}
	if h.work, err = c.take(ctx, mine); err != nil {
		return nil, false, err
	}
	if h.work.ended {
		return nil, true, c.release(h.work)
	}
	h.quote = h.work.quoted
	return h, false, nil
}

// take opens a job's journal and finds what the ledger knows of the job. A job that is
// open already is shared.
func (c *Client) take(ctx context.Context, mine *job) (*job, error) {
	for {
		c.mu.Lock()
		if isClosed(c.closed) {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		j, open := c.jobs[mine.link]
		if !open {
			j = mine
			c.jobs[mine.link] = j
		}
		j.users++
		c.mu.Unlock()
		if !open {
			if err := c.looked(j, c.look(ctx, j)); err != nil {
				return nil, errors.Join(err, c.release(j))
			}
			return j, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.release(j))
		case <-j.looked:
		}
		switch {
		case isClosed(j.cancelled):
			return nil, errors.Join(ErrCancelled, c.release(j))
		case j.failed == nil:
			return j, nil
		}
		if err := c.release(j); err != nil { // whoever opened it failed, perhaps because its context ended
			return nil, err
		}
	}
}

// looked ends the opening of a job. One that failed can be opened anew at once.
func (c *Client) looked(j *job, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.failed = err; err != nil {
		delete(c.jobs, j.link)
	}
	j.quoted = j.quote() // before others share the job: whoever has the turn may change what it costs
	close(j.looked)
	return err
}

// look opens the journal of a job, and reads the job's escrow.
func (c *Client) look(ctx context.Context, j *job) (err error) {
	dir := c.Peer.Home
	if j.journal, err = c.Peer.OpenJournal(dir.Job(j.link)); err != nil {
		return err
	}
	if err := c.stand(ctx, j); err != nil || j.ended {
		return err
	}
	return c.writeOrder(dir.Order(j.link), j.document)
}

// release gives a job back. When nobody has it any more, its journal is closed. What was
// never begun leaves nothing in the home.
func (c *Client) release(j *job) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.users--; j.users > 0 {
		return nil
	}
	if c.jobs[j.link] == j {
		delete(c.jobs, j.link)
	}
	return c.shut(j)
}

// shut closes the journal of a job. The caller holds mu.
func (c *Client) shut(j *job) error {
	if j.journal == nil || j.shut {
		return nil
	}
	j.shut = true
	begun := j.paid || j.ended || j.failed != nil || j.entries() > 0
	err := j.journal.Close()
	if c.starts.TryLock() { // else an equal document may be starting: its blocks stay until the process ends
		c.Peer.Store.Unpin(node.SecretOwner(j.link)) // what is needed lies sealed on the disk
		if !begun {
			c.Peer.Store.Unpin(node.JobOwner(j.link))
			c.Peer.Store.Unpin(node.OpenOwner(j.link))
		}
		c.starts.Unlock()
	}
	if !begun {
		err = errors.Join(err, os.RemoveAll(c.Peer.Home.Job(j.link)), os.RemoveAll(c.Peer.Home.Order(j.link)))
	}
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
