package corrections

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
)

// State is how far a correction is.
type State string

const (
	Proposed State = "proposed"
	Approved State = "approved"
	Rejected State = "rejected"
)

// Item is a correction of the pool, and what became of it.
type Item struct {
	ID     block.Link // of the correction's bytes
	Record protocol.Correction
	State  State
	By     string // who decided: an account or a name, or "rules 1"
	Reason string // that the last review gave
	// Due is what the budget in force at the approval pays, an amount. It is set aside from
	// then on. Note says why it is 0.
	Due     uint64
	Budget  block.Link
	Note    string
	Paid    bool
	Nonce   uint64 // of the transfer that pays or has paid; 0: none yet
	Votes   []Vote
	payload []byte
}

// Vote is a review of the pool.
type Vote struct {
	Person  string `json:"person"`
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"`
}

// person is who an account speaks for: itself, or somebody that it names.
type person struct {
	account protocol.Account
	name    string
}

func (p person) String() string {
	if p.name != "" {
		return fmt.Sprintf("%s (for %s)", p.name, p.account.Short())
	}
	return p.account.String()
}

// payee is the account that a correction pays, and none if its author has none.
func payee(c *protocol.Correction) protocol.Account {
	if c.Payee != (protocol.Account{}) || c.Author != "" {
		return c.Payee
	}
	return c.Account
}

// budget is a budget, and what of it is set aside.
type budget struct {
	id     block.Link
	record protocol.Budget
	due    uint64
	each   map[protocol.Account]uint64
}

// book is the state of a pool: a function of its lines. It has no clock and no disk.
type book struct {
	net       protocol.Net
	collector protocol.Account
	entries   map[block.Link]*Item
	order     []*Item
	texts     map[[32]byte]block.Link // what was corrected how, and not rejected
	open      map[person]int          // proposals that nobody has decided
	rejected  map[person]int          // rejected proposals, less those approved
	votes     map[block.Link][]person
	budget    *budget // in force
	transfers []*Remittance
	pending   map[uint64]*Remittance // by nonce
}

func newBook(net protocol.Net, collector protocol.Account) *book {
	return &book{
		net: net, collector: collector, entries: map[block.Link]*Item{}, texts: map[[32]byte]block.Link{},
		open: map[person]int{}, rejected: map[person]int{}, votes: map[block.Link][]person{}, pending: map[uint64]*Remittance{},
	}
}

// maxOpen bounds the proposals of a person that nobody has decided: a person can read only
// so many, and a spammer cannot fill the pool.
const maxOpen = 1000

// maxRejected bounds how many more corrections of a person were rejected than approved: who
// sends noise is not listened to for ever.
const maxRejected = 200

// apply takes an entry into the book. After an error the book is as before. A record that
// is new has its signature checked, and whether its account may say so. Those of the own
// file were checked before: since then the home may have another key.
func (b *book) apply(e entry, isNew bool) error {
	parse := func(r protocol.Signed) error {
		if isNew {
			return protocol.Parse(e.data, b.net, r)
		}
		return block.Decode(e.data, r)
	}
	switch e.kind {
	case kindCorrection:
		var c protocol.Correction
		if err := parse(&c); err != nil {
			return err
		}
		return b.propose(&c, e.data, isNew)
	case kindReview:
		var r protocol.Review
		if err := parse(&r); err != nil {
			return err
		}
		return b.review(&r, isNew)
	case kindBudget:
		var r protocol.Budget
		if err := parse(&r); err != nil {
			return err
		}
		return b.publish(&r, protocol.ID(e.data), isNew)
	case kindTransfer:
		var t Remittance
		if err := block.Decode(e.data, &t); err != nil {
			return err
		}
		return b.transfer(&t)
	case kindSettled:
		var s settled
		if err := block.Decode(e.data, &s); err != nil {
			return err
		}
		return b.settle(s)
	}
	return fmt.Errorf("a line of kind %q, which this version of the program does not know", e.kind)
}

// textKey names what a correction does: the same translation of the same text is one
// correction, whoever makes it and however its spaces stand.
func textKey(c *protocol.Correction) [32]byte {
	data, err := json.Marshal([]string{c.Src, c.Dst, text.Normalize(c.Source), text.Normalize(c.Human)})
	if err != nil {
		panic("corrections: " + err.Error()) // texts
	}
	return sha256.Sum256(data)
}

func (b *book) propose(c *protocol.Correction, data []byte, isNew bool) error {
	author, id := person{c.Account, c.Author}, protocol.ID(data)
	if isNew && c.Author != "" && c.Account != b.collector {
		return fmt.Errorf("correction of %s: %s names an author, and only this home's account can speak for others here", c.Author, c.Account.Short())
	}
	if before, known := b.entries[id]; known {
		return fmt.Errorf("correction %s: %w, and is %s", id, ErrKnown, before.State)
	}
	if before, known := b.texts[textKey(c)]; known {
		return fmt.Errorf("%w: correction %s has the same translation of the same text", ErrKnown, before)
	}
	if b.open[author] >= maxOpen {
		return fmt.Errorf("%s: %w", author, ErrMany)
	}
	if b.rejected[author] >= maxRejected {
		return fmt.Errorf("%s: %w", author, ErrNoise)
	}
	e := &Item{ID: id, Record: *c, State: Proposed, payload: data}
	b.entries[id] = e
	b.order = append(b.order, e)
	b.texts[textKey(c)] = id
	b.open[author]++
	return nil
}

// review counts a vote, and decides the correction when there are enough.
func (b *book) review(r *protocol.Review, isNew bool) error {
	e, known := b.entries[r.Correction]
	if !known {
		return fmt.Errorf("review of correction %s: %w", r.Correction, ErrUnknown)
	}
	c, who := &e.Record, person{r.Account, r.Reviewer}
	author := person{c.Account, c.Author}
	terms := protocol.Budget{Votes: 1}
	if b.budget != nil {
		terms = b.budget.record
	}
	switch {
	case e.State != Proposed:
		return fmt.Errorf("correction %s: %w: it was %s by %s", e.ID, ErrDecided, e.State, e.By)
	case !isNew:
	case r.Rules != 0 && (r.Account != b.collector || r.Reviewer != ""):
		return fmt.Errorf("correction %s: a review by rules of %s: only this home's rules count", e.ID, who)
	case r.Rules != 0 && r.Approve && r.Rules != terms.Rules:
		return fmt.Errorf("correction %s: the budget lets no rules of version %d approve", e.ID, r.Rules)
	case r.Rules == 0 && (who == author || who == person{account: payee(c)}):
		return fmt.Errorf("correction %s: %w: it is by %s, or pays them", e.ID, ErrOwn, who)
	case r.Reviewer != "" && r.Account != b.collector:
		return fmt.Errorf("correction %s: only this home's account can speak for others, such as %s", e.ID, who)
	case r.Account != b.collector && !slices.Contains(terms.Reviewers, r.Account):
		return fmt.Errorf("correction %s: %w: %s is none of the reviewers that the budget names", e.ID, ErrNoReviewer, who)
	case slices.Contains(b.votes[e.ID], who) && r.Rules == 0:
		return fmt.Errorf("correction %s: %w: %s", e.ID, ErrVoted, who)
	}
	by, need := who.String(), int(terms.Votes)
	if r.Rules != 0 {
		by, need = fmt.Sprintf("rules %d", r.Rules), 1
	} else {
		b.votes[e.ID] = append(b.votes[e.ID], who)
	}
	e.Votes, e.Reason = append(e.Votes, Vote{by, r.Approve, r.Reason}), r.Reason
	agreed := 0
	for _, v := range e.Votes {
		if v.Approve == r.Approve {
			agreed++
		}
	}
	if agreed < need {
		return nil
	}
	e.By = by
	if b.open[author]--; b.open[author] == 0 {
		delete(b.open, author)
	}
	delete(b.votes, e.ID)
	if !r.Approve {
		b.rejected[author]++
		e.State = Rejected
		delete(b.texts, textKey(c))
		return nil
	}
	e.State = Approved
	if b.rejected[author] > 0 {
		b.rejected[author]--
	}
	b.setAside(e)
	return nil
}

// setAside gives an approved correction its pay.
func (b *book) setAside(e *Item) {
	to, c := payee(&e.Record), &e.Record
	switch {
	case b.budget == nil:
		e.Note = "no budget was published when it was approved"
		return
	case to == protocol.Account{}:
		e.Note = "the author gave no account, and is not paid"
		return
	case to == b.budget.record.Account:
		e.Note = "the account that pays is the author's own"
		return
	}
	t := &b.budget.record
	e.Budget = b.budget.id
	price := t.PerCorrection + t.PerCharacter*uint64(utf8.RuneCountInString(c.Source))
	switch {
	case price == 0:
		e.Note = "the budget pays nothing for a correction"
	case price > t.Amount-b.budget.due:
		e.Note = "the budget is spent"
	case price > t.PerAuthor-b.budget.each[to]:
		e.Note = "the author has got the most that the budget pays one author"
	default:
		e.Due = price
		b.budget.due += price
		b.budget.each[to] += price
	}
}

// publish puts a budget in force.
func (b *book) publish(r *protocol.Budget, id block.Link, isNew bool) error {
	if isNew && r.Account != b.collector {
		return fmt.Errorf("a budget of %s: only this home's account publishes budgets here", r.Account.Short())
	}
	if b.budget != nil && r.Time <= b.budget.record.Time {
		return fmt.Errorf("a budget of %s: one of %s is in force", at(r.Time), at(b.budget.record.Time))
	}
	if r.Rules != 0 && r.Rules > Rules {
		return fmt.Errorf("a budget with rules of version %d: this program has version %d", r.Rules, Rules)
	}
	b.budget = &budget{id: id, record: *r, each: map[protocol.Account]uint64{}}
	return nil
}

func at(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339) }

// transfer notes a payment before it is sent. Each correction is in one payment that is
// not given up.
func (b *book) transfer(t *Remittance) error {
	if t.Version != 1 || len(t.Corrections) == 0 || len(t.Corrections) > maxTogether || t.Nonce == 0 {
		return fmt.Errorf("a transfer of version %d with %d corrections and nonce %d", t.Version, len(t.Corrections), t.Nonce)
	}
	if b.pending[t.Nonce] != nil {
		return fmt.Errorf("a second transfer with nonce %d", t.Nonce)
	}
	sum, seen := uint64(0), map[block.Link]bool{}
	for _, id := range t.Corrections {
		e := b.entries[id]
		if e == nil || e.Due == 0 || e.Paid || e.Nonce != 0 || seen[id] || payee(&e.Record) != t.Payee {
			return fmt.Errorf("a transfer for correction %s, for which nothing is due to %s", id, t.Payee.Short())
		}
		seen[id] = true
		sum += e.Due
	}
	if sum != t.Amount {
		return fmt.Errorf("a transfer of %d for corrections of %d", t.Amount, sum)
	}
	for _, id := range t.Corrections {
		b.entries[id].Nonce = t.Nonce
	}
	b.pending[t.Nonce] = t
	b.transfers = append(b.transfers, t)
	return nil
}

// settle notes what became of a payment. One that was not carried out frees its corrections.
func (b *book) settle(s settled) error {
	t := b.pending[s.Nonce]
	if t == nil {
		return fmt.Errorf("no transfer with nonce %d waits", s.Nonce)
	}
	if s.Version != 1 {
		return fmt.Errorf("the end of a transfer, of version %d", s.Version)
	}
	for _, id := range t.Corrections {
		if b.entries[id].Paid = s.Paid; !s.Paid {
			b.entries[id].Nonce = 0
		}
	}
	delete(b.pending, s.Nonce)
	return nil
}

// dues are the corrections for which a payee gets something, the oldest first.
func (b *book) dues() (payees []protocol.Account, list map[protocol.Account][]*Item) {
	list = map[protocol.Account][]*Item{}
	for _, e := range b.order {
		if e.Due == 0 || e.Paid || e.Nonce != 0 {
			continue
		}
		to := payee(&e.Record)
		if list[to] == nil {
			payees = append(payees, to)
		}
		list[to] = append(list[to], e)
	}
	slices.SortFunc(payees, func(a, b protocol.Account) int { return strings.Compare(a.String(), b.String()) })
	return payees, list
}
