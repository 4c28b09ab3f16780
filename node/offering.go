package node

import (
	"context"
	"fmt"
	"time"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/market"
)

// offering repeats the offer of one work: on the board of this node, from where
// peers pull it, and by gossip.
type offering struct {
	peer *Peer
	// record makes the work's offer, unsigned.
	record func(time uint64, addrs []string) protocol.Signed
}

// repeat publishes the offer now and every OfferEvery, until ended is closed or
// ctx ends.
func (o offering) repeat(ctx context.Context, ended <-chan struct{}) {
	tick := time.NewTicker(market.OfferEvery)
	defer tick.Stop()
	for {
		select { // first, so that nothing is published after the end
		case <-ended:
			return
		default:
		}
		if err := o.publish(ctx, time.Now()); err != nil && ctx.Err() == nil {
			o.peer.Log.Warn("offer not published", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

// publish publishes the offer once. The offer says when it was signed, so that it ends
// at the same time on every node.
func (o offering) publish(ctx context.Context, now time.Time) error {
	r := o.record(uint64(now.UnixMilli()), o.peer.Mesh.Addrs())
	body, err := protocol.Sign(o.peer.Key, o.peer.Net, r)
	if err != nil {
		return err
	}
	offer, err := market.NewOffer(r, body)
	if err != nil {
		return err
	}
	if err := o.peer.Offers.Post(now, offer); err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	return o.peer.Mesh.Publish(ctx, offer.Topic, body)
}
