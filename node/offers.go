package node

import (
	"bytes"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// Offers is the board of open offers that a node knows, from gossip and from peers.
// The node answers peers that ask for offers from its board. Offers is safe for
// concurrent use.
type Offers struct {
	Net     protocol.Net
	changed chan struct{}
	fresh   chan struct{} // as changed, for who asks the ledger

	mu    sync.Mutex // guards board
	board *market.Board
}

// NewOffers returns an empty board.
func NewOffers(net protocol.Net) *Offers {
	return &Offers{Net: net, changed: make(chan struct{}, 1), fresh: make(chan struct{}, 1), board: market.NewBoard()}
}

// Take puts an offer on the board that a peer sent: canonical bytes, of this network,
// signed. from names the peer, topic the gossip topic on which the offer came, or is
// empty. An error has a reason.
func (o *Offers) Take(now time.Time, from, topic string, e protocol.EncodedOffer) error {
	o.mu.Lock()
	known := o.board.Known(e.Body)
	var err error
	if !known {
		err = o.board.Admit(now, from)
	}
	o.mu.Unlock()
	if known || err != nil {
		return err
	}
	offer, err := o.parse(e) // verifies a signature, without the lock
	if err != nil {
		return err
	}
	if topic != "" && offer.Topic != topic {
		return protocol.Refuse(protocol.Malformed, "an offer for the topic %s on %s", offer.Topic, topic)
	}
	return o.add(now, from, offer)
}

// parse reads an offer that a peer sent.
func (o *Offers) parse(e protocol.EncodedOffer) (market.Offer, error) {
	var r protocol.Signed
	switch e.Type {
	case protocol.TypeRunOffer:
		r = new(protocol.RunOffer)
	case protocol.TypeJobOffer:
		r = new(protocol.JobOffer)
	default:
		return market.Offer{}, protocol.Refuse(protocol.Malformed, "a %s is not an offer", e.Type)
	}
	if err := protocol.Parse(e.Body, o.Net, r); err != nil {
		return market.Offer{}, err
	}
	return market.NewOffer(r, bytes.Clone(e.Body))
}

// Post puts an offer of this node on the board.
func (o *Offers) Post(now time.Time, offer market.Offer) error {
	return o.add(now, market.Self, offer)
}

func (o *Offers) add(now time.Time, from string, offer market.Offer) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	opened, err := o.board.Add(now, from, offer)
	if opened {
		wake(o.changed)
		wake(o.fresh)
	}
	return err
}

// wake has a channel with room for one value receive it.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// End notes that a publisher says that its work has ended, see [market.Board.End].
func (o *Offers) End(now time.Time, k market.OfferKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.board.End(now, k)
}

// Open lists the offers that are open at now, the longest open first.
func (o *Offers) Open(now time.Time) []market.OpenOffer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.board.Open(now)
}

// Changed receives a value when an offer appears that was not open, and when the
// ledger is found to pay for one.
func (o *Offers) Changed() <-chan struct{} { return o.changed }

// Page is the answer to a peer that asks for open offers, see [market.Board.Page].
func (o *Offers) Page(now time.Time, cursor uint64) protocol.OfferPage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.board.Page(now, cursor)
}

// due returns the offer that the ledger is to be asked about now, see [market.Board.Due].
func (o *Offers) due(now time.Time, want func(market.Offer) bool) (market.Offer, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.board.Due(now, want)
}

// judge notes what the ledger says of an offer, see [market.Board.Judge].
func (o *Offers) judge(now time.Time, offer market.Offer, v market.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.board.Judge(now, offer, v) {
		wake(o.changed)
	}
}
