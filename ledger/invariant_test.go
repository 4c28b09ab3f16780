package ledger

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/alia-network/alia/protocol"
)

// Whatever a crowd of liars and honest members sends, in whatever order and however often,
// the books balance at every height, and accounts that work together gain no more than the
// validators have approved for them.
func TestInvariantsUnderAttack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		start := c.wealth()
		for range rapid.IntRange(5, 25).Draw(t, "heights") {
			var data [][]byte
			for range rapid.IntRange(1, 8).Draw(t, "transactions") {
				data = append(data, c.draw(t))
			}
			c.height(t, data)
			if rapid.IntRange(0, 9).Draw(t, "pause") > 7 {
				c.wait(c.state.height + rapid.Uint64Range(1, minSilence+10).Draw(t, "heights of the pause"))
			}
			c.checkWealth(t, start)
		}
		// All that is owed is paid, at last.
		c.wait(c.state.height + 40)
		if books := c.state.Supply(); books.Owed != 0 {
			t.Fatalf("%d are owed for ever", books.Owed)
		}
		c.checkWealth(t, start)
	})
}

// crowdParams have a cap, a finality and unlocks that random play reaches.
func crowdParams() Params {
	p := LocalParams()
	p.Budget, p.Step, p.Finality, p.Unlock = 100_000, 64, 3, 4
	return p
}

// crowd draws transactions of a few accounts about a few runs and jobs, so that they
// collide. Of the accounts those of the band work together.
type crowd struct {
	*world
	runs []*testRun
	jobs []*testJob
	sent [][]byte
	rate uint64 // the greatest of the heights that had claims
}

var (
	band   = []string{"mallory", "crony", "shill"}
	honest = []string{"validator", "coordinator", "miner", "customer"}
	people = append(append([]string{}, band...), honest...)
)

// newCrowd starts where there is something to lose: an approved run, and an escrow of a
// customer with tokens.
func newCrowd(t *rapid.T) *crowd {
	c := &crowd{world: newWorld(t, crowdParams())}
	var locks []*Tx
	for _, who := range people {
		c.fill(who)
		locks = append(locks, c.parse(c.signTx(who, Tx{Fee: enough, ExpHeight: 5, Body: Lock{Amount: coin / 10}})))
	}
	c.apply(locks...)
	p := newPlan("p", []uint64{100, 50}, []uint64{200}, []uint64{70, 70}, []uint64{10})
	q := newPlan("q", []uint64{1000, 0}, []uint64{30})
	c.runs = []*testRun{
		c.run("coordinator", "p", p), c.run("mallory", "q", q),
		{plan: p, w: c.world, id: link("run 2"), coordinator: "mallory"}, // may be approved later
		{plan: newPlan("r", []uint64{1 << 50}, nil), w: c.world, id: link("run 3"), coordinator: "crony"},
	}
	c.jobs = []*testJob{c.newJob("customer", "j", 1000, 2000, 500), c.newJob("shill", "k", 1000, 4000)}
	c.must("customer", c.jobs[0].open(300_000, 50_000))
	return c
}

// height makes a height of the bytes of transactions, twice, and compares.
func (c *crowd) height(t *rapid.T, data [][]byte) {
	parse := func() []*Tx {
		txs := make([]*Tx, len(data))
		for i, d := range data {
			if tx, err := ParseTx(d, testNet); err == nil {
				txs[i] = tx
			}
		}
		return txs
	}
	before, root := c.state, c.state.AppHash()
	block := Block{Height: before.height + 1, Txs: parse()}
	if rapid.IntRange(0, 30).Draw(t, "double signing") == 30 {
		block.DoubleSigned = []protocol.Account{acct(rapid.SampledFrom(people).Draw(t, "who signed twice"))}
	}
	results := c.block(block) // audits
	if !bytes.Equal(before.AppHash(), root) {
		t.Fatal("the old state changed")
	}
	block.Txs = parse()
	again, twice, _, err := before.Apply(block)
	if err != nil || !bytes.Equal(again.AppHash(), c.state.AppHash()) || fmt.Sprint(twice) != fmt.Sprint(results) {
		t.Fatalf("the same height gives another state, %v", err)
	}
	for i, r := range results {
		if block.Txs[i] == nil && r.Code == OK {
			t.Fatal("nothing was taken for a transaction")
		}
	}
	c.rate = max(c.rate, c.state.mustSchedule(t).Training)
}

// draw makes a transaction, or takes an old one again.
func (c *crowd) draw(t *rapid.T) []byte {
	if len(c.sent) > 0 && rapid.IntRange(0, 7).Draw(t, "replay") == 7 {
		return c.sent[rapid.IntRange(0, len(c.sent)-1).Draw(t, "old transaction")]
	}
	// The values that are mostly good come first, because they are drawn most often.
	who, body := c.body(t)
	c.nonce++
	data, err := Sign(key(who), testNet, Tx{
		Nonce:     rapid.SampledFrom([]uint64{c.nonce, c.nonce + 1, c.state.Account(acct(who)).Nonce}).Draw(t, "nonce"),
		Fee:       rapid.SampledFrom([]uint64{enough, 0, enough, 1}).Draw(t, "fee"),
		ExpHeight: c.state.height + rapid.SampledFrom([]uint64{1, 4, 2, 0}).Draw(t, "expiry"), Body: body,
	})
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 15).Draw(t, "damage") == 15 {
		data[rapid.IntRange(0, len(data)-1).Draw(t, "where")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	}
	c.sent = append(c.sent, data)
	return data
}

// body draws a sender and what it sends. Honest members send nothing to the band.
func (c *crowd) body(t *rapid.T) (string, Body) {
	who := rapid.SampledFrom(people).Draw(t, "who")
	amount := rapid.SampledFrom([]uint64{100_000, 1000, 1, coin / 2, 0, 1 << 40, math.MaxUint64}).Draw(t, "amount")
	r := c.runs[rapid.IntRange(0, len(c.runs)-1).Draw(t, "run")]
	j := c.jobs[rapid.IntRange(0, len(c.jobs)-1).Draw(t, "job")]
	if rapid.IntRange(0, 3).Draw(t, "stranger") < 2 {
		who = r.coordinator
	}
	to := acct(rapid.SampledFrom(friends(who)).Draw(t, "to"))
	switch rapid.SampledFrom(kindsDrawn).Draw(t, "kind") {
	case KindTransfer:
		return who, Transfer{To: to, Amount: amount}
	case KindLock:
		return who, Lock{Amount: amount}
	case KindUnlock:
		return who, Unlock{Amount: amount}
	case KindSetPayout:
		return who, SetPayout{To: to}
	case KindRotate:
		return who, Rotate{To: to}
	case KindRunPropose:
		return r.coordinator, r.propose()
	case KindRunVote:
		return "validator", r.vote(r != c.runs[3]) // the validator does not approve a plan that is none
	case KindRunEnd:
		return who, RunEnd{Run: r.id}
	case KindRunTake:
		return who, RunTake{Run: r.id, Coordinator: acct(r.coordinator)}
	case KindHeartbeat:
		return who, Heartbeat{Run: r.id}
	case KindEscrowOpen:
		return j.customer, j.open(amount, rapid.SampledFrom([]uint64{10_000, 1, 1_000_000, 0}).Draw(t, "price"))
	case KindEscrowTopUp:
		return j.customer, EscrowTopUp{Job: j.id, Amount: amount, Deadline: c.state.height + rapid.SampledFrom([]uint64{120, 90, 1}).Draw(t, "deadline")}
	case KindEscrowClose:
		return j.customer, EscrowClose{Job: j.id}
	case KindValidatorVote:
		return "validator", ValidatorVote{Account: to, Admit: amount >= 1000}
	case KindJobClaim:
		i := rapid.IntRange(0, len(j.slots)-1).Draw(t, "unit")
		u := j.work(i, c.worker(t, j.customer), rapid.SampledFrom([]uint64{1000, 10, 0, 1 << 40}).Draw(t, "cost"))
		return who, j.claim(u)
	case KindUnitClaim:
		round, i := c.place(t, r)
		return who, r.unitClaim(round, i, c.worker(t, r.coordinator))
	default:
		round, _ := c.place(t, r)
		return r.coordinator, r.claim(round, c.worker(t, r.coordinator), rapid.SampledFrom([]string{"", "miner"}).Draw(t, "miner"))
	}
}

// kindsDrawn has the kinds, those first of which there should be most.
var kindsDrawn = []TxKind{
	KindClaim, KindUnitClaim, KindJobClaim, KindEscrowOpen, KindRunVote, KindRunPropose, KindEscrowClose, KindEscrowTopUp,
	KindUnlock, KindLock, KindRunEnd, KindValidatorVote, KindSetPayout, KindRunTake, KindHeartbeat, KindTransfer, KindRotate,
	KindUnitClaim, KindJobClaim, KindClaim, KindUnlock,
}

// friends are those to whom an account sends money.
func friends(who string) []string {
	for _, b := range band {
		if who == b {
			return people
		}
	}
	return honest
}

// worker is who works for a publisher: honest publishers have honest workers.
func (c *crowd) worker(t *rapid.T, publisher string) string {
	return rapid.SampledFrom(friends(publisher)).Draw(t, "worker")
}

// place is a slot of a run: mostly of the round that is next.
func (c *crowd) place(t *rapid.T, r *testRun) (round, i int) {
	round = int(r.function().Next)
	if round >= len(r.rounds) || rapid.IntRange(0, 3).Draw(t, "any round") == 0 {
		round = rapid.IntRange(0, len(r.rounds)-1).Draw(t, "round")
	}
	if len(r.rounds[round]) == 0 {
		round = 0
	}
	return round, rapid.IntRange(0, len(r.rounds[round])-1).Draw(t, "slot")
}

// wealth is all that the band has, wherever it lies, and what it is owed.
func (c *crowd) wealth() uint64 {
	var sum uint64
	for _, name := range band {
		a := c.state.Account(acct(name))
		sum += a.Balance + a.Locked
		for _, u := range a.Unlocks {
			sum += u.Amount
		}
		for _, r := range c.runs {
			if s, ok := c.state.Run(r.id, acct(name)); ok {
				sum += s.Bond
			}
		}
		for _, j := range c.jobs {
			if e, ok := c.state.Escrow(acct(name), j.id); ok {
				sum += e.Left + e.Held
			}
		}
	}
	return sum
}

// checkWealth holds the band's wealth against what the plans that were approved can pay it.
// Of the plan p every coordinator can claim any round until results are audited.
func (c *crowd) checkWealth(t *rapid.T, start uint64) {
	approved := c.runs[0].Cost + c.runs[1].Cost
	if got, most := c.wealth(), start+price(approved, c.rate); got > most {
		t.Fatalf("the band has %d, and can have %d", got, most)
	}
	// The bonuses of translation are less than half of what was burned.
	books := c.state.Supply()
	if most := uint64(len(people))*coin + price(approved, c.rate) + books.Burned/2; books.Minted > most {
		t.Fatalf("minted %d, of at most %d", books.Minted, most)
	}
}

// Buying one's own work loses a tenth of its price, whatever the price, the rate and the
// cost are.
func TestSelfDealingLoses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := LocalParams()
		p.Finality = 1
		p.Translation = rapid.SampledFrom([]uint64{1, 100_000, 1 << 40}).Draw(t, "rate")
		w := newWorld(t, p)
		w.fill("wash")
		var costs []uint64
		for range rapid.IntRange(1, 4).Draw(t, "units") {
			costs = append(costs, rapid.Uint64Range(1, 5000).Draw(t, "cost"))
		}
		j := w.newJob("wash", "j", costs...)
		w.must("wash", j.open(rapid.Uint64Range(1, coin/2).Draw(t, "amount"), rapid.Uint64Range(1, 10_000_000).Draw(t, "price")))
		had := w.free("wash") + j.escrow().Left
		burned := w.state.Supply().Burned
		for i, cost := range costs {
			w.do("wash", j.claim(j.work(i, "wash 2", cost)))
		}
		w.finality()
		spent := j.escrow().Opened - j.escrow().Left
		fees := w.state.Supply().Burned - burned - j.escrow().Burned
		has := w.free("wash") + w.free("wash 2") + j.escrow().Left + fees
		if lost := had - has; has > had || 10*(lost+uint64(len(costs))) < spent {
			t.Fatalf("spent %d on its own work and lost %d", spent, lost)
		}
	})
}

// Each invariant is broken by hand, and found.
func TestBrokenInvariantsHalt(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	j := w.newJob("alice", "j", 1000, 1000)
	w.must("alice", j.open(2000, 1000))
	w.must("miner", j.claim(j.work(1, "miner", 1000)))
	w.finality()
	w.must("miner", j.claim(j.work(0, "miner", 1000)))
	r := w.run("founder", "p", newPlan("p", []uint64{1000, 2000}, nil))
	w.must("founder", r.claim(0, "miner"))
	w.must("alice", SetPayout{To: acct("safe")})
	s := w.state
	alice := AccountKey(acct("alice"))
	richer, poorer, lessPay, rich := s.Account(acct("alice")), s.Account(acct("alice")), s.Account(acct("alice")), s.Account(acct("alice"))
	richer.Balance++
	poorer.Nonce--
	lessPay.Earned--
	rich.Unlocks = make([]Unlocking, maxUnlocks+1)
	escrowKey := EscrowKey(acct("alice"), j.id)
	escrow := func(f func(*Escrow)) []byte {
		e := j.escrow()
		f(&e)
		return encode(e)
	}
	roundKey := RoundKey(r.Function, 0)
	round := func(f func(*RoundState)) []byte {
		x := mustRound(t, w, r, 0)
		x.Slots = append([]SlotState{}, x.Slots...)
		f(&x)
		return encode(x)
	}
	function := func(f func(*FunctionState)) []byte {
		x := r.function()
		f(&x)
		return encode(x)
	}
	books := func(f func(*Supply)) []byte {
		x := s.Supply()
		f(&x)
		return encode(x)
	}
	schedule, _ := s.Schedule(s.height + 1)
	owed := mustRound(t, w, r, 0).Slots[0].Owed
	for _, c := range []struct {
		name, want string
		changes    []Change
	}{
		{"token from nothing", "different amounts", []Change{{alice, encode(richer)}}},
		{"nonce falls", "nonce", []Change{{alice, encode(poorer)}}},
		{"pay falls", "pay falls", []Change{{alice, encode(lessPay)}}},
		{"account deleted", "gone", []Change{{alice, nil}}},
		{"too many unlocks", "unlocks", []Change{{alice, encode(rich)}}},
		{"escrow leaks", "balance", []Change{{escrowKey, escrow(func(e *Escrow) { e.Left-- })}}},
		{"escrow gone with a claim", "claims to pay", []Change{{escrowKey, nil}}},
		{"escrow pays itself", "different amounts", []Change{{escrowKey, escrow(func(e *Escrow) { e.Left, e.Released = e.Left-1, e.Released+1 })}}},
		{"claim forgotten", "forgot a claim", []Change{{escrowKey, escrow(func(e *Escrow) { e.Claims = nil })}}},
		{"claim twice", "unit twice", []Change{{escrowKey, escrow(func(e *Escrow) { e.Claims = append(e.Claims, e.Claims[0]) })}}},
		{"price changed", "does not change", []Change{{escrowKey, escrow(func(e *Escrow) { e.Price++ })}}},
		{"paid before it is claimed", "does not change", []Change{{escrowKey, escrow(func(e *Escrow) { e.Paid = 3 })}}},
		{"minted without holder", "differ", []Change{{SupplyKey(), books(func(b *Supply) { b.Minted += 5 })}}},
		{"burned what is not there", "differ", []Change{{SupplyKey(), books(func(b *Supply) { b.Burned += 5 })}}},
		{"pool burned", "out of bounds", []Change{{SupplyKey(), books(func(b *Supply) { b.Pool--; b.Burned++ })}}},
		{"pool below zero", "differ", []Change{{SupplyKey(), books(func(b *Supply) { b.Burned += b.Pool + 1; b.Pool = math.MaxUint64 })}}},
		{"pool falls", "out of bounds", []Change{{alice, encode(richer)}, {SupplyKey(), books(func(b *Supply) { b.Pool--; b.Balances++ })}}},
		{"minted less", "out of bounds", []Change{{SupplyKey(), books(func(b *Supply) { b.Minted--; b.Burned-- })}}},
		{"over the cap", "the cap is", []Change{{SupplyKey(), books(func(b *Supply) { b.Minted += schedule.Cap + 1; b.Pool += schedule.Cap + 1 })}}},
		{"more than all tokens", "out of bounds", []Change{{SupplyKey(), books(func(b *Supply) { b.Minted = maxSupply + 1; b.Pool += maxSupply + 1 - s.Supply().Minted })}}},
		{"round claimed twice", "claimed or paid for twice", []Change{{FunctionKey(r.Function), function(func(f *FunctionState) { f.Next-- })}}},
		{"paid before claimed", "has paid", []Change{{FunctionKey(r.Function), function(func(f *FunctionState) { f.Paid = f.Next + 1 })}}},
		{"function gone", "gone", []Change{{FunctionKey(r.Function), nil}}},
		{"round paid early", "before its time", []Change{
			{roundKey, round(func(x *RoundState) { x.Slots[0].Status, x.Slots[0].Owed = SlotPaid, 0 })},
			{SupplyKey(), books(func(b *Supply) { b.Owed -= owed })},
		}},
		{"round gone early", "before its time", []Change{{roundKey, nil}}},
		{"slot claimed anew", "paid twice", []Change{{roundKey, round(func(x *RoundState) { x.Slots[0].Status = SlotOpen; x.Slots[0].Owed = 0 })}}},
		{"open slot with pay", "nobody has claimed", []Change{{roundKey, round(func(x *RoundState) { x.Slots[0].Status = SlotOpen })}}},
		{"round over the plan", "MFLOP of", []Change{{roundKey, round(func(x *RoundState) { x.Slots[0].Cost += 3000 })}}},
		{"owed to nobody", "different amounts", []Change{{SupplyKey(), books(func(b *Supply) { b.Owed++ })}}},
		{"bond from nothing", "different amounts", []Change{{RunKey(r.id, acct("founder")), encode(RunState{Version: 1, Run: r.id, Bond: 1 << 40})}}},
		{"unknown key", "unknown key", []Change{{[]byte("z/"), []byte{0x80}}}},
		{"record that does not parse", "record", []Change{{alice, []byte{1}}}},
	} {
		next := w.with(c.changes...)
		next.height++
		if err := checkStep(s, next, c.changes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	final := encode(Payout{Version: 1, To: acct("x"), Final: true})
	if err := followPayout(1, nil, final, encode(Payout{Version: 1, To: acct("y"), Final: true})); err == nil {
		t.Error("a final payout changes")
	}
	if err := checkStep(s, &State{height: s.height + 2, tree: s.tree}, nil); err == nil || !strings.Contains(err.Error(), "schedule") {
		t.Errorf("unpublished schedule: %v", err)
	}
	// A whole state whose sums are wrong.
	if _, err := w.with(Change{SupplyKey(), books(func(b *Supply) { b.Balances++; b.Pool-- })}).Audit(); err == nil {
		t.Error("an audit finds nothing")
	}
}

// A state's records are those of the height before, after the changes: nothing else.
func TestChangesAreAll(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	before := map[string][]byte{}
	for p := range w.state.All() {
		before[string(p.Key)] = p.Value
	}
	tx := w.tx("alice", Transfer{To: acct("bob"), Amount: 1})
	next, _, changes, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: []*Tx{tx}})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range changes {
		if i > 0 && bytes.Compare(changes[i-1].Key, c.Key) >= 0 {
			t.Error("the changes are not sorted")
		}
		if old, ok := before[string(c.Key)]; ok && bytes.Equal(old, c.Value) {
			t.Errorf("%q has not changed", c.Key)
		}
		before[string(c.Key)] = c.Value
		if c.Value == nil {
			delete(before, string(c.Key))
		}
	}
	for p := range next.All() {
		if !bytes.Equal(before[string(p.Key)], p.Value) {
			t.Errorf("%q is not what the changes say", p.Key)
		}
		delete(before, string(p.Key))
	}
	if len(before) != 0 {
		t.Errorf("%d records are missing", len(before))
	}
}
