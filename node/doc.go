// Package node is a peer of a network and the roles it can play: miner,
// coordinator, publisher and relay.
//
// [OpenPeer] joins a network. A [Peer] has an account, a block store, a mesh, a
// board of open offers and a client of the ledger. Each role is a struct that a
// caller makes from a peer and whatever else the role needs. Its Run owns its
// goroutines and ends with its context.
//
// A [Miner] bids on open offers, computes the units leased to it, and signs the
// results. A [Publisher] is the other side: it offers one work, leases units to
// miners, and journals the results that it accepts ([Journal]). A [Coordinator]
// trains a model by the units that a crew does. A [Relay] carries journalled
// results to the ledger, which pays for them. A [Training] is a coordinator with
// a publisher as its crew and a relay. Roles tell their user what happens by a
// [Notice].
//
//	peer, err := node.OpenPeer(ctx, node.PeerConfig{Home: dir, Network: network, Key: key, Listen: listen})
//	defer peer.Close()
//	miner := &node.Miner{Peer: peer, Workers: []*work.Worker{work.NewWorker(dev)}, Capability: able, Report: report}
//	err = node.Together(ctx, miner.Run, func(ctx context.Context) error { return peer.Listen(ctx, pairs) })
package node
