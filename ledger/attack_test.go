package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"unsafe"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// Attacks that worked on the first version of the ledger, or that are near to those. Each
// test fails when its defence is taken out.

// A miner states no price: the plan or the list of the job bounds it.
func TestAttackNamedPrice(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 1_000_000)
	w.earn("coordinator", 1_000_000)
	r := w.run("coordinator", "p", measuredPlan("p", 5000, 1))
	w.must("coordinator", r.claim(0, "honest"))
	c := r.round(1, "evil")
	c.Slots[0].Work = List[SlotWork]{attested(t, "evil", "coordinator", r.id, 1, r.rounds[1][0], link("unit"), 1<<40)}
	w.must("coordinator", Claim{Run: r.id, Rounds: List[RoundClaim]{c}})
	j := w.newJob("customer", "j", 1000, 1000)
	w.must("customer", j.open(2000, 1000))
	w.must("evil 2", j.claim(j.work(0, "evil 2", 1<<40)))
	w.finality()
	if honest, evil := w.free("honest"), w.free("evil"); evil > 6*honest || honest == 0 {
		t.Errorf("honest has %d for 1000 MFLOP, evil %d for 5000", honest, evil)
	}
	if e := j.escrow(); e.Left != 1000 {
		t.Errorf("the escrow of 2000 has %d left for the second unit of the same cost", e.Left)
	}
}

// What is left of a run that has ended is nobody's.
func TestAttackLootFinishedRun(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("mallory", 10_000_000)
	w.earn("coordinator", 1_000_000)
	w.must("mallory", Lock{Amount: coin})
	r := w.run("coordinator", "p", newPlan("p", []uint64{1000}, []uint64{1 << 40}, nil))
	w.must("coordinator", r.claim(0, "miner"))
	w.must("coordinator", RunEnd{Run: r.id})
	take := RunTake{Run: r.id, Coordinator: acct("coordinator")}
	w.want(NotApproved, "mallory", take)
	stolen := &testRun{plan: r.plan, w: w, id: r.id, coordinator: "mallory"}
	w.want(UnknownRun, "mallory", stolen.claim(1, "mallory"))
	w.want(UnknownRun, "mallory", stolen.unitClaim(1, 0, "mallory"))
	w.wait(w.state.height + minSilence + 1)
	w.want(UnknownRun, "mallory", take)
	if got := w.state.Supply().Owed; got != 0 {
		t.Errorf("%d are owed", got)
	}
}

// Whom the validators have not approved mints nothing, whatever it signs.
func TestAttackMintFromNothing(t *testing.T) {
	w := newWorld(t, LocalParams())
	r := &testRun{plan: newPlan("p", []uint64{1 << 60}, nil), w: w, id: link("no such run"), coordinator: "mallory"}
	w.must("mallory", r.propose())
	w.refuses(t, []refusal{
		{"claim", FeeTooLow, "mallory", r.claim(0, "mallory"), 0},
		{"unit claim", FeeTooLow, "mallory", r.unitClaim(0, 0, "mallory"), 0},
		{"claim with a fee", InsufficientFunds, "mallory", r.claim(0, "mallory"), enough},
	})
	w.earn("mallory", 1_000_000)
	minted := w.state.Supply().Minted
	w.want(NotApproved, "mallory", r.claim(0, "mallory"))
	w.want(UnknownRun, "mallory", r.unitClaim(0, 0, "mallory"))
	w.must("validator", r.vote(false))
	w.want(UnknownRun, "mallory", r.claim(0, "mallory"))
	if got := w.state.Supply(); got.Owed != 0 || got.Minted != minted {
		t.Errorf("books %+v", got)
	}
	// Even an approved plan of the greatest cost gets its share of a height, no more.
	r = w.run("mallory", "q", newPlan("q", []uint64{math.MaxUint64}, nil))
	w.must("mallory", r.claim(0, "mallory"))
	had := w.free("mallory")
	w.finality()
	share := w.state.mustSchedule(t).Cap / capShare
	if got := w.free("mallory") - had; got != share {
		t.Errorf("a height paid %d, want %d", got, share)
	}
}

// Nobody takes the key of somebody else's record: neither of a run, nor of a unit, nor of
// an escrow.
func TestAttackSquat(t *testing.T) {
	w := newWorld(t, LocalParams())
	for _, who := range []string{"mallory", "customer", "coordinator"} {
		w.earn(who, 10_000_000)
	}
	// The victim's run, proposed first by somebody else and refused.
	p := newPlan("p", []uint64{1000}, nil)
	squat := &testRun{plan: p, w: w, id: link("run p"), coordinator: "mallory"}
	w.must("mallory", squat.propose())
	w.must("validator", squat.vote(false))
	w.must("mallory", squat.propose())
	r := w.run("coordinator", "p", p)
	w.must("coordinator", r.claim(0, "miner"))
	// The victim's units, claimed in a job of the attacker, which the attacker pays to itself.
	j := w.newJob("customer", "j", 1000, 1000)
	theirs := &testJob{w: w, id: j.id, customer: "mallory", slots: j.slots}
	w.must("mallory", theirs.open(2, 1))
	w.must("mallory", theirs.claim(theirs.work(0, "mallory", 1), theirs.work(1, "mallory", 1)))
	w.must("customer", j.open(2000, 1000))
	w.must("miner 2", j.claim(j.work(0, "miner 2", 1000), j.work(1, "miner 2", 1000)))
	w.finality()
	if w.free("miner") == 0 || w.free("miner 2") < 1700 {
		t.Errorf("miner has %d, miner 2 %d", w.free("miner"), w.free("miner 2"))
	}
}

// A customer that works against its miners gets at one slot what that slot costs, once,
// and less than it paid. The slots of others stay.
func TestAttackDrainEscrow(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("customer", 10_000_000)
	had := w.free("customer")
	j := w.newJob("customer", "j", 1000, 1000)
	w.must("customer", j.open(coin, 50_000_000)) // half an ALIA each
	self := j.work(0, "customer", 1<<40)
	self.Ticket = nil
	w.must("customer", j.claim(self))
	w.want(Already, "customer", j.claim(self))
	moved := self
	moved.Slot = j.slots[1]
	moved.Path = protocol.Bytes(protocol.PathOf(j.slots, 1))
	w.want(Mismatch, "customer", j.claim(moved))
	// Without the customer's accept, with its ticket alone:
	w.must("miner", j.claim(j.work(1, "miner", 1000)))
	w.finality()
	w.must("customer", EscrowClose{Job: j.id})
	if got := w.free("miner"); got < coin/2*85/100 {
		t.Errorf("the miner has %d", got)
	}
	if lost := had - w.free("customer") - coin/2; lost < coin/2/10 {
		t.Errorf("buying one's own work for %d lost %d", coin/2, lost)
	}
}

// What was signed for one place is good for no other: not for another slot, round, run,
// coordinator, job or network.
func TestAttackReplayInAnotherPlace(t *testing.T) {
	w := newWorld(t, LocalParams())
	for _, who := range []string{"a", "b"} {
		w.earn(who, 1_000_000)
	}
	p := newPlan("p", []uint64{1000, 1000}, []uint64{1000, 1000}, nil)
	a := w.run("a", "a", p)
	q := newPlan("q", []uint64{1000, 1000}, nil)
	b := w.run("a", "b", q) // another run of the same coordinator
	other := &testRun{plan: p, w: w, id: a.id, coordinator: "b"}
	w.must("b", other.propose())
	w.must("validator", other.vote(true))
	w.must("a", a.claim(0, "miner", ""))
	good := a.unitClaim(0, 0, "miner")
	again := a.unitClaim(0, 1, "x")
	inSlot := func(c Claim, i int, work SlotWork) Claim {
		c.Rounds[0].Slots[i].Work = List[SlotWork]{work}
		return c
	}
	foreign := a.work(1, 1, "miner")
	at := protocol.Attestation{
		Work: a.id, Publisher: acct("a"), Place: protocol.Place{Round: 1, Kind: 1, Index: 1},
		Unit: foreign.Unit, Result: foreign.Result, Ticket: foreign.Ticket,
	}
	if _, err := protocol.Sign(key("miner"), protocol.Net{1}, &at); err != nil {
		t.Fatal(err)
	}
	foreign.Sig = at.Sig
	again.Accept, again.Work = good.Accept, good.Work
	w.refuses(t, []refusal{
		{"another slot", BadSignature, "a", inSlot(a.claim(1, "m"), 1, a.work(1, 0, "miner")), enough},
		{"another round", BadSignature, "a", inSlot(a.claim(1, "m"), 0, a.work(0, 0, "miner")), enough},
		{"another run", BadSignature, "a", inSlot(b.claim(0, "m"), 0, a.work(0, 0, "miner")), enough},
		{"another coordinator", BadSignature, "b", inSlot(other.claim(1, "m"), 0, a.work(1, 0, "miner")), enough},
		{"another network", BadSignature, "a", inSlot(a.claim(1, "m"), 1, foreign), enough},
		{"accept of another slot", BadSignature, "a", again, enough},
		{"all is well", OK, "a", a.claim(1, "miner"), enough},
	})
	// A whole transaction of another network.
	data, err := Sign(key("a"), protocol.Net{1}, Tx{Nonce: 1e12, Fee: enough, ExpHeight: w.state.height + 5, Body: Transfer{To: acct("b"), Amount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseTx(data, testNet); codeOf(err) != WrongNetwork {
		t.Errorf("%v", err)
	}
	if _, err := ParseTx(bytes.Replace(data, make([]byte, 31), testNet[1:], 1), testNet); err == nil {
		t.Error("a transaction of another network passes")
	}
}

// smallOrders are accounts for which everybody can sign, or that have two encodings.
func smallOrders() []protocol.Account {
	identity := protocol.Account{1}
	signed := identity
	signed[31] |= 0x80
	return []protocol.Account{{}, identity, signed, bad(0xee, 0x7f), bad(0xed, 0x7f), bad(0xec, 0xff)}
}

// bad is an account of which all bytes but the first and the last are 0xff.
func bad(first, last byte) protocol.Account {
	var a protocol.Account
	for i := range a {
		a[i] = 0xff
	}
	a[0], a[31] = first, last
	return a
}

// No account is one that everybody can sign for.
func TestAttackSmallOrderAccount(t *testing.T) {
	w := newWorld(t, LocalParams())
	w.earn("alice", 1_000_000)
	r := w.run("founder", "p", newPlan("p", []uint64{1000}, nil))
	sig := append(append([]byte{1}, make([]byte, 31)...), make([]byte, 32)...) // R = identity, S = 0
	for _, a := range smallOrders() {
		e := envelope{Version: 1, Net: testNet, Kind: KindTransfer, Account: a, Nonce: 1, Fee: 1, ExpHeight: 10, Body: encode(Transfer{To: acct("bob"), Amount: 1})}
		e.Sig = sig
		if _, err := ParseTx(encode(e), testNet); codeOf(err) != BadSignature {
			t.Errorf("transaction of %x: %v", a, err)
		}
		c := r.claim(0, "miner")
		c.Rounds[0].Slots[0].Work[0].Account, c.Rounds[0].Slots[0].Work[0].Sig = a, sig
		if got := w.state.Check(w.parse(w.signTx("founder", Tx{ExpHeight: w.state.height + 5, Body: c}))); got.Code == OK {
			t.Errorf("work of %x is taken", a)
		}
		for _, body := range []Body{
			Transfer{To: a, Amount: 1}, SetPayout{To: a}, Rotate{To: a}, ValidatorVote{Account: a, Admit: true},
		} {
			if _, err := ParseTx(w.signTx("alice", Tx{Fee: enough, ExpHeight: 10, Body: body}), testNet); codeOf(err) != Malformed {
				t.Errorf("%T to %x: %v", body, a, err)
			}
		}
		g := w.state.genesis
		g.Validators = []protocol.Account{a}
		if _, err := New(testNet, g); err == nil {
			t.Errorf("%x is a validator of the genesis", a)
		}
	}
	if !ed25519.Verify(smallOrders()[1][:], []byte("any message"), sig) {
		t.Error("the signature that all messages have is none: the test shows nothing")
	}
}

// raw is the canonical bytes of a record's parts, for bodies that no type gives.
func raw(parts ...[]byte) []byte {
	return append([]byte{0x80 | byte(len(parts))}, bytes.Join(parts, nil)...)
}

// announce is an array of n values that are all the same byte.
func announce(n int, value byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte{0x9a}, uint32(n))
	return append(head, bytes.Repeat([]byte{value}, n)...)
}

// signRaw is a transaction of bytes that are no body.
func signRaw(who string, kind TxKind, body []byte) []byte {
	e := envelope{
		Version: 1, Net: testNet, Kind: kind, Account: acct(who), Nonce: 1, Fee: 1, ExpHeight: 10, Body: body,
	}
	e.Sig = ed25519.Sign(key(who), protocol.Digest(testNet, protocol.TypeTx, encode(e)))
	return encode(e)
}

// allocated is the bytes that a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A transaction allocates a small multiple of its bytes, however much it announces, and
// nothing but that before its signature is checked.
func TestAttackDecodeAmplification(t *testing.T) {
	id := encode([]block.Link{link("x")})[1:]
	const n = 1 << 20 * 9 / 10
	work := raw(raw([]byte{1}, []byte{0}, id, []byte{1}), announce(n, 0x80))
	for name, body := range map[string][]byte{
		"rounds":        raw(id, announce(n, 0x80)),
		"slots":         raw(id, append([]byte{0x81}, raw([]byte{0}, []byte{0x40}, announce(n, 0x80), id, id)...)),
		"work":          raw(id, append([]byte{0x81}, raw([]byte{0}, []byte{0x40}, append([]byte{0x81}, work...), id, id)...)),
		"numbers":       announce(n, 0),
		"arrays":        announce(n, 0x80),
		"bytes":         raw(id, announce(n, 0x40)),
		"rounds of 5":   raw(id, append(binary.BigEndian.AppendUint32([]byte{0x9a}, n/6), bytes.Repeat(raw([]byte{0}, []byte{0}, []byte{0}, []byte{0}, []byte{0}), n/6)...)),
		"one that ends": raw(id, binary.BigEndian.AppendUint32([]byte{0x9a}, 1<<31)),
	} {
		data := signRaw("mallory", KindClaim, body)
		if len(data) > MaxTx {
			t.Fatalf("%s: %d bytes", name, len(data))
		}
		var err error
		got := allocated(func() { _, err = ParseTx(data, testNet) })
		if codeOf(err) != Malformed {
			t.Errorf("%s: %v, want it malformed", name, err)
		}
		if most := uint64(20 << 20); got > most {
			t.Errorf("%s: %d bytes allocate %d", name, len(data), got)
		}
		unsigned := zeroSig(data)
		got = allocated(func() { _, err = ParseTx(unsigned, testNet) })
		if codeOf(err) != BadSignature {
			t.Errorf("%s, unsigned: %v", name, err)
		}
		if most := uint64(9*len(data) + 64<<10); got > most { // with the race detector a little more
			t.Errorf("%s, unsigned: %d bytes allocate %d", name, len(data), got)
		}
	}
	data := signRaw("mallory", KindJobClaim, raw(append([]byte{0x58, 32}, make([]byte, 32)...), id, announce(200_000, 0x80)))
	if got := allocated(func() { _, _ = ParseTx(data, testNet) }); got > 8<<20 {
		t.Errorf("units of a job: %d bytes allocate %d", len(data), got)
	}
}

// The fewest bytes that a list's values take are not more than they do take, or honest
// lists would be refused.
func TestListBounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		least int
		value any
	}{
		{"round", RoundClaim{}.least(), RoundClaim{Params: link("x"), Log: link("x")}},
		{"slot", SlotClaim{}.least(), SlotClaim{Slot: protocol.Slot{Task: link("x")}}},
		{"work", SlotWork{}.least(), SlotWork{Unit: link("x"), Result: link("x")}},
		{"unit of a job", JobWork{}.least(), JobWork{Slot: protocol.Slot{Task: link("x")}, Work: SlotWork{Unit: link("x"), Result: link("x")}}},
	} {
		data, err := block.Encode(c.value)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) < c.least {
			t.Errorf("%s: %d bytes, and the bound is %d", c.name, len(data), c.least)
		}
	}
}

// growth is the bytes by which a height lets the state grow, beside the schedule.
func (w *world) growth(txs ...*Tx) int {
	w.Helper()
	sum := 0
	next, results, changes, err := w.state.Apply(Block{Height: w.state.height + 1, Txs: txs})
	if err != nil {
		w.Fatal(err)
	}
	for i, r := range results {
		if r.Code != OK {
			w.Fatalf("transaction %d: %s", i, r.Detail)
		}
	}
	for _, c := range changes {
		if bytes.HasPrefix(c.Key, []byte(schedulePrefix)) {
			continue
		}
		old, had := w.state.Get(c.Key)
		if had {
			sum -= len(c.Key) + len(old)
		}
		if c.Value != nil {
			sum += len(c.Key) + len(c.Value)
		}
	}
	w.state = next
	return sum
}

// The state grows by no more than gas is paid for. What is free leaves records only while
// it waits for its pay.
func TestAttackGrowth(t *testing.T) {
	w := newWorld(t, LocalParams())
	for _, who := range []string{"alice", "bob", "customer"} {
		w.earn(who, 10_000_000)
	}
	// A record of the sender with as many outcomes as it keeps no longer grows by outcomes.
	for range keepOutcomes {
		w.must("alice", Transfer{To: acct("bob"), Amount: 1})
		w.must("customer", Transfer{To: acct("bob"), Amount: 1})
	}
	w.must("alice", Lock{Amount: 1000})
	j := w.newJob("customer", "j", 1000, 1000, 1000)
	r := &testRun{plan: newPlan("p", []uint64{1000}, nil), w: w, id: link("run"), coordinator: "alice"}
	for _, c := range []struct {
		who  string
		body Body
	}{
		{"alice", Transfer{To: acct("fresh"), Amount: 1, Memo: "memo"}},
		{"alice", Lock{Amount: 1000}},
		{"alice", Unlock{Amount: 1000}},
		{"alice", SetPayout{To: acct("safe")}},
		{"alice", r.propose()},
		{"customer", j.open(coin, 1000)},
		{"customer", EscrowTopUp{Job: j.id, Amount: 1000, Deadline: w.state.height + 1000}},
		{"customer", Rotate{To: acct("fresh 2")}},
	} {
		tx := w.tx(c.who, c.body)
		paid := (Gas(c.body, tx.size) - uint64(tx.size)) / gasState
		if got := w.growth(tx); got > int(paid) {
			t.Errorf("%T: the state grows by %d bytes, gas is paid for %d", c.body, got, paid)
		}
	}
	w.must("validator", r.vote(true))
	// A run, claimed and paid, leaves its function's record and those of the accounts.
	before := w.size()
	w.must("alice", r.claim(0, "miner"))
	w.finality()
	w.must("alice", RunEnd{Run: r.id})
	w.finality()
	w.apply()
	accounts := len(AccountKey(acct("miner"))) + len(encode(w.state.Account(acct("miner")))) +
		len(AccountKey(acct("safe"))) + len(encode(w.state.Account(acct("safe"))))
	if got := w.size() - before; got > accounts+200 {
		t.Errorf("a paid run leaves %d bytes", got)
	}
	// Fresh keys send free transactions that are refused.
	root := w.state.tree.root()
	var txs []*Tx
	for i := range 50 {
		txs = append(txs, w.parse(w.signTx(fmt.Sprint("fresh key ", i), Tx{ExpHeight: w.state.height + 5, Body: r.unitClaim(0, 0, "x")})))
	}
	d, err := w.state.draft(w.state.height + 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tx := range txs {
		if got := d.execute(tx); got.Code == OK {
			t.Fatal("a claim of a paid round is taken")
		}
	}
	if len(d.changes()) != 0 || w.state.tree.root() != root {
		t.Error("refused free transactions wrote something")
	}
}

// size is the bytes of all records and keys but the schedules.
func (w *world) size() int {
	sum := 0
	for p := range w.state.All() {
		if !bytes.HasPrefix(p.Key, []byte(schedulePrefix)) {
			sum += len(p.Key) + len(p.Value)
		}
	}
	return sum
}

// Many small claims of one large round cost the chain little: its record is not decoded
// and encoded for each.
func TestAttackStall(t *testing.T) {
	w := newWorld(t, LocalParams())
	costs := make([]uint64, maxClaimed)
	for i := range costs {
		costs[i] = 1
	}
	r := w.run("coordinator", "p", newPlan("p", costs, nil))
	w.must("coordinator", r.claim(0, ""))
	const n = 60
	group, path := protocol.GroupOf(r.rounds[0]), r.path(0)
	var good, bad []*Tx
	for i := range n {
		who := fmt.Sprint("miner ", i)
		c := r.unitClaimWith(0, i, r.work(0, i, who), protocol.SlotProof{
			Slot: r.rounds[0][i], Position: uint32(i), Path: protocol.Bytes(protocol.PathOf(r.rounds[0], i)),
			Group: group, GroupPath: protocol.Bytes(path),
		})
		good = append(good, w.parse(w.signTx(who, Tx{ExpHeight: w.state.height + 5, Body: c})))
		c.Accept = make([]byte, 64)
		bad = append(bad, w.parse(w.signTx(who, Tx{ExpHeight: w.state.height + 5, Body: c})))
	}
	// A copy of the slots for each claim, and about as many again for the height: with the
	// race detector, slices grow further. A record decoded and encoded for each claim takes
	// three copies a claim at least.
	slots := maxClaimed * uint64(unsafe.Sizeof(SlotState{}))
	most := 2*n*slots + n*20_000
	for want, txs := range map[Code][]*Tx{BadSignature: bad, OK: good} { // order-free: each is checked alone
		var results []TxResult
		got := allocated(func() { _, results, _, _ = w.state.Apply(Block{Height: w.state.height + 1, Txs: txs}) })
		for _, r := range results {
			if r.Code != want {
				t.Fatalf("%v, want %v", r, want)
			}
		}
		if got > most {
			t.Errorf("%d claims (%v) of one round allocate %d bytes, want at most %d", n, want, got, most)
		}
	}
}
