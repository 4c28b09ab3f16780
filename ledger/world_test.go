package ledger

import (
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

const coin = protocol.Coin

// testNet is the network of this package's tests.
var testNet = protocol.Net(sha256.Sum256([]byte("test")))

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func acct(name string) protocol.Account { return protocol.AccountOf(key(name)) }

func link(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// tester is what testing.T, testing.F, testing.B and rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// world drives a state through heights. Accounts are named. The account "validator" is
// the only validator at first.
type world struct {
	tester
	state *State
	nonce uint64
}

func newWorld(t tester, params Params) *world {
	t.Helper()
	g := Genesis{Version: 1, Network: "test", Params: params, Validators: []protocol.Account{acct("validator")}}
	s, err := New(testNet, g)
	if err != nil {
		t.Fatal(err)
	}
	return &world{tester: t, state: s}
}

// enough is a fee that pays every transaction of the tests. Of a fee only the price of the
// gas is burned.
const enough = 1 << 40

// sign returns a transaction's bytes, with a new nonce. It asks for the free lane if the
// ledger grants that.
func (w *world) sign(who string, body Body) []byte {
	w.Helper()
	tx := Tx{ExpHeight: w.state.height + 10, Body: body}
	data := w.signTx(who, tx)
	if w.state.Check(w.parse(data)).Code == FeeTooLow {
		tx.Fee = enough
		data = w.signTx(who, tx)
	}
	return data
}

// signTx returns a transaction's bytes, with a new nonce if it has none.
func (w *world) signTx(who string, tx Tx) []byte {
	w.Helper()
	if tx.Nonce == 0 {
		w.nonce++
		tx.Nonce = w.nonce
	}
	data, err := Sign(key(who), testNet, tx)
	if err != nil {
		w.Fatal(err)
	}
	return data
}

func (w *world) parse(data []byte) *Tx {
	w.Helper()
	tx, err := ParseTx(data, testNet)
	if err != nil {
		w.Fatal(err)
	}
	return tx
}

// tx is a parsed transaction of an account.
func (w *world) tx(who string, body Body) *Tx {
	w.Helper()
	return w.parse(w.sign(who, body))
}

// block makes the next height, and audits it.
func (w *world) block(b Block) []TxResult {
	w.Helper()
	b.Height = w.state.height + 1
	next, results, _, err := w.state.Apply(b)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := next.Audit(); err != nil {
		w.Fatal(err)
	}
	w.state = next
	return results
}

// apply makes the next height of the transactions, and audits it.
func (w *world) apply(txs ...*Tx) []TxResult {
	w.Helper()
	return w.block(Block{Txs: txs})
}

// wait makes heights without transactions, up to one.
func (w *world) wait(height uint64) {
	w.Helper()
	for w.state.height < height {
		next, _, _, err := w.state.Apply(Block{Height: w.state.height + 1})
		if err != nil {
			w.Fatal(err)
		}
		w.state = next
	}
	if _, err := w.state.Audit(); err != nil {
		w.Fatal(err)
	}
}

// finality makes heights until what is claimed by now is due and paid, if the caps of the
// heights are not reached.
func (w *world) finality() {
	w.Helper()
	w.wait(w.state.height + w.state.genesis.Params.Finality)
}

// do applies one transaction in a height of its own.
func (w *world) do(who string, body Body) TxResult {
	w.Helper()
	return w.apply(w.tx(who, body))[0]
}

// must is do for a transaction that is to be taken.
func (w *world) must(who string, body Body) {
	w.Helper()
	if r := w.do(who, body); r.Code != OK {
		w.Fatalf("%T of %s: %s", body, who, r.Detail)
	}
}

// want is do for one that is to be refused. A refused transaction leaves its outcome in
// the account, and costs at most its fee.
func (w *world) want(code Code, who string, body Body) {
	w.Helper()
	before := w.state.Account(acct(who))
	if r := w.do(who, body); r.Code != code {
		w.Errorf("%T of %s: %v (%s), want %v", body, who, r.Code, r.Detail, code)
	}
	after := w.state.Account(acct(who))
	if after.Balance > before.Balance || after.Locked != before.Locked {
		w.Errorf("%T of %s was refused but left %+v of %+v", body, who, after, before)
	}
	if got, ok := after.Outcome(w.nonce); ok && got != code {
		w.Errorf("%T of %s: the outcome says %v, want %v", body, who, got, code)
	}
}

// free is what an account can spend at the next height.
func (w *world) free(who string) uint64 {
	return w.state.Account(acct(who)).Free(w.state.height + 1)
}

// plan is a plan whose slots the test knows.
type plan struct {
	Plan
	rounds [][]protocol.Slot
	groups []protocol.SlotGroup
}

// slot is a slot of a kind whose cost the plan knows.
func slot(task string, index int, cost uint64) protocol.Slot {
	return protocol.Slot{Kind: uint16(unit.Gradient), Index: uint32(index), Task: link(task), Most: cost}
}

// newPlan has a round for each list of costs in MFLOP, one slot for each cost. The last
// list is the group that follows the last round.
func newPlan(name string, costs ...[]uint64) *plan {
	rounds := make([][]protocol.Slot, len(costs))
	for r, c := range costs {
		for i, cost := range c {
			rounds[r] = append(rounds[r], slot(fmt.Sprint(name, " task ", r, " ", i), i, cost))
		}
	}
	return planOf(name, rounds)
}

func planOf(name string, rounds [][]protocol.Slot) *plan {
	p := &plan{rounds: rounds, Plan: Plan{Function: link("function " + name), Groups: uint32(len(rounds))}}
	for _, slots := range rounds {
		g := protocol.GroupOf(slots)
		p.groups = append(p.groups, g)
		p.Cost = protocol.AddCosts(p.Cost, g.Cost)
	}
	p.Root = protocol.PlanRoot(p.groups)
	return p
}

// path is the path from the group of a round to the plan's root.
func (p *plan) path(round int) [][32]byte { return protocol.PlanPath(p.groups, round) }

// testRun is a run of a plan.
type testRun struct {
	*plan
	w           *world
	id          block.Link
	coordinator string
}

// run is a run that the validators have approved.
func (w *world) run(coordinator, name string, p *plan) *testRun {
	w.Helper()
	r := &testRun{plan: p, w: w, id: link("run " + name), coordinator: coordinator}
	w.must(coordinator, r.propose())
	for _, m := range w.state.Validators().Members {
		if r.state().Status == Proposed {
			w.must(w.nameOf(m), r.vote(true))
		}
	}
	return r
}

func (r *testRun) propose() RunPropose {
	return RunPropose{Run: r.id, Plan: r.Plan, Silence: minSilence}
}

func (r *testRun) vote(yes bool) RunVote {
	return RunVote{Run: r.id, Coordinator: acct(r.coordinator), Plan: r.Plan, Yes: yes}
}

// state is the ledger's record of the run.
func (r *testRun) state() RunState {
	s, _ := r.w.state.Run(r.id, acct(r.coordinator))
	return s
}

// spent is what the rounds of the run that are not paid have claimed, in MFLOP.
func (r *testRun) spent() uint64 {
	var sum uint64
	for i := range r.rounds {
		if s, ok := decode[RoundState](r.w.state.Get(roundKey(r.Plan, uint32(i)))); ok {
			sum += s.cost()
		}
	}
	return sum
}

// function is the ledger's record of the run's function.
func (r *testRun) function() FunctionState {
	f, _ := r.w.state.Function(r.Function)
	return f
}

// attested is the work of a miner for a slot, for a publisher. Of a kind whose cost depends
// on the result, it costs cost MFLOP.
func attested(t tester, miner, publisher string, work block.Link, round uint32, s protocol.Slot, u block.Link, cost uint64) SlotWork {
	t.Helper()
	w := SlotWork{Unit: u, Result: link("result of " + miner), Ticket: link("ticket")}
	if Measured(s.Kind) {
		w.Record = encode(unit.Result{Version: 1, Unit: w.Unit, Outputs: []block.Link{link("text of " + miner)}, Cost: cost * 1_000_000})
		w.Result = block.Link{Cid: block.Sum(block.CBOR, w.Record)}
	}
	at := protocol.Attestation{
		Work: work, Publisher: acct(publisher), Place: protocol.Place{Round: round, Kind: s.Kind, Index: s.Index},
		Unit: w.Unit, Result: w.Result, Ticket: w.Ticket,
	}
	if _, err := protocol.Sign(key(miner), testNet, &at); err != nil {
		t.Fatal(err)
	}
	w.Account, w.Sig = at.Account, at.Sig
	return w
}

// work is what a miner attests for a slot of the run. It costs what the slot costs at most.
func (r *testRun) work(round, i int, miner string) SlotWork {
	r.w.Helper()
	s := r.rounds[round][i]
	u := link(fmt.Sprint("unit ", round, " ", s.Kind, " ", s.Index))
	return attested(r.w, miner, r.coordinator, r.id, uint32(round), s, u, s.Most)
}

// round claims a round for a miner in each slot. A slot of the miner "" has no work.
func (r *testRun) round(round int, miners ...string) RoundClaim {
	r.w.Helper()
	c := RoundClaim{
		Round: uint32(round), Path: protocol.Bytes(r.path(round)),
		Params: link(fmt.Sprint("params ", round)), Log: link(fmt.Sprint("log ", round)),
	}
	for i, s := range r.rounds[round] {
		sc := SlotClaim{Slot: s}
		if m := miners[i%len(miners)]; m != "" {
			sc.Work = List[SlotWork]{r.work(round, i, m)}
		}
		c.Slots = append(c.Slots, sc)
	}
	return c
}

// claim claims one round.
func (r *testRun) claim(round int, miners ...string) Claim {
	r.w.Helper()
	return Claim{Run: r.id, Rounds: List[RoundClaim]{r.round(round, miners...)}}
}

// unitClaim is a miner's own claim, with the coordinator's accept.
func (r *testRun) unitClaim(round, i int, miner string) UnitClaim {
	r.w.Helper()
	return r.unitClaimOf(round, i, r.work(round, i, miner))
}

func (r *testRun) unitClaimOf(round, i int, work SlotWork) UnitClaim {
	r.w.Helper()
	return r.unitClaimWith(round, i, work, protocol.Prove(r.rounds[round], i, r.path(round)))
}

func (r *testRun) unitClaimWith(round, i int, work SlotWork, proof protocol.SlotProof) UnitClaim {
	r.w.Helper()
	s := r.rounds[round][i]
	ac := protocol.Accept{
		Work: r.id, Place: protocol.Place{Round: uint32(round), Kind: s.Kind, Index: s.Index},
		Unit: work.Unit, Miner: work.Account, Result: work.Result,
	}
	if _, err := protocol.Sign(key(r.coordinator), testNet, &ac); err != nil {
		r.w.Fatal(err)
	}
	return UnitClaim{
		Run: r.id, Function: r.Function, Round: uint32(round), Closing: round == len(r.rounds)-1, Proof: proof,
		Work: work, Acceptor: ac.Account, Accept: ac.Sig,
	}
}

// earn gives an account tokens the only way there is: about a hundredth of an ALIA for
// 10,000 MFLOP. The coordinator "founder" earns as much, so that it has a bond for the next
// time.
func (w *world) earn(who string, mflop uint64) {
	w.Helper()
	w.nonce++
	r := w.run("founder", fmt.Sprint("of ", who, w.nonce), newPlan(fmt.Sprint("of ", who, w.nonce), []uint64{mflop, mflop}, nil))
	w.must("founder", r.claim(0, who, "founder"))
	for range 1000 {
		w.finality()
		if r.function().Paid == 1 {
			break
		}
	}
	if r.function().Paid != 1 {
		w.Fatalf("%s did not get the pay of %d MFLOP", who, mflop)
	}
	w.must("founder", RunEnd{Run: r.id})
}

// testJob is a translation job with an escrow.
type testJob struct {
	w        *world
	id       block.Link
	customer string
	slots    []protocol.Slot
	number   uint64 // of the escrow, in tickets that are signed before it is open
}

// newJob has a unit for each cost, in MFLOP.
func (w *world) newJob(customer, name string, costs ...uint64) *testJob {
	j := &testJob{w: w, id: link("job " + name), customer: customer}
	for i, c := range costs {
		j.slots = append(j.slots, JobSlot(uint32(i), block.Link{Cid: block.Sum(block.CBOR, j.spec(i))}, c))
	}
	return j
}

// spec is the bytes of a unit.
func (j *testJob) spec(i int) []byte { return encode([]block.Link{j.id, link(fmt.Sprint("text ", i))}) }

// open is the transaction that opens the escrow, for 100 heights.
func (j *testJob) open(amount, price uint64) EscrowOpen {
	return EscrowOpen{
		Job: j.id, Units: protocol.GroupOf(j.slots), Amount: amount, Price: price, Deadline: j.w.state.height + 100,
	}
}

// work is the work of a miner for a unit, which costs cost MFLOP, with the ticket.
func (j *testJob) work(i int, miner string, cost uint64) JobWork {
	j.w.Helper()
	s := j.slots[i]
	t := protocol.Ticket{Work: j.id, Number: uint64(i), Unit: s.Task, Spec: j.spec(i), Miner: acct(miner), LeaseSeconds: 60, Escrow: cmp.Or(j.escrow().Number, j.number)}
	ticket, err := protocol.Sign(key(j.customer), testNet, &t)
	if err != nil {
		j.w.Fatal(err)
	}
	return JobWork{
		Slot: s, Path: protocol.Bytes(protocol.PathOf(j.slots, i)), Ticket: ticket,
		Work: attested(j.w, miner, j.customer, j.id, 0, s, s.Task, cost),
	}
}

func (j *testJob) claim(units ...JobWork) JobClaim {
	return JobClaim{Customer: acct(j.customer), Job: j.id, Units: units}
}

// escrow is the ledger's record.
func (j *testJob) escrow() Escrow {
	e, _ := j.w.state.Escrow(acct(j.customer), j.id)
	return e
}

// refuses runs one subtest for each row of a table of transactions that are refused. The rows
// share a state that none of them changes.
func (w *world) refuses(t *testing.T, rows []refusal) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			data := w.signTx(r.who, Tx{Fee: r.fee, ExpHeight: w.state.height + 10, Body: r.body})
			tx, err := ParseTx(data, testNet)
			if err != nil {
				if codeOf(err) != r.want {
					t.Errorf("%v, want %v", err, r.want)
				}
				return
			}
			if got := w.state.Check(tx); got.Code != r.want {
				t.Errorf("%v (%s), want %v", got.Code, got.Detail, r.want)
			}
		})
	}
}

// refusal is a transaction and the code that refuses it, or OK.
type refusal struct {
	name string
	want Code
	who  string
	body Body
	fee  uint64
}
