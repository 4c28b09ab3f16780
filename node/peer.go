package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/mesh"
)

// Peer has the parts that every role of a process needs: an identity in a network, a
// block store, a mesh, the board of open offers, and a ledger client.
type Peer struct {
	Net protocol.Net
	// Home and Network are those of the PeerConfig.
	Home    home.Dir
	Network Network
	Key     ed25519.PrivateKey
	Store   *block.Store
	Mesh    *mesh.Mesh
	Offers  *Offers
	Ledger  *light.Client
	Log     *slog.Logger
}

// PeerConfig has the home, the network and the addresses of a peer.
type PeerConfig struct {
	Home    home.Dir
	Network Network
	Key     ed25519.PrivateKey
	Listen  []string // multiaddrs
	Log     *slog.Logger
}

// OpenPeer opens the store in the peer's home, which no other live process
// may have open, and joins the network.
func OpenPeer(ctx context.Context, c PeerConfig) (*Peer, error) {
	p := &Peer{Net: c.Network.Net(), Home: c.Home, Network: c.Network, Key: c.Key, Log: c.Log}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	p.Offers = NewOffers(p.Net)
	var err error
	if p.Ledger, err = light.Dial(ctx, light.Config{Addrs: c.Network.Ledger, Genesis: c.Network.Genesis}); err != nil {
		return nil, err
	}
	if p.Store, err = c.Home.Store(); err != nil {
		return nil, err
	}
	p.Mesh, err = mesh.New(ctx, mesh.Config{
		Key: c.Key, Net: p.Net, Listen: c.Listen, Bootstrap: c.Network.Bootstrap, Blocks: p.Store,
		PeersFile: c.Home.Peers(), Log: p.Log,
	})
	if err != nil {
		return nil, errors.Join(err, p.Store.Close())
	}
	p.Mesh.HandleOffers(func(cursor uint64) protocol.OfferPage { return p.Offers.Page(time.Now(), cursor) })
	p.Mesh.OnPeer(p.pull)
	return p, nil
}

// OpenJournal opens a journal of this peer, and says when a crash had interrupted a
// write.
func (p *Peer) OpenJournal(dir string) (*journal.Journal, error) {
	j, err := journal.Open(dir, p.Net, journal.Options{})
	if err == nil && j.Torn() > 0 {
		p.Log.Warn("the last records of the journal, which a crash interrupted, are cut off", "journal", dir, "bytes", j.Torn())
	}
	return j, err
}

// Close leaves the network.
func (p *Peer) Close() error { return errors.Join(p.Mesh.Close(), p.Store.Close()) }

// Account is the peer's account.
func (p *Peer) Account() protocol.Account { return protocol.AccountOf(p.Key) }

// pull asks a peer for the open offers it knows: gossip may have lost them,
// or been before our time.
func (p *Peer) pull(ctx context.Context, from peer.ID) {
	offers, err := p.Mesh.PullOffers(ctx, from)
	if err != nil {
		p.Log.Debug("offers not pulled", "peer", from, "err", err)
	}
	for _, e := range offers {
		if p.Offers.Known(e) {
			continue
		}
		offer, err := p.Offers.Parse(e)
		if err == nil {
			err = p.Offers.Add(time.Now(), offer)
		}
		if err != nil {
			p.Log.Debug("offer refused", "peer", from, "err", err)
		}
	}
}

// pullEvery is the pause between two rounds of asking all connected peers.
const pullEvery = 3 * time.Second

// Listen collects open offers until ctx ends: offers of training runs, and offers
// of documents in the given pairs of languages. Offers come by gossip, and from
// the connected peers, which Listen asks.
func (p *Peer) Listen(ctx context.Context, pairs [][2]string) error {
	topics := map[string]protocol.RecordType{protocol.RunTopic(p.Net): protocol.TypeRunOffer}
	for _, l := range pairs {
		topics[protocol.JobTopic(p.Net, l[0], l[1])] = protocol.TypeJobOffer
	}
	g, ctx := errgroup.WithContext(ctx)
	for topic, t := range topics {
		sub, err := mesh.Subscribe(p.Mesh, topic, func(data []byte) (Offer, error) {
			o, err := p.Offers.Parse(protocol.EncodedOffer{Type: t, Body: data})
			if err == nil && o.Topic != topic {
				err = protocol.Refuse(protocol.Malformed, "an offer for the topic %s on %s", o.Topic, topic)
			}
			return o, err
		})
		if err != nil {
			return fmt.Errorf("listen for offers: %w", err)
		}
		g.Go(func() error {
			defer sub.Cancel()
			for {
				offer, err := sub.Next(ctx)
				if ctx.Err() != nil {
					return nil
				} else if err != nil {
					return fmt.Errorf("listen for offers: %w", err)
				}
				if err := p.Offers.Add(time.Now(), offer); err != nil {
					p.Log.Debug("offer refused", "err", err)
				}
			}
		})
	}
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pullEvery):
			}
			for _, other := range p.Mesh.Peers() {
				p.pull(ctx, other.ID)
			}
		}
	})
	return g.Wait()
}
