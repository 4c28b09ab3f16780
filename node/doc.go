// Package node is a peer of a network and the roles it can play: miner,
// coordinator, publisher and relay.
//
// [OpenPeer] joins a network. A [Peer] has an account, a block store, a mesh, a
// board of open offers and a client of the ledger. Each role is a struct that a
// caller makes from a peer and the other parts that the role needs. Its Run owns its
// goroutines and ends with its context.
//
// A [Miner] bids on open offers, computes the units leased to it, and signs the
// results. A [Publisher] offers one work, leases its units to miners, and writes the
// results that it accepts to a [journal.Journal]. A [Coordinator] trains a model: a
// crew computes its units. A [Relay] carries journalled results to the ledger, which
// pays for them. A [Training] is a coordinator with a publisher as its crew and a
// relay. Roles report to their user by a [Notice].
//
//	peer, err := node.OpenPeer(ctx, node.PeerConfig{Home: dir, Network: network, Key: key})
//	defer peer.Close()
//	miner := &node.Miner{Peer: peer, Workers: []*work.Worker{work.NewWorker(dev)}, Capability: able, Report: report}
//	err = node.Together(ctx, miner.Run, func(ctx context.Context) error { return peer.Listen(ctx, pairs) })
package node
