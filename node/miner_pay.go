package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// claims sees to it that a miner is paid for the acceptances in its journal. A coordinator
// claims its rounds, a customer its units. Where the publisher is gone, leaves the
// miner out, or claims a slot for somebody else, the miner claims itself: a unit of a run
// with the coordinator's accept, a unit of a job with the customer's ticket. A customer that
// is gone before it has answered pays, too: the ticket is its promise.
type claims struct {
	relay     *Relay
	ledger    Ledger
	sender    Sender
	journal   *journal.Journal
	account   protocol.Account
	connected func(market.OfferKey) bool // whether the miner has a session
	report    Reporter
	height    *atomic.Uint64 // of the ledger, as last seen

	waits  map[journal.Key]claim // acceptances that are not claimed
	tried  map[journal.Key]bool  // those that had their turn, until all had
	looked int                   // steps since the height was last asked for
	trims  trimmer

	mu     sync.Mutex // guards the rest
	payee  protocol.Account
	earned uint64 // amount that the payee had earned at the last look
	start  uint64 // amount that the payee had earned, less what this process has seen it earn
	known  bool   // payee is set
}

// claim is what the miner knows of an acceptance that is not claimed.
type claim struct {
	seen uint64 // height at which the miner saw it first
	next uint64 // height at which the miner may claim it (again)
	open bool   // the job's escrow was there
	lost bool   // the ledger had it claimed for another, or for nobody
	why  error  // of the last refusal of the miner's claim
}

const (
	// claimEvery is the pause between two looks at the ledger. The height is asked for
	// at every look while an acceptance waits, and otherwise at every headEvery-th.
	claimEvery = 2 * time.Second
	headEvery  = 15
	// lookUps is the acceptances that are looked up at a time, and maxReads about the
	// records that the ledger is then asked for: a round's has all of its units.
	lookUps  = 1024
	maxReads = 64
	// A miner claims a unit itself after so many heights: a unit of a job; a unit of the
	// next round of a run whose coordinator is gone; and one of a run whose coordinator is
	// there, but waits for the end of the round.
	claimJob       = 5
	claimRunAlone  = 60
	claimRunServed = 1800
	// claimSilent is the same for a unit of a job whose customer has not answered the result,
	// and is gone: without a session for so many heights.
	claimSilent = 60
	// claimWindow is the number of heights after which a miner gives a claim up.
	claimWindow = 6000
	// maxClaims bounds the acceptances that wait while the ledger is away.
	maxClaims = 1 << 16
)

func newClaims(m *Miner) *claims {
	c := &claims{
		ledger: m.Peer.Ledger, sender: m.Peer.Sender, journal: m.journal, trims: trimmer{journal: m.journal}, account: m.Peer.Account(),
		connected: m.tasks.connected, report: m.Report, height: &m.height,
		waits: map[journal.Key]claim{}, tried: map[journal.Key]bool{},
	}
	c.relay = &Relay{Claims: c, Report: m.Report, Log: m.Peer.Log}
	return c
}

// Left implements [Claimer].
func (c *claims) Left() string { return "" }

// run looks after the claims until ctx ends.
func (c *claims) run(ctx context.Context) error {
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	var told uint64 // amount
	// What is paid before the first tick counts as well. Step asks again where this fails.
	if err := c.earnings(ctx); err != nil {
		c.relay.Log.Debug("what the account has earned is not known yet", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := c.Step(ctx)
		if now := c.pay(); now > told {
			c.report(UnitsPaid{Amount: now - told, Total: now})
			told = now
		}
		if ctx.Err() == nil {
			c.relay.tell(err)
		}
	}
}

// Step looks claims up, makes those that are due, and gives up the oldest.
func (c *claims) Step(ctx context.Context) error {
	waiting := c.journal.Count(journal.Pending) + c.journal.Count(journal.Unaccepted)
	if c.looked++; waiting == 0 && c.looked < headEvery && c.knows() {
		return nil
	}
	head, err := c.ledger.Head(ctx)
	if err != nil && waiting == 0 {
		return nil // nobody waits for the ledger
	} else if err != nil {
		return err
	}
	c.looked = 0
	c.height.Store(head.Height)
	if err := c.earnings(ctx); err != nil {
		return err
	}
	v := &view{ledger: c.ledger}
	why := c.lookUp(ctx, v)
	if why == nil || final(why) {
		why = cmp.Or(c.unanswered(ctx, v), why)
	}
	if why != nil && !final(why) {
		return why
	}
	if err := c.giveUp(); err != nil {
		return err
	}
	if err := c.trims.trim(head.Height); err != nil {
		return err
	}
	return why
}

// earnings reads what work has paid this miner's account, or the account that gets its
// pay: it follows payouts as the ledger does.
func (c *claims) earnings(ctx context.Context) error {
	who := c.account
	for range ledger.MaxPayouts {
		p, set, err := c.ledger.Payout(ctx, who)
		if err != nil {
			return err
		} else if !set {
			break
		}
		who = p.To
	}
	a, err := c.ledger.Account(ctx, who)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || who != c.payee { // what another account earned before does not count
		c.start = a.Earned - (c.earned - c.start)
		c.payee, c.known, c.earned = who, true, a.Earned
	}
	c.earned = max(c.earned, a.Earned) // another node of the ledger may be some heights behind
	return nil
}

func (c *claims) knows() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// lookUp asks the ledger about some of the acceptances that wait, and claims those that
// are due. It begins again when all had their turn. It returns the first refusal of a claim.
func (c *claims) lookUp(ctx context.Context, view *view) error {
	batch, err := c.journal.List(journal.Pending, lookUps, func(k journal.Key) bool { return c.tried[k] })
	if err != nil {
		return err
	}
	var refused error
	var lines []journal.Line
	all := len(batch) < lookUps // the batch has all that did not have their turn
	for _, e := range batch {
		if view.reads >= maxReads {
			all = false
			break
		}
		var line journal.Record
		if line, err = c.settle(ctx, view, e); err != nil && !final(err) {
			all = false
			break
		}
		refused, err = cmp.Or(refused, err), nil
		if c.tried[e.Key] = true; line != nil {
			lines = append(lines, journal.Line{Key: e.Key, Record: line})
		}
	}
	if all { // not only when nothing is new: a busy miner has new acceptances at every look
		clear(c.tried)
	}
	return cmp.Or(c.end(lines), err, refused)
}

// settle looks an acceptance up, and claims it if it is due. It returns the record that
// ends the entry, if the entry ends.
func (c *claims) settle(ctx context.Context, v *view, e journal.Entry) (journal.Record, error) {
	w, seen := c.waits[e.Key]
	if !seen {
		w.seen = c.height.Load()
	}
	// The miner may have got another key since: the unit is that of who attested it.
	what, err := v.fate(ctx, e, e.Done.Attestation.Account)
	if err != nil {
		return nil, err
	}
	wait := uint64(0)
	switch what {
	case unproven:
		w.why = errUnproven
	case mine:
		return journal.Settled{Height: c.height.Load()}, nil
	case paid:
		if w.lost {
			return journal.NewVoided(protocol.Unpaid, "the pay of the unit went to another miner", c.height.Load()), nil
		}
		return journal.Settled{Height: c.height.Load()}, nil
	case closed:
		if w.open && !w.lost { // it closes when its claims are paid
			return journal.Settled{Height: c.height.Load()}, nil
		}
	case lost:
		return journal.NewVoided(protocol.Unpaid, "the unit's slot is claimed for another miner", c.height.Load()), nil
	case passed, superseded:
		w.lost = true // until the round is paid
	case unclaimed:
		w.open, wait = true, c.grace(e)
	}
	if (what == passed || what == unclaimed) && w.due(c.height.Load(), wait) {
		w.next = c.height.Load() + max(claimJob, wait, c.height.Load()-w.seen)
		switch err = c.claim(ctx, v, e); {
		case err == nil:
			w.lost = false
		case errors.Is(err, ledger.Already):
			err = nil // the next look says for whom
		case final(err):
			err = fmt.Errorf("unit %s: %w", e.Unit, err)
			w.why = err
		}
	}
	c.waits[e.Key] = w
	return nil, err
}

// unanswered claims the units whose customers are gone before they answered the results. It
// returns the first refusal of a claim.
func (c *claims) unanswered(ctx context.Context, v *view) error {
	batch, err := c.journal.List(journal.Unaccepted, lookUps, nil)
	if err != nil {
		return err
	}
	var refused error
	var lines []journal.Line
	for _, e := range batch {
		if e.Done == nil || !claimable(e) {
			continue
		}
		if v.reads >= maxReads {
			break
		}
		line, err := c.silent(ctx, v, e)
		if err != nil && !final(err) {
			return cmp.Or(c.end(lines), err)
		}
		if refused = cmp.Or(refused, err); line != nil {
			lines = append(lines, journal.Line{Key: e.Key, Record: line})
		}
	}
	return cmp.Or(c.end(lines), refused)
}

// silent looks a unit up whose customer has not answered, and claims it if that is due. A
// customer that comes back finds the claim, and gets the result from this miner alone. It
// returns the record that ends the entry, if the entry ends.
func (c *claims) silent(ctx context.Context, v *view, e journal.Entry) (journal.Record, error) {
	now := c.height.Load()
	w, seen := c.waits[e.Key]
	if !seen || c.connected(promisedBy(e)) { // the answer comes, or a refusal
		w.seen = now
	}
	what, err := v.ofJob(ctx, e, e.Done.Attestation.Account)
	switch {
	case err != nil:
		return nil, err
	case what == mine:
		return journal.Settled{Height: now}, nil
	case (what == closed || what == lost) && w.due(now, claimSilent):
		return journal.NewVoided(protocol.Unpaid, "the customer gave no answer to the result, and its escrow does not pay any more", now), nil
	case what == unclaimed && w.due(now, claimSilent):
		w.next = now + claimSilent
		if err = c.claim(ctx, v, e); errors.Is(err, ledger.Already) {
			err = nil // the next look says for whom
		} else if final(err) {
			err = fmt.Errorf("unit %s: %w", e.Unit, err)
		}
	}
	c.waits[e.Key] = w
	return nil, err
}

// errUnproven is why a unit whose ticket had no proof is not claimed by its miner.
var errUnproven = protocol.Refuse(protocol.Unpaid, "the ticket did not prove that the ledger pays for the unit")

// due reports whether the miner is to claim an entry now: not sooner than wait after it saw
// the entry. After a refusal the miner waits at least as long again.
func (w claim) due(now, wait uint64) bool { return now >= w.seen+wait && now >= w.next }

// end writes records that end entries, and tells of those that are not paid.
func (c *claims) end(lines []journal.Line) error {
	if err := c.journal.Append(lines...); err != nil {
		return err
	}
	for _, l := range lines {
		delete(c.waits, l.Key)
		if v, void := l.Record.(journal.Voided); void {
			c.report(Refused{Unit: l.Key.Unit.String(), Why: newWhy(v.Code, v.Text)})
		}
	}
	return nil
}

// grace is the number of heights for which the miner leaves a unit to its publisher.
func (c *claims) grace(e journal.Entry) uint64 {
	of := promisedBy(e)
	switch {
	case paidTicket(e).Proof[0].Groups == 0:
		return claimJob
	case c.connected(of):
		return claimRunServed
	}
	return claimRunAlone
}

// claim claims a unit, which has a proof. v has read the escrow of a unit of a job.
func (c *claims) claim(ctx context.Context, v *view, e journal.Entry) error {
	at, of, ticket := e.Done.Attestation, promisedBy(e), paidTicket(e)
	p := ticket.Proof[0]
	if p.Groups == 0 {
		ticket = escrowTicket(e, v.escrows[of].Number)
		p = ticket.Proof[0]
	}
	work := ledger.SlotWork{Unit: at.Unit, Result: at.Result, Ticket: at.Ticket, Account: at.Account, Sig: at.Sig}
	if ledger.Measured(at.Place.Kind) {
		work.Record = e.Done.Result
	}
	if p.Groups == 0 {
		body, err := protocol.Encode(ticket)
		if err != nil {
			return err
		}
		return send(ctx, c.sender, ledger.JobClaim{
			Customer: of.Publisher, Job: of.Work,
			Units: []ledger.JobWork{{Slot: p.Slot, Path: p.Path, Work: work, Ticket: body}},
		})
	}
	accept := e.Taken.Accept
	return send(ctx, c.sender, ledger.UnitClaim{
		Run: accept.Work, Function: p.Function, Round: at.Place.Round, Closing: at.Place.Round == p.Groups-1, Proof: p, Work: work,
		Acceptor: accept.Account, Accept: accept.Sig,
	})
}

// giveUp voids claims that the ledger does not have after claimWindow heights, and the
// oldest where there are too many.
func (c *claims) giveUp() error {
	j, now := c.journal, c.height.Load()
	var lines []journal.Line
	drop := func(k journal.Key, text string) {
		w := c.waits[k]
		code := ledger.ReasonOf(w.why)
		if code == protocol.Unspecified {
			code = protocol.Unpaid
		}
		if w.why != nil {
			text += ": " + w.why.Error()
		}
		lines = append(lines, journal.Line{Key: k, Record: journal.NewVoided(code, text, now)})
	}
	for k, w := range c.waits { // order-free: each is judged alone
		e, ok, err := j.Get(k)
		switch {
		case err != nil:
			return err
		case ok && e.State == journal.Unaccepted: // see silent
		case !ok || e.State != journal.Pending:
			delete(c.waits, k)
		case now >= w.seen+claimWindow:
			drop(k, fmt.Sprintf("not claimed within %d heights", claimWindow))
		}
	}
	if n := j.Count(journal.Pending) - len(lines) - maxClaims; n > 0 {
		old, err := j.List(journal.Pending, n, nil)
		if err != nil {
			return err
		}
		for _, e := range old {
			drop(e.Key, fmt.Sprintf("more than %d units are not claimed", maxClaims))
		}
	}
	return c.end(lines)
}

// pay is the amount that the ledger has paid since the miner started.
func (c *claims) pay() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.earned - c.start
}
