package node

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// A publisher repeats its offer every offerEvery while its work goes on. An
// offer is open for offerLife after the last repetition. Offers are remembered
// for forgetAfter, so that peers that ask each other do not keep old ones open.
const (
	offerEvery  = 5 * time.Second
	offerLife   = 90 * time.Second
	forgetAfter = 10 * offerLife
)

// Offer is an open offer, of a run or of a job.
type Offer struct {
	Work      block.Link
	Publisher protocol.Account
	Seq       uint64
	Addrs     []string
	Price     uint64 // amount for a GFLOP; 0 for a run, whose rate the ledger publishes
	Topic     string // the gossip topic for such offers
	Text      string // what is to be done, for people
	Encoded   protocol.EncodedOffer
	id        block.Link // of Encoded.Body
	lastSeen  time.Time
}

// offerOf returns the offer in a record whose canonical bytes are body.
func offerOf(r protocol.Signed, body []byte) (Offer, error) {
	o := Offer{Encoded: protocol.EncodedOffer{Type: r.Type(), Body: body}, id: protocol.ID(body)}
	switch r := r.(type) {
	case *protocol.RunOffer:
		o.Work, o.Publisher, o.Seq, o.Addrs = r.Run, r.Account, r.Seq, r.Addrs
		o.Topic = protocol.RunTopic(r.Net)
		o.Text = fmt.Sprintf("training run %s, %d rounds of %d units", r.Run, r.Rounds, r.Units)
	case *protocol.JobOffer:
		o.Work, o.Publisher, o.Seq, o.Addrs, o.Price = r.Job, r.Account, r.Seq, r.Addrs, r.Price
		o.Topic = protocol.JobTopic(r.Net, r.Src, r.Dst)
		pay := "unpaid"
		if r.Price > 0 {
			pay = protocol.FormatAmount(r.Price) + " ALIA for a GFLOP"
		}
		o.Text = fmt.Sprintf("translation %s from %s to %s by model %s, %s", r.Job, r.Src, r.Dst, r.Model, pay)
	default:
		return Offer{}, protocol.Refuse(protocol.Malformed, "a %s is not an offer", r.Type())
	}
	return o, nil
}

// Offers is the board of open offers that a node knows, from gossip and from
// peers. The node answers peers that ask for offers from its board.
type Offers struct {
	Net     protocol.Net
	changed chan struct{}

	mu    sync.Mutex // guards the fields below
	board map[block.Link]Offer
	ids   map[block.Link]struct{} // of the offers on the board
	ended map[block.Link]struct{} // work that has ended; old offers of it may still arrive
}

// NewOffers returns an empty board.
func NewOffers(net protocol.Net) *Offers {
	return &Offers{
		Net: net, changed: make(chan struct{}, 1),
		board: map[block.Link]Offer{}, ids: map[block.Link]struct{}{}, ended: map[block.Link]struct{}{},
	}
}

// Parse reads an offer that a peer sent: canonical bytes, of this network,
// signed.
func (o *Offers) Parse(e protocol.EncodedOffer) (Offer, error) {
	var r protocol.Signed
	switch e.Type {
	case protocol.TypeRunOffer:
		r = new(protocol.RunOffer)
	case protocol.TypeJobOffer:
		r = new(protocol.JobOffer)
	default:
		return Offer{}, protocol.Refuse(protocol.Malformed, "a %s is not an offer", e.Type)
	}
	if err := protocol.Parse(e.Body, o.Net, r); err != nil {
		return Offer{}, err
	}
	return offerOf(r, bytes.Clone(e.Body))
}

// Known reports whether the board has the offer with these bytes. Such an offer
// needs no parsing.
func (o *Offers) Known(e protocol.EncodedOffer) bool {
	id := protocol.ID(e.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.ids[id]
	return known
}

// Add puts an offer on the board. It is refused when another publisher's offer
// is open for the same work, or the board has a later offer of the publisher.
func (o *Offers) Add(now time.Time, of Offer) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, ok := o.board[of.Work]
	open := ok && now.Sub(old.lastSeen) < offerLife
	_, ended := o.ended[of.Work]
	switch {
	case ended:
		return protocol.Refuse(protocol.WorkEnded, "offer for %s", of.Work)
	case open && old.Publisher != of.Publisher:
		return protocol.Refuse(protocol.WrongAccount, "offer for %s: %s has an open offer", of.Work, old.Publisher.Short())
	case ok && old.Publisher == of.Publisher && old.Seq > of.Seq:
		return protocol.Refuse(protocol.Superseded, "offer for %s: number %d is older than %d", of.Work, of.Seq, old.Seq)
	case old.id == of.id:
		return nil // only a repetition, which has a higher number, keeps an offer open
	}
	of.lastSeen = now
	delete(o.ids, old.id)
	o.ids[of.id] = struct{}{}
	o.board[of.Work] = of
	if !open {
		select {
		case o.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

// End removes the offer for work from the board for good.
func (o *Offers) End(work block.Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remove(work)
	o.ended[work] = struct{}{}
}

// remove takes an offer from the board. The caller holds mu.
func (o *Offers) remove(work block.Link) {
	delete(o.ids, o.board[work].id)
	delete(o.board, work)
}

// Open lists the offers that are open at now, sorted by work.
func (o *Offers) Open(now time.Time) []Offer {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Offer
	for work, of := range o.board {
		switch age := now.Sub(of.lastSeen); {
		case age >= forgetAfter:
			o.remove(work)
		case age < offerLife:
			out = append(out, of)
		}
	}
	slices.SortFunc(out, func(x, y Offer) int { return strings.Compare(x.Work.KeyString(), y.Work.KeyString()) })
	return out
}

// Changed receives a value when an offer appears for work that had no open
// offer.
func (o *Offers) Changed() <-chan struct{} { return o.changed }

// Page is the answer to a peer that asks for open offers: a page of the offers
// from cursor on.
func (o *Offers) Page(now time.Time, cursor uint64) protocol.OfferPage {
	const most = 32
	open := o.Open(now)
	page := protocol.OfferPage{Version: protocol.Version}
	for i := cursor; i < uint64(len(open)) && len(page.Offers) < most; i++ {
		page.Offers = append(page.Offers, open[i].Encoded)
		if next := i + 1; next < uint64(len(open)) {
			page.Cursor = next
		} else {
			page.Cursor = 0
		}
	}
	return page
}
