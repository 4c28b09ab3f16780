package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/kernel"
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
	// Sealer encrypts what the home keeps of its documents.
	Sealer *home.Sealer
	Mesh   *mesh.Mesh
	Offers *Offers
	Ledger *light.Client
	// Sender numbers the transactions of the account: whoever in this process sends
	// one uses it, because the ledger takes them in the sequence of their numbers.
	Sender *light.Sender
	Log    *slog.Logger

	desk   desk
	served servedModels
	owned  bool // the store is closed with the peer

	mu        sync.Mutex                    // guards the field below
	listening map[string]context.CancelFunc // by gossip topic
	listeners sync.WaitGroup
}

// PeerConfig has the home, the network and the addresses of a peer.
type PeerConfig struct {
	Home    home.Dir
	Network Network
	Key     ed25519.PrivateKey
	// Store is the home's block store, which the caller has opened and pinned, see
	// [PinHome], and closes after the peer. Without it OpenPeer opens the store.
	Store *block.Store
	// Listen are multiaddrs; none: those of [mesh.EveryAddress].
	Listen []string
	// Announce are multiaddrs under which others reach this peer. They are told these
	// first, before those at which the peer listens.
	Announce []string
	Log      *slog.Logger
}

// OpenPeer joins the network, with the store in the peer's home, which no other live
// process may have open.
func OpenPeer(ctx context.Context, c PeerConfig) (*Peer, error) {
	p := &Peer{
		Net: c.Network.Net(), Home: c.Home, Network: c.Network, Key: c.Key, Store: c.Store, Log: c.Log,
		listening: map[string]context.CancelFunc{},
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	p.Offers = NewOffers(p.Net)
	p.desk.net = p.Net
	var err error
	if p.Sealer, err = home.NewSealer(c.Key); err != nil {
		return nil, err
	}
	if p.Ledger, err = light.Dial(ctx, light.Config{Addrs: c.Network.Ledger, Genesis: c.Network.Genesis}); err != nil {
		return nil, err
	}
	p.Sender = p.Ledger.Sender(c.Key)
	if p.Store == nil {
		if p.Store, err = c.Home.Store(); err != nil {
			return nil, err
		}
		p.owned = true
	}
	p.Store.Hide(hidden, p.Sealer)
	if p.owned {
		if err := PinHome(ctx, c.Home, p.Net, p.Store, p.Log); err != nil {
			p.Log.Warn("blocks of earlier processes are never deleted", "err", err)
		}
	}
	if err := pinJobs(ctx, c.Home, p.Net, p.Store, p.Log); err != nil {
		p.Log.Warn("sealed blocks of earlier processes are not deleted", "err", err)
	}
	listen := c.Listen
	if len(listen) == 0 {
		listen = mesh.EveryAddress()
	}
	p.Mesh, err = mesh.New(ctx, mesh.Config{
		Key: c.Key, Net: p.Net, Listen: listen, Announce: c.Announce, Bootstrap: c.Network.Bootstrap, Blocks: p.Store,
		Serve: p.readable, Numerics: kernel.Numerics, PeersFile: c.Home.Peers(), Log: p.Log,
	})
	if err != nil {
		return nil, errors.Join(err, p.closeStore())
	}
	p.Mesh.HandleOffers(func(cursor uint64) protocol.OfferPage { return p.Offers.Page(time.Now(), cursor) })
	p.Mesh.HandleModels(p.served.of)
	p.Mesh.HandleMarket(func(ctx context.Context, s *mesh.Session) {
		if err := p.desk.serve(ctx, s); err != nil {
			p.Log.Debug("market session refused", "miner", s.Peer, "err", err)
		}
	})
	p.Mesh.OnPeer(p.pull)
	return p, nil
}

// OpenJournal opens a journal of this peer, and says when a crash had interrupted a
// write.
func (p *Peer) OpenJournal(dir string) (*journal.Journal, error) {
	return openJournal(dir, p.Net, p.Log)
}

func openJournal(dir string, net protocol.Net, log *slog.Logger) (*journal.Journal, error) {
	j, err := journal.Open(dir, net, journal.Options{})
	if err == nil && j.Torn() > 0 {
		log.Warn("the last records of the journal, which a crash interrupted, are cut off", "journal", dir, "bytes", j.Torn())
	}
	return j, err
}

// Close leaves the network.
func (p *Peer) Close() error {
	p.mu.Lock()
	for _, leave := range p.listening {
		leave()
	}
	p.mu.Unlock()
	p.listeners.Wait()
	return errors.Join(p.Mesh.Close(), p.closeStore())
}

// closeStore closes the store, unless it is the caller's of OpenPeer.
func (p *Peer) closeStore() error {
	if !p.owned {
		return nil
	}
	return p.Store.Close()
}

// Account is the peer's account.
func (p *Peer) Account() protocol.Account { return protocol.AccountOf(p.Key) }

// pull asks a peer for the open offers it knows: gossip may have lost them,
// or been before our time.
func (p *Peer) pull(ctx context.Context, from peer.ID) {
	err := p.Mesh.PullOffers(ctx, from, func(offers []protocol.EncodedOffer) error {
		for _, e := range offers {
			err := p.Offers.Take(time.Now(), string(from), "", e)
			if err == nil {
				continue
			}
			p.Mesh.CountRejection(protocol.ReasonOf(err))
			p.Log.Debug("offer refused", "peer", from, "err", err)
			if errors.Is(err, market.ErrTooMany) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.Log.Debug("offers not pulled", "peer", from, "err", err)
	}
}

// A node asks pullPeers of the connected peers in turn for their offers, every
// pullEvery.
const (
	pullEvery = 3 * time.Second
	pullPeers = 4
)

// Listen collects open offers until ctx ends: offers of training runs, and offers
// of documents in the given pairs of languages. Offers come by gossip, and from
// the connected peers, which Listen asks. Several parts of a process may listen.
func (p *Peer) Listen(ctx context.Context, pairs [][2]string) error {
	topics := map[string]protocol.RecordType{protocol.RunTopic(p.Net): protocol.TypeRunOffer}
	for _, l := range pairs {
		topics[protocol.JobTopic(p.Net, l[0], l[1])] = protocol.TypeJobOffer
	}
	for topic, t := range topics {
		if err := p.subscribe(topic, t); err != nil {
			return fmt.Errorf("listen for offers: %w", err)
		}
	}
	for turn := 0; ; turn += pullPeers {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pullEvery):
		}
		peers := p.Mesh.Peers()
		for i := range min(pullPeers, len(peers)) {
			p.pull(ctx, peers[(turn+i)%len(peers)].ID)
		}
	}
}

// subscribe has the board take the offers of a gossip topic until the peer is closed: a
// mesh has one subscription of a topic, whoever asked for it first.
func (p *Peer) subscribe(topic string, t protocol.RecordType) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listening[topic] != nil {
		return nil
	}
	sub, err := mesh.Subscribe(p.Mesh, topic, func(from peer.ID, data []byte) (struct{}, error) {
		return struct{}{}, p.Offers.Take(time.Now(), string(from), topic, protocol.EncodedOffer{Type: t, Body: data})
	})
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(context.Background())
	p.listening[topic] = leave
	p.listeners.Go(func() {
		defer sub.Cancel()
		for ctx.Err() == nil { // the board has the offers already
			if _, err := sub.Next(ctx); err != nil && ctx.Err() == nil {
				p.Log.Error("offers are not received any more", "topic", topic, "err", err)
				return
			}
		}
	})
	return nil
}
