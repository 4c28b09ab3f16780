package corrections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alia-network/alia/node/memory"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Draft is a correction that is not signed yet.
type Draft struct {
	From, To string // languages
	Source   string
	// Machine is the translation that is corrected. With Model and How, which are those of
	// the translation memory, it is looked up there if it is empty.
	Machine string
	Human   string
	Model   block.Link
	How     string
	Licence string           // see [protocol.Licences]
	Author  string           // a name for somebody without the home's key; "": the home's account is the author
	Payee   protocol.Account // none: the author's account
	// Search has a translation of Source looked for in the whole memory, when Model is not
	// given: the newest one by a model, which is Machine unless that is empty.
	Search bool
}

// Sign signs a draft with the home's key, and keeps nothing: the line is for the pool of
// another home, see [Pool.Import].
func (p *Pool) Sign(d Draft) (line []byte, err error) {
	e, err := p.draft(d)
	if err != nil {
		return nil, fmt.Errorf("correction: %w", err)
	}
	return appendLine(nil, e), nil
}

// search finds which model has made the translation that is corrected.
func (p *Pool) search(d *Draft) error {
	var found memory.Known
	for k, err := range p.Memory.All() {
		if err != nil {
			return err
		}
		if k.Source == d.Source && k.From == d.From && k.To == d.To && k.Model != "" && (d.Machine == "" || d.Machine == k.Target) {
			found = k
		}
	}
	if found.Model == "" {
		return nil
	}
	l, err := block.ParseLink(found.Model)
	d.Model, d.How, d.Machine = l, found.How, found.Target
	return err
}

func (p *Pool) draft(d Draft) (entry, error) {
	if d.Search && !d.Model.Defined() && p.Memory != nil {
		if err := p.search(&d); err != nil {
			return entry{}, err
		}
	}
	if d.Machine == "" && d.Model.Defined() && p.Memory != nil {
		var err error
		s := memory.Settings{From: d.From, To: d.To, Model: d.Model.String(), How: d.How}
		if d.Machine, _, err = p.Memory.Exact(s, d.Source); err != nil {
			return entry{}, err
		}
	}
	// A poor model gives damaged characters, or spaces at an end, which a record does not
	// quote. Without the machine's text the correction is the author's own.
	if d.Machine != "" && !protocol.Quotable(d.Machine) {
		d.Machine, d.Model, d.How = "", block.Link{}, ""
	}
	return p.sign(kindCorrection, &protocol.Correction{
		Time: p.now(), Src: d.From, Dst: d.To, Source: d.Source, Machine: d.Machine, Human: d.Human,
		Model: d.Model, How: d.How, Licence: d.Licence, Author: d.Author, Payee: d.Payee,
	})
}

// Write signs a draft and proposes it to the home's own pool.
func (p *Pool) Write(ctx context.Context, d Draft) (Item, error) {
	e, err := p.draft(d)
	if err != nil {
		return Item{}, fmt.Errorf("correction: %w", err)
	}
	return p.propose(e.data)
}

// ahead is how far an author's clock may be ahead.
const ahead = 10 * time.Minute

// propose takes a signed correction into the pool, and has the rules look at it.
func (p *Pool) propose(data []byte) (out Item, err error) {
	var c protocol.Correction
	if err := protocol.Parse(data, p.Net, &c); err != nil {
		return out, fmt.Errorf("correction: %w", err)
	}
	if err := p.proven(&c); err != nil {
		return out, fmt.Errorf("correction: %w", err)
	}
	verdict, reason := Judge(&c)
	err = p.locked(func() error {
		list := []entry{{kindCorrection, data}}
		approves := p.book.budget != nil && p.book.budget.record.Rules == Rules
		if p.Key != nil && (verdict == Bad || verdict == Good && approves) {
			r, err := p.sign(kindReview, &protocol.Review{Correction: protocol.ID(data), Approve: verdict == Good, Reason: reason, Rules: Rules})
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		if err := p.add(list...); err != nil {
			return err
		}
		out = *p.book.entries[protocol.ID(data)]
		return nil
	})
	if err != nil {
		return out, err
	}
	if out.State == Proposed {
		out.Reason = reason // not kept: it follows from the text
	}
	return out, p.learn(out)
}

// proven holds what an author says to what the home knows. The account's signature shows
// who says that a model gave a translation, and not that it did.
func (p *Pool) proven(c *protocol.Correction) error {
	if c.Time > uint64(p.Now().Add(ahead).UnixMilli()) {
		return fmt.Errorf("it was signed at %s, which is still to come: is the clock right?", at(c.Time))
	}
	if !c.Model.Defined() {
		return nil // the author's own: only a person approves it
	}
	unproven := fmt.Errorf("%w of %.60q by model %s, %s: leave the model out if the text is your own", ErrUnproven, c.Source, c.Model, c.How)
	if p.Memory == nil {
		return unproven
	}
	made, ok, err := p.Memory.Exact(memory.Settings{From: c.Src, To: c.Dst, Model: c.Model.String(), How: c.How}, c.Source)
	if err != nil {
		return err
	}
	if !ok || made != c.Machine {
		return unproven
	}
	return nil
}

// Choice is a review that is not signed yet.
type Choice struct {
	Approve  bool
	Reason   string // a rejection needs one
	Reviewer string // a name for somebody without the home's key; "": the home's account votes
}

// SignVote signs a vote with the home's key for the pool of another home.
func (p *Pool) SignVote(id block.Link, b Choice) (line []byte, err error) {
	e, err := p.ballot(id, b)
	if err != nil {
		return nil, fmt.Errorf("review: %w", err)
	}
	return appendLine(nil, e), nil
}

func (p *Pool) ballot(id block.Link, b Choice) (entry, error) {
	return p.sign(kindReview, &protocol.Review{Correction: id, Approve: b.Approve, Reason: b.Reason, Reviewer: b.Reviewer})
}

// Vote signs a vote and counts it in the home's own pool. The entry says whether it has
// decided the correction.
func (p *Pool) Vote(id block.Link, b Choice) (Item, error) {
	e, err := p.ballot(id, b)
	if err != nil {
		return Item{}, fmt.Errorf("review: %w", err)
	}
	return p.review(e.data)
}

func (p *Pool) review(data []byte) (out Item, err error) {
	var r protocol.Review
	if err := protocol.Parse(data, p.Net, &r); err != nil {
		return out, fmt.Errorf("review: %w", err)
	}
	if r.Rules != 0 { // these are signed where a correction is proposed, and nowhere else
		return out, errors.New("review: one by rules is not imported: the rules run again here")
	}
	err = p.locked(func() error {
		if err := p.add(entry{kindReview, data}); err != nil {
			return err
		}
		out = *p.book.entries[r.Correction]
		return nil
	})
	if err != nil {
		return out, err
	}
	return out, p.learn(out)
}

// Imported is what became of a line of a file.
type Imported struct {
	Line int
	Item Item // of the correction, or of that which the vote is about
	Err  error
}

// Import takes corrections and votes of others from lines that Sign and SignVote gave. A
// line that is refused does not keep the others out.
func (p *Pool) Import(ctx context.Context, data []byte) (all []Imported, err error) {
	n := 0
	for line := range bytes.Lines(data) {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		n++
		i := Imported{Line: n}
		e, err := parseLine(bytes.TrimRight(line, "\r\n"))
		switch {
		case err != nil:
			i.Err = fmt.Errorf("line %d: %w", n, err)
		case e.kind == kindCorrection:
			i.Item, i.Err = p.propose(e.data)
		case e.kind == kindReview:
			i.Item, i.Err = p.review(e.data)
		default:
			i.Err = fmt.Errorf("line %d: it is neither a correction nor a vote", n)
		}
		all = append(all, i)
	}
	return all, nil
}
