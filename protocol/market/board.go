package market

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Board is the state of the open offers that a node knows. It has one offer for each
// publisher of a work. Bounds hold for all offers, for the offers of one publisher, for
// the publishers of one work, and for the rate at which a peer brings offers. A Board is
// not safe for concurrent use. NewBoard makes one.
//
// An offer comes in three steps, cheapest first. Known compares bytes; Admit counts
// what the peer brings, before the node verifies a signature; Add puts a verified
// offer on the board. The ledger then says whether somebody pays for the work: Due
// names the offer to ask about, and Judge takes the answer.
type Board struct {
	offers     map[OfferKey]*posted
	known      map[block.Link]struct{} // of the offers' bytes
	order      []place                 // by number, for Page
	number     uint64                  // of the last place
	swept      time.Time
	peers      meter[string]           // offers that a peer brings
	all        meter[struct{}]         // offers that all peers bring
	publishers meter[protocol.Account] // offers that a publisher signs
	asks       meter[struct{}]         // questions to the ledger
}

// place is the place of an offer in the sequence of renewals. An offer that is renewed
// gets a new place, and the old one is empty.
type place struct {
	number uint64
	posted *posted
}

// posted is an offer on a board.
type posted struct {
	Offer
	id     block.Link // of the bytes
	from   string     // the peer that brought the offer first; Self for this node
	since  uint64     // number of the first place
	number uint64     // number of the place now
	// ended is set when the publisher says that the work has ended. The offer then stays
	// until its life is over, so that no repetition of it comes back.
	ended   bool
	verdict Verdict
	next    time.Time // when the ledger is to be asked again
	tries   int       // answers in a row that were not good
}

// Self is the peer that brings the offers of this node itself. They are neither
// counted nor displaced.
const Self = ""

// Verdict says whether the ledger pays for a work that a publisher offers.
type Verdict struct {
	Judged bool            // false: the ledger has not been asked yet
	Reason protocol.Reason // why nothing is paid; Unspecified: the work is paid
	Text   string          // detail of the reason, for people; may be empty
	Most   uint64          // amount that the ledger had for the whole job; 0 for a run
	Plan   PaidPlan
}

// PaidPlan is the units that the ledger pays for: the plan of a run, or the list of a job.
type PaidPlan struct {
	Function block.Link // of a run's plan
	Root     [32]byte   // of a run's plan
	Groups   uint32     // of a run's plan; 0 for a job, whose one group is Job
	Next     uint32     // the first round of the run that nobody has claimed
	Closing  bool       // what follows the run's last round was claimed
	Job      protocol.SlotGroup
	Escrow   uint64 // number of the job's escrow
}

// Paid reports whether the ledger pays for the work.
func (v Verdict) Paid() bool { return v.Judged && v.Reason == protocol.Unspecified }

// OpenOffer is an open offer and what the ledger says of it.
type OpenOffer struct {
	Offer
	Verdict Verdict
}

// The board's constants: PROTOCOL.md, section 7.1.
const (
	maxOffers     = 2048 // of a board
	maxWorks      = 32   // offers of one publisher
	maxPublishers = 8    // offers of one work

	peerEvery      = time.Second / 32 // offers that one peer may bring
	peerBurst      = 512
	allEvery       = time.Second / 512 // offers that all peers may bring
	allBurst       = 2048
	publisherEvery = time.Second / 8 // offers that one publisher may sign
	publisherBurst = 2 * maxWorks
	maxKeys        = 4096 // peers, and publishers, that are counted at a time

	askEvery   = time.Second / 20 // questions to the ledger
	askBurst   = 20
	askAgain   = time.Second // after an answer that is not good; after askSoon answers each pause is twice as long
	askSoon    = 5
	maxAsk     = 30 * time.Second // the longest pause
	askPaid    = time.Minute      // after a good answer
	pageOffers = 32
	pageBytes  = 60 << 10
)

// NewBoard returns an empty board.
func NewBoard() *Board {
	return &Board{
		offers: map[OfferKey]*posted{}, known: map[block.Link]struct{}{},
		peers:      meter[string]{every: peerEvery, burst: peerBurst, keys: maxKeys},
		all:        meter[struct{}]{every: allEvery, burst: allBurst, keys: 1},
		publishers: meter[protocol.Account]{every: publisherEvery, burst: publisherBurst, keys: maxKeys},
		asks:       meter[struct{}]{every: askEvery, burst: askBurst, keys: 1},
	}
}

// Known reports whether the board has the offer with these bytes. Such an offer needs
// no check.
func (b *Board) Known(body []byte) bool {
	_, known := b.known[protocol.ID(body)]
	return known
}

// ErrTooMany is returned, wrapped, by Admit. The peer's next offers would be refused too.
var ErrTooMany = errors.New("too many new offers")

// Admit counts an offer that a peer brings and the board does not know. It refuses the
// offer when the peer, or all peers together, bring more than a node verifies.
func (b *Board) Admit(now time.Time, from string) error {
	b.sweep(now)
	if !b.peers.take(now, from) {
		return protocol.Refuse(protocol.RateLimited, "%w: the peer may bring %d a second", ErrTooMany, time.Second/peerEvery)
	}
	if !b.all.take(now, struct{}{}) {
		return protocol.Refuse(protocol.RateLimited, "%w: all peers may bring %d a second", ErrTooMany, time.Second/allEvery)
	}
	return nil
}

// Add puts a verified offer on the board, in place of an older one of the same
// publisher for the same work. It reports whether the board had no such open offer.
// When there is no room, the board removes another offer, see worst. An error has a
// reason, and the offer is then not on the board.
func (b *Board) Add(now time.Time, from string, o Offer) (opened bool, err error) {
	if err := o.current(now); err != nil {
		return false, err
	}
	b.sweep(now)
	p := &posted{Offer: o, id: protocol.ID(o.Encoded.Body), from: from, next: now}
	old := b.offers[o.OfferKey]
	switch {
	case old != nil && !o.Time.After(old.Time):
		if old.ended {
			return false, protocol.Refuse(protocol.WorkEnded, "offer for %s of %s", o.Work, o.Publisher.Short())
		}
		if old.id == p.id {
			return false, nil
		}
		return false, protocol.Refuse(protocol.WrongTime, "the offer for %s of %s is not later than one before", o.Work, o.Publisher.Short())
	case from != Self && !b.publishers.take(now, o.Publisher):
		return false, protocol.Refuse(protocol.RateLimited, "account %s signs more than %d offers a second", o.Publisher.Short(), time.Second/publisherEvery)
	case old != nil:
		b.renew(old, p)
		return old.ended, nil
	}
	b.insert(p)
	p.since = p.number
	return true, b.bound(p)
}

// renew puts a later offer in the place of an old one. What the ledger said of the old
// one holds as long as the price stays.
func (b *Board) renew(old, p *posted) {
	p.since = old.since
	if p.from != Self {
		p.from = old.from
	}
	if !old.ended && old.Price == p.Price {
		p.verdict, p.next, p.tries = old.verdict, old.next, old.tries
	}
	b.remove(old)
	b.insert(p)
}

// bound makes room after an offer was added. If the board removes that very offer, bound
// refuses the offer.
func (b *Board) bound(p *posted) error {
	if p.from == Self {
		return nil
	}
	all, works := b.posted(), 0
	last := p          // of the publisher's offers the one that was signed first
	var same []*posted // of the same work
	for _, o := range all {
		if o.Publisher == p.Publisher {
			works++
			if o.Time.Before(last.Time) {
				last = o
			}
		}
		if o.Work == p.Work {
			same = append(same, o)
		}
	}
	if works > maxWorks {
		// An offer whose work goes on is signed again every few seconds. So this is one of a
		// work that has ended, unless the publisher offers too many.
		if b.remove(last); last != p {
			return nil
		}
		return protocol.Refuse(protocol.RateLimited, "account %s has %d open offers already", p.Publisher.Short(), maxWorks)
	}
	var goes *posted
	if len(same) > maxPublishers {
		goes = worst(same)
	} else if len(all) > maxOffers {
		goes = worst(all)
	} else {
		return nil
	}
	b.remove(goes)
	if goes == p {
		return protocol.Refuse(protocol.BoardFull, "offer for %s of %s", p.Work, p.Publisher.Short())
	}
	return nil
}

// rank orders offers by what a node loses with them: first those that nobody pays for
// or that have ended, then those that the ledger has not been asked about, then paid
// ones, last this node's own.
func (p *posted) rank() int {
	switch {
	case p.from == Self:
		return 3
	case p.verdict.Paid() && !p.ended:
		return 2
	case !p.ended && (!p.verdict.Judged || p.verdict.Reason == protocol.ChainUnreachable):
		return 1
	}
	return 0
}

// worst chooses the offer to remove when there is no room: among the offers of the lowest
// rank, the newest one of the peer that brought most of them. So a flood displaces its own
// offers, and neither older offers nor those that other peers bring.
func worst(offers []*posted) *posted {
	lowest := offers[0].rank()
	for _, p := range offers {
		lowest = min(lowest, p.rank())
	}
	brought := map[string]int{}
	for _, p := range offers {
		if p.rank() == lowest {
			brought[p.from]++
		}
	}
	var goes *posted
	for _, p := range offers {
		if p.rank() == lowest && (goes == nil || cmp.Or(cmp.Compare(brought[p.from], brought[goes.from]), cmp.Compare(p.since, goes.since)) > 0) {
			goes = p
		}
	}
	return goes
}

// End notes that a publisher says that its work has ended. Its offers until now do not
// come back; an offer that it signs later opens the work again.
func (b *Board) End(now time.Time, k OfferKey) {
	if p := b.offers[k]; p != nil {
		p.ended, p.Time = true, later(p.Time, now)
	}
}

// Due returns the offer that the ledger is to be asked about now, if there is one and
// enough time has passed since the last question. It leaves out offers for which want
// returns false. Peers take turns: first comes the peer with the fewest judged offers.
func (b *Board) Due(now time.Time, want func(Offer) bool) (Offer, bool) {
	all := b.posted()
	judged := map[string]int{}
	for _, p := range all {
		if p.verdict.Judged {
			judged[p.from]++
		}
	}
	var due *posted
	for _, p := range all {
		if p.from == Self || p.over(now) || now.Before(p.next) || !want(p.Offer) {
			continue
		}
		if due == nil || cmp.Or(cmp.Compare(judged[p.from], judged[due.from]), p.next.Compare(due.next), cmp.Compare(p.since, due.since)) < 0 {
			due = p
		}
	}
	if due == nil || !b.asks.take(now, struct{}{}) {
		return Offer{}, false
	}
	return due.Offer, true
}

// Judge notes what the ledger says of an offer that Due returned. While the ledger
// cannot be reached (ChainUnreachable), a paid offer stays paid. It reports whether
// the verdict changed the offer to paid.
func (b *Board) Judge(now time.Time, o Offer, v Verdict) (paid bool) {
	p := b.offers[o.OfferKey]
	if p == nil || p.ended || p.Price != o.Price {
		return false
	}
	was := p.verdict.Paid()
	if v.Reason == protocol.Unspecified {
		p.tries, p.next = 0, now.Add(askPaid)
	} else {
		p.next = now.Add(min(askAgain<<max(0, min(p.tries-askSoon+1, 10)), maxAsk))
		p.tries++
	}
	if !was || v.Reason != protocol.ChainUnreachable {
		v.Judged = true
		p.verdict = v
	}
	return p.verdict.Paid() && !was
}

// Open lists the offers that are open at now, the longest open first.
func (b *Board) Open(now time.Time) []OpenOffer {
	var open []*posted
	for _, p := range b.posted() {
		if !p.over(now) {
			open = append(open, p)
		}
	}
	slices.SortFunc(open, func(x, y *posted) int { return cmp.Compare(x.since, y.since) })
	out := make([]OpenOffer, len(open))
	for i, p := range open {
		out[i] = OpenOffer{Offer: p.Offer, Verdict: p.verdict}
	}
	return out
}

// Page is the answer to a peer that asks for open offers: those from cursor on, in the
// sequence of their renewals. The page says where the next one begins.
func (b *Board) Page(now time.Time, cursor uint64) protocol.OfferPage {
	page := protocol.OfferPage{Version: protocol.Version}
	first, _ := slices.BinarySearchFunc(b.order, cursor, func(s place, c uint64) int { return cmp.Compare(s.number, c) })
	bytes := 0
	for _, s := range b.order[first:] {
		if s.posted == nil || s.posted.over(now) {
			continue
		}
		if bytes += len(s.posted.Encoded.Body); len(page.Offers) == pageOffers || bytes > pageBytes {
			page.Cursor = s.number
			break
		}
		page.Offers = append(page.Offers, s.posted.Encoded)
	}
	return page
}

// over reports whether an offer is not open any more.
func (p *posted) over(now time.Time) bool { return p.ended || now.Sub(p.Time) >= OfferLife }

// posted lists what is on the board, in the sequence of the renewals.
func (b *Board) posted() []*posted {
	all := make([]*posted, 0, len(b.offers))
	for _, s := range b.order {
		if s.posted != nil {
			all = append(all, s.posted)
		}
	}
	return all
}

// insert gives an offer a place.
func (b *Board) insert(p *posted) {
	b.number++
	p.number = b.number
	b.offers[p.OfferKey] = p
	b.known[p.id] = struct{}{}
	b.order = append(b.order, place{b.number, p})
}

// remove takes an offer from the board. When most places are empty, it deletes the empty
// places.
func (b *Board) remove(p *posted) {
	delete(b.offers, p.OfferKey)
	delete(b.known, p.id)
	i, _ := slices.BinarySearchFunc(b.order, p.number, func(s place, n uint64) int { return cmp.Compare(s.number, n) })
	b.order[i].posted = nil
	if len(b.order) > 2*len(b.offers)+pageOffers {
		b.order = slices.DeleteFunc(b.order, func(s place) bool { return s.posted == nil })
	}
}

// sweep takes offers off the board whose life is over, once a second.
func (b *Board) sweep(now time.Time) {
	if age := now.Sub(b.swept); age >= 0 && age < time.Second {
		return
	}
	b.swept = now
	for _, p := range b.posted() {
		if now.Sub(p.Time) >= OfferLife {
			b.remove(p)
		}
	}
	b.peers.sweep(now)
	b.publishers.sweep(now)
}
