package ledger

import (
	"github.com/alia-network/alia/protocol"
)

// MaxListing is the most accounts on a page of a listing.
const MaxListing = 4096

// Listing is a page of the accounts, in the order of their keys, with the books
// of the same height. Unlike a record it cannot be proven; that all pages add up
// to the supply can be checked.
type Listing struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Height   uint64
	Supply   Supply
	Accounts []Holding
	More     bool // accounts follow after the last
}

// Holding is an account in a listing.
type Holding struct {
	_       struct{} `cbor:",toarray"`
	Account protocol.Account
	Balance uint64 // units
}

// List returns up to limit accounts after a key, or from the first when it is
// empty.
func (s *State) List(after []byte, limit int) Listing {
	l := Listing{Version: 1, Height: s.height, Supply: s.Supply()}
	start := "a/" + string(after)
	for _, p := range s.tree.pairs([]byte("a/")) {
		if len(after) > 0 && string(p.Key) <= start {
			continue
		}
		if len(l.Accounts) == limit {
			l.More = true
			break
		}
		a, _ := decode[AccountState](p.Value, true)
		l.Accounts = append(l.Accounts, Holding{Account: protocol.Account(p.Key[2:]), Balance: a.Balance})
	}
	return l
}
