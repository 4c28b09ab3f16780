package ledger

import (
	"fmt"

	"github.com/alia-network/alia/protocol"
)

// MaxListing is the most accounts on a page of a listing.
const MaxListing = 4096

// Listing is a page of the accounts, sorted by key, with the books of the same
// height. No proof covers a listing, but a reader can check that all pages add up
// to the supply.
type Listing struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Height   uint64
	Supply   Supply
	Accounts []Holding
	More     bool // another page follows
}

// Holding is an account in a listing.
type Holding struct {
	_       struct{} `cbor:",toarray"`
	Account protocol.Account
	Balance uint64 // amount
}

// Check reports whether the accounts of a whole listing, the escrows and the pool
// add up to the supply.
func (l Listing) Check() error {
	sum := l.Supply.Escrowed + l.Supply.Pool
	for _, h := range l.Accounts {
		sum += h.Balance
	}
	if sum != l.Supply.Total() {
		return fmt.Errorf("at height %d the supply is %s, but accounts, escrows and the pool hold %s",
			l.Height, alia(l.Supply.Total()), alia(sum))
	}
	return nil
}

// List returns up to limit accounts that follow the account after, or the first
// ones when after is empty.
func (s *State) List(after []byte, limit int) Listing {
	l := Listing{Version: 1, Height: s.height, Supply: s.Supply()}
	start := accountPrefix + string(after)
	for _, p := range s.tree.pairs([]byte(accountPrefix)) {
		if len(after) > 0 && string(p.Key) <= start {
			continue
		}
		if len(l.Accounts) == limit {
			l.More = true
			break
		}
		a, _ := decode[AccountState](p.Value, true)
		l.Accounts = append(l.Accounts, Holding{Account: protocol.Account(p.Key[len(accountPrefix):]), Balance: a.Balance})
	}
	return l
}
