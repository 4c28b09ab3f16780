package corrections

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// View is an entry as programs read it: the answer of `alia corrections` and of a gateway.
type View struct {
	ID      string `json:"id"` // CID
	State   State  `json:"state"`
	By      string `json:"by,omitempty"` // who decided
	Reason  string `json:"reason,omitempty"`
	Votes   []Vote `json:"votes"`
	From    string `json:"from"`
	To      string `json:"to"`
	Source  string `json:"source"`
	Machine string `json:"machine"`
	Human   string `json:"human"`
	Model   string `json:"model,omitempty"`
	How     string `json:"how,omitempty"`
	Licence string `json:"licence"`
	Author  string `json:"author"`
	Payee   string `json:"payee,omitempty"`
	Time    string `json:"time"` // when it was signed, RFC 3339
	Due     uint64 `json:"due"`  // amount
	Note    string `json:"note,omitempty"`
	Paid    bool   `json:"paid"`
}

// View makes the view of an entry.
func (e Item) View() View {
	c := &e.Record
	v := View{
		ID: e.ID.String(), State: e.State, By: e.By, Reason: e.Reason, Votes: append([]Vote{}, e.Votes...), From: c.Src, To: c.Dst,
		Source: c.Source, Machine: c.Machine, Human: c.Human, Model: textOf(c.Model), How: c.How, Licence: c.Licence,
		Author: person{c.Account, c.Author}.String(), Time: at(c.Time), Due: e.Due, Note: e.Note, Paid: e.Paid,
	}
	if to := payee(c); to != (protocol.Account{}) {
		v.Payee = to.String()
	}
	if e.State == Proposed && e.Reason == "" {
		_, v.Reason = Judge(c)
	}
	return v
}

// Pricing is the terms as programs read them: the answer of `alia corrections budget` and of a
// gateway, for authors.
type Pricing struct {
	Budget        string   `json:"budget,omitempty"` // CID
	Amount        uint64   `json:"amount"`
	SetAside      uint64   `json:"set_aside"`
	Paid          uint64   `json:"paid"`
	Left          uint64   `json:"left"`
	PerAuthor     uint64   `json:"per_author"`
	PerCorrection uint64   `json:"per_correction"`
	PerCharacter  uint64   `json:"per_character"`
	Votes         int      `json:"votes"`
	Rules         int      `json:"rules"` // version; 0: only persons approve
	Reviewers     []string `json:"reviewers"`
	Licences      []string `json:"licences"`         // of which each correction has one
	Signed        string   `json:"signed,omitempty"` // the budget's bytes, in base64
}

// Pricing makes the view of terms.
func (t Terms) Pricing() Pricing {
	b := Pricing{Reviewers: []string{}, Licences: protocol.Licences()}
	if !t.Published {
		return b
	}
	b.Budget, b.Amount, b.SetAside, b.Paid, b.Left = t.ID.String(), t.Budget.Amount, t.SetAside, t.Paid, t.Left()
	b.PerAuthor, b.PerCorrection, b.PerCharacter = t.Budget.PerAuthor, t.Budget.PerCorrection, t.Budget.PerCharacter
	b.Votes, b.Rules, b.Signed = int(t.Budget.Votes), int(t.Budget.Rules), base64.StdEncoding.EncodeToString(t.Signed)
	for _, r := range t.Budget.Reviewers {
		b.Reviewers = append(b.Reviewers, r.String())
	}
	return b
}

// Suggestion is the body of a gateway's POST /api/corrections.
type Suggestion struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Source  string `json:"source"`
	Machine string `json:"machine"` // empty: that of the model, from the memory
	Human   string `json:"human"`
	Model   string `json:"model"` // CID, and how it was used: of the gateway's answer
	How     string `json:"how"`
	Licence string `json:"licence"`
	Account string `json:"account"` // that is paid; empty: nobody is
	// Signed is a line of `alia corrections propose --output`, in place of all the others:
	// then the author has signed the correction, and not the gateway.
	Signed string `json:"signed"`
}

// Suggest takes a suggestion of somebody whom the gateway calls author, such as "key 1a2b".
func (p *Pool) Suggest(ctx context.Context, s Suggestion, author string) (View, error) {
	if s.Signed != "" {
		return p.one(ctx, s.Signed)
	}
	if author == "" {
		author = "anonymous"
	}
	d := Draft{From: s.From, To: s.To, Source: s.Source, Machine: s.Machine, Human: s.Human, How: s.How, Licence: s.Licence, Author: author}
	var err error
	if s.Model != "" {
		if d.Model, err = block.ParseLink(s.Model); err != nil {
			return View{}, protocol.Refuse(protocol.Malformed, "model %q: %v", s.Model, err)
		}
	}
	if s.Account != "" {
		if d.Payee, err = protocol.ParseAccount(s.Account); err != nil {
			return View{}, protocol.Refuse(protocol.Malformed, "%v", err)
		}
	}
	e, err := p.Write(ctx, d)
	return e.View(), err
}

// one imports a single line.
func (p *Pool) one(ctx context.Context, line string) (View, error) {
	line = strings.TrimRight(line, "\r\n")
	if strings.Contains(line, "\n") {
		return View{}, protocol.Refuse(protocol.Malformed, "more than one signed line")
	}
	all, err := p.Import(ctx, []byte(line))
	if err == nil && len(all) == 1 {
		err = all[0].Err
	}
	if err != nil {
		return View{}, err
	}
	return all[0].Item.View(), nil
}

// Opinion is the body of a gateway's POST /api/corrections/{id}/approve.
type Opinion struct {
	Approve bool   `json:"approve"`
	Reason  string `json:"reason"`
	Signed  string `json:"signed"` // a line of `alia corrections approve --output`, in place of the others
	Owner   bool   `json:"-"`      // the owner of the home votes, and nobody whom the gateway names
}

// Decide counts the opinion of somebody whom the gateway calls reviewer. Who has no name
// has no vote.
func (p *Pool) Decide(ctx context.Context, id string, o Opinion, reviewer string) (View, error) {
	l, err := block.ParseLink(id)
	if err != nil {
		return View{}, fmt.Errorf("%q: %w", id, ErrUnknown)
	}
	if o.Signed != "" {
		v, err := p.one(ctx, o.Signed)
		if err == nil && v.ID != id {
			err = protocol.Refuse(protocol.Malformed, "the signed vote is about %s, and it was counted there", v.ID)
		}
		return v, err
	}
	switch {
	case o.Owner:
		reviewer = ""
	case reviewer == "":
		return View{}, fmt.Errorf("%w: an API key, the gateway's token or a signed vote says who approves", ErrNoReviewer)
	}
	e, err := p.Vote(l, Choice{Approve: o.Approve, Reason: o.Reason, Reviewer: reviewer})
	return e.View(), err
}

// Views lists the entries of a state, the newest first, from a place on.
func (p *Pool) Views(s State, from, most int) (views []View, all int, err error) {
	list, err := p.List(s)
	views = []View{}
	for i := len(list) - 1 - from; i >= 0 && len(views) < most; i-- {
		views = append(views, list[i].View())
	}
	return views, len(list), err
}

// Status is the status of HTTP for an error of this package: RFC 9110, section 15.
func Status(err error) int {
	for _, c := range []struct {
		err    error
		status int
	}{
		{ErrUnknown, http.StatusNotFound}, {ErrKnown, http.StatusConflict}, {ErrDecided, http.StatusConflict}, {ErrVoted, http.StatusConflict},
		{ErrOwn, http.StatusForbidden}, {ErrNoReviewer, http.StatusForbidden}, {ErrNoise, http.StatusTooManyRequests}, {ErrMany, http.StatusTooManyRequests}, {ErrUnproven, http.StatusBadRequest}, {errLine, http.StatusBadRequest},
	} {
		if errors.Is(err, c.err) {
			return c.status
		}
	}
	if protocol.ReasonOf(err) != protocol.Unspecified {
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
