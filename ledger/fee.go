package ledger

import (
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Gas prices what a transaction takes of everybody's machine: its bytes, the time of its
// signatures, and the state that it lets grow (LEDGER.md, section 4.4).
const (
	gasSignature = 100 // of one signature
	gasState     = 10  // of a byte of state
)

// Gas is the gas of a transaction of a body, with the given bytes.
func Gas(b Body, size int) uint64 {
	grows := kindRows[b.Kind()].grows
	if v, ok := b.(interface{ grows() uint64 }); ok { // it depends on the body
		grows = v.grows()
	}
	return uint64(size) + gasSignature*uint64(1+b.signatures()) + gasState*grows
}

// Fee is the amount that gas costs at the price of a schedule, rounded up.
func (s Schedule) Fee(gas uint64) uint64 { return mulDiv(gas, s.Gas, micro) + 1 }

// MayBeFree reports whether a transaction of a body may need no fee: it reports work, or
// ends something. The state says whether it is free.
func MayBeFree(b Body) bool { return kindRows[b.Kind()].claim }

// MaxBlock bounds the transactions of a height, in bytes as CometBFT encodes them.
const MaxBlock = 4 << 20

// gasTarget is the gas that a height should have. Above it the price of gas rises.
const gasTarget = MaxBlock / 4

// gasStep bounds the change of the price of gas in a height to an eighth, as in EIP-1559.
const gasStep = 8

// nextGas is the price of gas after a height that used some gas. It falls to the least
// price while heights have room.
func nextGas(price, least, used uint64) uint64 {
	if used > gasTarget {
		price += max(1, mulDiv(price, min(used-gasTarget, gasTarget), gasTarget)/gasStep)
	} else {
		price -= mulDiv(price, gasTarget-used, gasTarget) / gasStep
	}
	return max(least, min(price, 1<<40))
}

// Lanes keeps the lanes of a height (LEDGER.md, section 4.5). A quarter of the bytes is
// for claims of work, and a quarter for disputes about it; what is left is for all
// transactions. A flood of one sort leaves the others their room.
type Lanes struct {
	limit, claims, others uint64 // bytes
	free                  map[FreePlace]bool
}

// FreePlace is what free transactions share: an account that sends them, or a slot that
// they claim.
type FreePlace struct {
	account protocol.Account // the sender, or the customer of the escrow
	work    block.Link       // the job, or the function; none of a sender
	round   uint32
	index   uint32
}

// FreePlaces returns the places of a transaction that asks for the free lane, the sender's
// first. A height has room for one free transaction at a place: otherwise many accounts
// that claim one slot, of which one can succeed, would fill the lane.
func (tx *Tx) FreePlaces() []FreePlace {
	if tx.Fee > 0 {
		return nil
	}
	places := []FreePlace{{account: tx.Account}}
	switch b := tx.Body.(type) {
	case JobClaim:
		for _, u := range b.Units {
			places = append(places, FreePlace{account: b.Customer, work: b.Job, index: u.Slot.Index})
		}
	case UnitClaim:
		round := b.Round
		if b.Closing {
			round = ClosingRound
		}
		places = append(places, FreePlace{work: b.Function, round: round, index: b.Proof.Position})
	}
	return places
}

// NewLanes returns the empty lanes of a height of at most limit bytes.
func NewLanes(limit uint64) *Lanes {
	return &Lanes{limit: min(limit, MaxBlock), free: map[FreePlace]bool{}}
}

// Admit reports whether a transaction still fits, and takes its room. Size is its bytes
// as the height encodes them. A free transaction fits into the lane of claims alone, one of
// an account and one of a slot.
func (l *Lanes) Admit(tx *Tx, size uint64) bool {
	lane, shared := l.limit/4, l.limit/2
	claims, others := l.claims, l.others
	switch {
	case MayBeFree(tx.Body):
		claims += size
	case tx.Fee == 0:
		return false
	default:
		others += size
	}
	over := others
	if claims > lane {
		over += claims - lane
	}
	if over > shared {
		return false
	}
	places := tx.FreePlaces()
	taken := func(p FreePlace) bool { return l.free[p] }
	if len(places) > 0 && (claims > lane || slices.ContainsFunc(places, taken)) {
		return false
	}
	for _, p := range places {
		l.free[p] = true
	}
	l.claims, l.others = claims, others
	return true
}
