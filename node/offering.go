package node

import (
	"context"
	"fmt"
	"time"

	"github.com/alia-network/alia/protocol"
)

// offering repeats the offer of one work: on the board of this node, from where
// peers pull it, and by gossip.
type offering struct {
	peer *Peer
	// record makes the work's offer, unsigned.
	record func(seq uint64, addrs []string) protocol.Signed
}

// repeat publishes the offer now and every offerEvery, until ended is closed or
// ctx ends.
func (o offering) repeat(ctx context.Context, ended <-chan struct{}) {
	tick := time.NewTicker(offerEvery)
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

// publish publishes the offer once. The time is the offer's number, so that the
// numbers rise from one process to the next.
func (o offering) publish(ctx context.Context, now time.Time) error {
	r := o.record(uint64(now.UnixMilli()), o.peer.Mesh.Addrs())
	body, err := protocol.Sign(o.peer.Key, o.peer.Net, r)
	if err != nil {
		return err
	}
	offer, err := offerOf(r, body)
	if err != nil {
		return err
	}
	if err := o.peer.Offers.Add(now, offer); err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	return o.peer.Mesh.Publish(ctx, offer.Topic, body)
}
