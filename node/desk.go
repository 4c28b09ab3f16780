package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// desk takes the sessions that miners open with this node. Each begins with a bid,
// which names a work. The desk hands the session to the publisher of that work, so
// that one process can have any number of publishers.
type desk struct {
	net protocol.Net

	mu    sync.Mutex // guards the field below
	works map[block.Link]deskWork
}

// deskWork is a work that a publisher of this process offers.
type deskWork struct {
	// serve handles a session until the session ends. The bid is the session's first
	// message: canonical and signed by the session's peer.
	serve func(ctx context.Context, s *mesh.Session, bid protocol.Bid)
	// lends reports whether a block is an input of a unit that is leased to a miner.
	lends func(miner protocol.Account, c cid.Cid) bool
}

// bidTimeout is how long a miner may take to send its bid.
const bidTimeout = 10 * time.Second

// open gives the sessions of a work to w, until closeIt is called. A work has one
// publisher in a process.
func (d *desk) open(work block.Link, w deskWork) (closeIt func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, taken := d.works[work]; taken {
		return nil, protocol.Refuse(protocol.Superseded, "%s is offered by this process already", work)
	}
	if d.works == nil {
		d.works = map[block.Link]deskWork{}
	}
	d.works[work] = w
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.works, work)
	}, nil
}

// lends reports whether a block is an input of a unit that a publisher has leased to a
// miner.
func (d *desk) lends(miner protocol.Account, c cid.Cid) bool {
	d.mu.Lock()
	works := slices.Collect(maps.Values(d.works))
	d.mu.Unlock()
	return slices.ContainsFunc(works, func(w deskWork) bool { return w.lends(miner, c) })
}

// serve handles one session from its bid on. If no publisher takes the session, serve
// tells the miner the reason, where there is one, and returns an error.
func (d *desk) serve(ctx context.Context, s *mesh.Session) error {
	bid, err := d.bid(ctx, s)
	var w deskWork
	if err == nil {
		d.mu.Lock()
		w = d.works[bid.Work]
		d.mu.Unlock()
	}
	if err == nil && w.serve == nil {
		err = protocol.Refuse(protocol.UnknownWork, "%s", bid.Work)
	}
	if err == nil {
		w.serve(ctx, s, bid)
		return nil
	}
	if code := protocol.ReasonOf(err); code != protocol.Unspecified {
		err = errors.Join(err, tellRefusal(ctx, s, block.Link{}, code, because(err)))
	}
	return err
}

// tellRefusal tells a miner why its bid is refused, or why the result of a ticket is
// refused.
func tellRefusal(ctx context.Context, s *mesh.Session, ticket block.Link, code protocol.Reason, text string) error {
	var r protocol.Record = &protocol.Reject{Version: protocol.Version, Ticket: ticket, Code: code, Detail: detail(text)}
	if code == protocol.WorkEnded {
		r = &protocol.Idle{Version: protocol.Version, Code: code}
	}
	body, err := protocol.Encode(r)
	if err != nil {
		return err
	}
	return s.Send(ctx, r.Type(), body)
}

// detail is as much of a text as a Reject or a Cancel holds, in whole characters.
func detail(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxDetail)], "")
}

// bid reads a session's first message.
func (d *desk) bid(ctx context.Context, s *mesh.Session) (protocol.Bid, error) {
	ctx, cancel := context.WithTimeout(ctx, bidTimeout)
	defer cancel()
	var bid protocol.Bid
	t, body, err := s.Recv(ctx)
	if err != nil {
		return bid, err
	}
	if t != protocol.TypeBid {
		return bid, protocol.Refuse(protocol.Malformed, "a session begins with a bid, not a %s", t)
	}
	if err := protocol.Parse(body, d.net, &bid); err != nil {
		return bid, err
	}
	if bid.Account != s.Peer {
		return bid, protocol.Refuse(protocol.WrongAccount, "the bid of %s came from %s", bid.Account.Short(), s.Peer.Short())
	}
	return bid, nil
}
