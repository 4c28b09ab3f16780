package ledger

import (
	"slices"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Payment (LEDGER.md, section 5.4). A claimed round is paid Params.Finality heights after
// its claim, at the rate that was published before the claim. What exceeds a height's cap
// waits for the next height; nobody's pay is reduced. A function, or all jobs together, gets
// at most an eighth of the cap of a height, so that none makes the others wait.

const (
	// capShare is the part of a height's cap that one function can have.
	capShare = 8
	// maxPayments bounds the payments of a height, which take time.
	maxPayments = 8192
	// readSlots is how many slots of a round take as long to read as a payment.
	readSlots = 16
)

// till is what a height can still mint and pay.
type till struct {
	amount   uint64 // amount
	payments int
}

// take takes up to amount, of which at most share are left, for one payment. It reports
// what it took.
func (t *till) take(amount uint64, share *uint64) uint64 {
	if t.payments == 0 {
		return 0
	}
	amount = min(amount, *share, t.amount)
	*share -= amount
	t.amount -= amount
	t.payments--
	return amount
}

// read takes the time to read and write a round, as payments. It reports whether the
// height has any time left.
func (t *till) read(slots int) bool {
	t.payments -= min(t.payments, 1+slots/readSlots)
	return t.payments > 0
}

// pay pays the claims that are due.
func (d *draft) pay() {
	t := &till{amount: d.schedule.Cap, payments: maxPayments}
	d.payJobs(t)
	list, _ := load[owing](d, []byte(owingKey))
	n := uint64(len(list.Functions))
	list.Functions = slices.Clone(list.Functions)
	paid := map[block.Link]bool{} // functions that are owed nothing more
	for i := range n {            // another function is the first at each height
		o := &list.Functions[(i+d.height)%n]
		if d.height >= o.Due && t.amount > 0 && t.payments > 0 {
			o.Due, paid[o.Function] = d.payFunction(o.Function, t)
		}
	}
	if n > 0 {
		list.Functions = slices.DeleteFunc(list.Functions, func(o owed) bool { return paid[o.Function] })
		store(d, []byte(owingKey), list)
	}
}

// payFunction pays the rounds of a function that are due, in their order, and then what
// follows the last. It returns the next height that may pay more, and whether nothing is
// owed.
func (d *draft) payFunction(function block.Link, t *till) (due uint64, paid bool) {
	share := d.schedule.Cap / capShare
	f, _ := load[FunctionState](d, FunctionKey(function))
	for {
		round := f.Paid
		closing := f.Paid == f.Next && f.Closing && !f.ClosingPaid
		if closing {
			round = ClosingRound
		}
		key := RoundKey(function, round)
		r, known := load[RoundState](d, key)
		switch {
		case !known:
			return 0, true
		case d.height < r.Due:
			return r.Due, false
		case !t.read(len(r.Slots)) || !d.payRound(key, &r, t, &share):
			return d.height + 1, false
		case !r.Claimed:
			return 0, true // the miners' own claims are paid; the coordinator's claim may follow
		case closing:
			f.ClosingPaid = true
		default:
			f.Paid++
		}
		d.remove(key)
		store(d, FunctionKey(function), f)
	}
}

// payRound pays what is left of a round. It reports whether nothing is left.
func (d *draft) payRound(key []byte, r *RoundState, t *till, share *uint64) bool {
	r.Slots = slices.Clone(r.Slots)
	all := true
	for i := range r.Slots {
		s := &r.Slots[i]
		if s.Owed == 0 {
			continue
		}
		amount := t.take(s.Owed, share)
		if amount == 0 {
			all = false
			break
		}
		s.Status = SlotPaid
		s.Owed -= amount
		d.books(func(b *Supply) { b.Owed -= amount })
		d.mint(s.Miner, amount)
		all = s.Owed == 0
	}
	store(d, key, *r)
	return all
}

// mintable returns the part of an amount that can still be minted at some time, when all
// that is owed is minted first.
func (d *draft) mintable(amount uint64) uint64 {
	s := d.supply()
	return min(amount, maxSupply-s.Minted-s.Owed)
}

// mint pays new tokens for work.
func (d *draft) mint(to protocol.Account, amount uint64) {
	if amount == 0 {
		return
	}
	d.books(func(s *Supply) { s.Minted += amount })
	d.reward(to, amount)
}

// payJobs pays the claims of translated units that are due, in their sequence. A claim
// whose bonus exceeds what is left of the height's share waits, and those behind it wait
// too.
func (d *draft) payJobs(t *till) {
	share := d.schedule.Cap / capShare
	for {
		q, _ := load[jobQueue](d, []byte(jobsKey))
		if q.First == q.Next {
			return
		}
		key := dueKey(q.First)
		w, _ := load[dueJobs](d, key)
		for w.Units > 0 {
			e, _ := load[Escrow](d, EscrowKey(w.Customer, w.Job))
			claim := e.Claims[e.Paid]
			if _, read := d.done[string(EscrowKey(w.Customer, w.Job))]; !read {
				t.read(len(e.Claims))
			}
			if d.height < claim.Due || t.payments == 0 || claim.Bonus > share {
				store(d, key, w)
				return
			}
			d.payJob(e, claim)
			d.mint(claim.Miner, t.take(d.mintable(claim.Bonus), &share))
			w.Units--
		}
		d.remove(key)
		q.First++
		store(d, []byte(jobsKey), q)
	}
}

// payJob pays a claim from its escrow.
func (d *draft) payJob(e Escrow, c JobClaimed) {
	// The remainder of the rounding is burned too, so that the parts add up.
	miner, pool := mulDiv(c.Amount, minerShare, 100), mulDiv(c.Amount, poolShare, 100)
	burned := c.Amount - miner - pool
	e.Held -= c.Amount
	e.Released += miner + pool
	e.Burned += burned
	e.Paid++
	store(d, EscrowKey(e.Customer, e.Job), e)
	d.books(func(s *Supply) {
		s.Escrowed -= c.Amount
		s.Pool += pool
		s.Burned += burned
	})
	d.reward(c.Miner, miner)
}
