package node

import (
	"bytes"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// offerLife is how long an offer stands after it was last heard of. A
// publisher repeats its offer every offerEvery while it has work.
const (
	offerLife  = 90 * time.Second
	offerEvery = 5 * time.Second
)

// Offer is an open offer, of a run or of a job.
type Offer struct {
	Work      block.Link
	Publisher protocol.Account
	Seq       uint64
	Addrs     []string
	Price     uint64 // units per GFLOP; 0 for a run, whose rate the ledger publishes
	Type      protocol.RecordType
	Body      []byte // canonical bytes
	heard     time.Time
}

// Offers is the board of open offers a node knows, from gossip and from
// peers. It is what the node tells peers that ask.
type Offers struct {
	Net     protocol.Net
	mu      sync.Mutex // guards the rest
	board   map[block.Link]Offer
	ended   map[block.Link]struct{} // work that is done, of which late offers still go round
	changed chan struct{}
}

// NewOffers returns an empty board.
func NewOffers(net protocol.Net) *Offers {
	return &Offers{Net: net, board: map[block.Link]Offer{}, ended: map[block.Link]struct{}{}, changed: make(chan struct{}, 1)}
}

// Parse checks the bytes of an offer: canonical, of this network, signed.
func (o *Offers) Parse(t protocol.RecordType, body []byte) (Offer, error) {
	out := Offer{Type: t, Body: bytes.Clone(body)}
	switch t {
	case protocol.TypeRunOffer:
		var r protocol.RunOffer
		if err := protocol.Parse(body, o.Net, &r); err != nil {
			return Offer{}, err
		}
		out.Work, out.Publisher, out.Seq, out.Addrs = r.Run, r.Account, r.Seq, r.Addrs
	case protocol.TypeJobOffer:
		var r protocol.JobOffer
		if err := protocol.Parse(body, o.Net, &r); err != nil {
			return Offer{}, err
		}
		out.Work, out.Publisher, out.Seq, out.Addrs, out.Price = r.Job, r.Account, r.Seq, r.Addrs, r.Price
	default:
		return Offer{}, fmt.Errorf("%s is not an offer", t)
	}
	return out, nil
}

// Add puts an offer on the board. It is refused when another publisher's
// stands for the same work, or a newer one of its own.
func (o *Offers) Add(now time.Time, of Offer) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, ok := o.board[of.Work]
	_, ended := o.ended[of.Work]
	switch {
	case ended:
		return protocol.Refuse(protocol.WorkEnded, "offer for %s", of.Work)
	case ok && old.Publisher != of.Publisher && now.Sub(old.heard) < offerLife:
		return protocol.Refuse(protocol.WrongAccount, "offer for %s: %s has one open", of.Work, old.Publisher.Short())
	case ok && old.Publisher == of.Publisher && old.Seq > of.Seq:
		return protocol.Refuse(protocol.Superseded, "offer for %s: number %d is older than %d", of.Work, of.Seq, old.Seq)
	}
	of.heard = now
	o.board[of.Work] = of
	if !ok {
		select {
		case o.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

// End takes the offer for work from the board for good.
func (o *Offers) End(work block.Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.board, work)
	o.ended[work] = struct{}{}
}

// Open lists the offers that stand at now, by work.
func (o *Offers) Open(now time.Time) []Offer {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []Offer
	for work, of := range o.board {
		if now.Sub(of.heard) >= offerLife {
			delete(o.board, work)
			continue
		}
		out = append(out, of)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Work.KeyString() < out[j].Work.KeyString() })
	return out
}

// Changed is sent to when work appears that was not on the board.
func (o *Offers) Changed() <-chan struct{} { return o.changed }

// Page is the answer to a peer that asks for open offers: those from cursor
// on, as many as fit.
func (o *Offers) Page(now time.Time, cursor uint64) protocol.OfferPage {
	const most = 32
	open := o.Open(now)
	page := protocol.OfferPage{Version: protocol.Version}
	for i := cursor; i < uint64(len(open)) && len(page.Offers) < most; i++ {
		page.Offers = append(page.Offers, protocol.EncodedOffer{Type: open[i].Type, Body: open[i].Body})
		if next := i + 1; next < uint64(len(open)) {
			page.Cursor = next
		} else {
			page.Cursor = 0
		}
	}
	return page
}
