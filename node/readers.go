package node

import (
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/alia-network/alia/protocol/mesh"
)

// readable reports whether a peer may read a block of this node:
//
//   - Blocks of training runs, of models and of open jobs are public.
//   - An input of a unit is for the miners that have a ticket of the unit, until the unit
//     is done or its publisher stops.
//   - A result is for the publisher of its ticket.
//
// Nobody else reads a document, a translation, or a block without an owner: such a block
// may be left over from somebody's job. A peer's connection proves its account.
func (p *Peer) readable(by peer.ID, c cid.Cid) bool {
	if p.Store.OwnedBy(c, public) {
		return true
	}
	account, err := mesh.AccountOf(by)
	if err != nil { // a peer without an account publishes nothing and has no tickets
		return false
	}
	results := resultsFor(account)
	return p.Store.OwnedBy(c, func(owner string) bool { return strings.HasPrefix(owner, results) }) || p.desk.lends(account, c)
}

// public reports whether every peer may read the blocks of an owner.
func public(owner string) bool {
	return strings.HasPrefix(owner, "run/") || strings.HasPrefix(owner, "model/") || strings.HasPrefix(owner, "open/")
}
