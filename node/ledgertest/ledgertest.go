// Package ledgertest is a ledger in this process, for tests: the rules of package ledger,
// with a height for each transaction, and no network, no validators and no clock.
//
//	l := ledgertest.New(t)
//	l.Earn(key, 1000)                   // tokens for an account
//	r := &node.Relay{Claims: &node.JobClaims{Ledger: l, Sender: l.Sender(key), ...}}
//	l.Pass(5)                           // heights without transactions
//	l.Break(func(call string) error {…}) // errors of calls, such as light.ErrUnreachable
package ledgertest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Net is the network of the ledger.
var Net = protocol.Net{7}

// InMemory is a ledger with one validator. It has the methods of a [light.Client] that
// package node reads by. It is safe for concurrent use.
type InMemory struct {
	t testing.TB

	mu    sync.Mutex // guards the rest
	state *ledger.State
	fault func(call string) error
	sent  []ledger.Body // taken by a height, and not refused there
	reads int
	runs  int    // that Earn has made
	gap   uint64 // of the next prepared transaction's nonce
}

// The keys of the one validator, and of the account that coordinates the runs of Earn.
var (
	validator = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{77}, ed25519.SeedSize))
	bank      = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{78}, ed25519.SeedSize))
)

// New returns a new ledger: work is paid five heights after its claim, a GFLOP of training
// with 100,000 amounts, and gas costs next to nothing.
func New(t testing.TB) *InMemory {
	t.Helper()
	params := ledger.LocalParams()
	params.Gas, params.Step = 1, 1<<20 // the rate of pay hardly changes
	s, err := ledger.New(Net, ledger.Genesis{Version: 1, Network: "test", Params: params, Validators: []protocol.Account{protocol.AccountOf(validator)}})
	if err != nil {
		t.Fatal(err)
	}
	return &InMemory{t: t, state: s}
}

// Pay is what the ledger mints for work of a run of some MFLOP.
func Pay(mflop uint64) uint64 { return 100 * mflop }

// Break has calls fail for which fault returns an error: a method of InMemory or of a
// [Sender] by its name. nil lets all calls pass.
func (l *InMemory) Break(fault func(call string) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = fault
}

// call says whether a call fails.
func (l *InMemory) call(name string) error {
	l.mu.Lock()
	fault := l.fault
	if name != "Send" && name != "Confirm" {
		l.reads++
	}
	l.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(name)
}

// Reads is the number of reads so far.
func (l *InMemory) Reads() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

// Sent is the transactions of the senders that were taken so far.
func (l *InMemory) Sent() []ledger.Body {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]ledger.Body(nil), l.sent...)
}

// State is the ledger after the newest height.
func (l *InMemory) State() *ledger.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Pass makes heights without transactions.
func (l *InMemory) Pass(heights int) {
	l.t.Helper()
	for range heights {
		l.height(nil)
	}
}

// height makes a height of a transaction, whose books it audits, or of none.
func (l *InMemory) height(tx *ledger.Tx) ledger.TxResult {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := ledger.Block{Height: l.state.Height() + 1}
	if tx != nil {
		b.Txs = []*ledger.Tx{tx}
	}
	next, results, _, err := l.state.Apply(b)
	if err == nil && tx != nil {
		_, err = next.Audit()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.state = next
	if tx == nil {
		return ledger.TxResult{}
	}
	if results[0].Code == ledger.OK {
		l.sent = append(l.sent, tx.Body)
	}
	return results[0]
}

// Vote has the validator vote on a proposed run.
func (l *InMemory) Vote(run block.Link, coordinator protocol.Account, yes bool) {
	l.t.Helper()
	r, known := l.State().Run(run, coordinator)
	if !known {
		l.t.Fatalf("no run %s of %s is proposed", run, coordinator.Short())
	}
	l.must(l.Sender(validator), ledger.RunVote{Run: run, Coordinator: coordinator, Plan: r.Plan, Yes: yes})
}

// Earn mints the pay of so many MFLOP for the account of a key, which does a unit of a run.
// The bank that coordinates the run earns as much by another, for its next bond.
func (l *InMemory) Earn(key ed25519.PrivateKey, mflop uint64) {
	l.t.Helper()
	l.mu.Lock()
	l.runs++
	name := fmt.Sprint("ledgertest ", l.runs)
	l.mu.Unlock()
	link := func(what string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name+what))} }
	slots := []protocol.Slot{
		{Kind: uint16(unit.Gradient), Task: link("task"), Most: mflop}, {Kind: uint16(unit.Gradient), Index: 1, Task: link("another"), Most: mflop},
	}
	groups := []protocol.SlotGroup{protocol.GroupOf(slots), protocol.GroupOf(nil)}
	run, plan := link("run"), ledger.Plan{Function: link("function"), Root: protocol.PlanRoot(groups), Groups: 2, Cost: 2 * mflop}
	round := ledger.RoundClaim{Path: protocol.Bytes(protocol.PlanPath(groups, 0)), Params: link("params"), Log: link("log")}
	coordinator := protocol.AccountOf(bank)
	for i, who := range []ed25519.PrivateKey{key, bank} {
		at := protocol.Attestation{
			Work: run, Publisher: coordinator, Place: protocol.Place{Kind: slots[i].Kind, Index: slots[i].Index}, Unit: link("unit"), Result: link("result"),
		}
		if _, err := protocol.Sign(who, Net, &at); err != nil {
			l.t.Fatal(err)
		}
		round.Slots = append(round.Slots, ledger.SlotClaim{Slot: slots[i], Work: []ledger.SlotWork{{Unit: at.Unit, Result: at.Result, Account: at.Account, Sig: at.Sig}}})
	}
	s := l.Sender(bank)
	l.must(s, ledger.RunPropose{Run: run, Plan: plan, Silence: 100})
	l.Vote(run, coordinator, true)
	l.must(s, ledger.Claim{Run: run, Rounds: []ledger.RoundClaim{round}})
	l.must(s, ledger.RunEnd{Run: run})
	l.Pass(int(l.State().Genesis().Params.Finality) + 1)
}

// must has a transaction taken.
func (l *InMemory) must(s *Sender, body ledger.Body) {
	l.t.Helper()
	nonce, err := s.send(body)
	if err == nil {
		err = s.confirm(nonce)
	}
	if err != nil {
		l.t.Fatalf("%T: %v", body, err)
	}
}

// Sender sends the transactions of one account. A height takes each at once.
type Sender struct {
	ledger *InMemory
	key    ed25519.PrivateKey
}

// Sender returns the sender of a key.
func (l *InMemory) Sender(key ed25519.PrivateKey) *Sender { return &Sender{l, key} }

// Send signs a transaction and makes a height of it, unless the ledger refuses it before.
func (s *Sender) Send(_ context.Context, body ledger.Body) (uint64, error) {
	if err := s.ledger.call("Send"); err != nil {
		return 0, err
	}
	return s.send(body)
}

func (s *Sender) send(body ledger.Body) (uint64, error) {
	state := s.ledger.State()
	nonce := state.Account(protocol.AccountOf(s.key)).Nonce + 1
	tx, err := s.sign(nonce, 0, body)
	if err == nil && state.Check(tx).Code == ledger.FeeTooLow {
		tx, err = s.sign(nonce, 1<<20, body) // what is burned is the price of the gas
	}
	if err != nil {
		return 0, err
	}
	if r := state.Check(tx); r.Code != ledger.OK {
		return 0, &ledger.Refusal{Code: r.Code, Text: r.Detail}
	}
	s.ledger.height(tx)
	return nonce, nil
}

// sign gives a transaction as validators read it.
func (s *Sender) sign(nonce, fee uint64, body ledger.Body) (*ledger.Tx, error) {
	data, err := ledger.Sign(s.key, Net, ledger.Tx{Nonce: nonce, Fee: fee, ExpHeight: s.ledger.State().Height() + 10, Body: body})
	if err != nil {
		return nil, err
	}
	return ledger.ParseTx(data, Net)
}

// Confirm says what became of a transaction, from the account's record.
func (s *Sender) Confirm(_ context.Context, nonce uint64) error {
	if err := s.ledger.call("Confirm"); err != nil {
		return err
	}
	return s.confirm(nonce)
}

func (s *Sender) confirm(nonce uint64) error {
	code, known := s.ledger.State().Account(protocol.AccountOf(s.key)).Outcome(nonce)
	switch {
	case !known:
		return fmt.Errorf("transaction %d: the ledger does not say what became of it", nonce)
	case code != ledger.OK:
		return fmt.Errorf("transaction %d was refused: %w", nonce, code)
	}
	return nil
}

// Head returns the newest height.
func (l *InMemory) Head(context.Context) (light.ChainHead, error) {
	return light.ChainHead{Height: l.State().Height()}, l.call("Head")
}

// Account returns an account's record.
func (l *InMemory) Account(_ context.Context, a protocol.Account) (ledger.AccountState, error) {
	return l.State().Account(a), l.call("Account")
}

// Run returns a run of a coordinator.
func (l *InMemory) Run(_ context.Context, run block.Link, coordinator protocol.Account) (ledger.RunState, bool, error) {
	r, ok := l.State().Run(run, coordinator)
	return r, ok, l.call("Run")
}

// Function returns how far the rounds of a function are paid.
func (l *InMemory) Function(_ context.Context, function block.Link) (ledger.FunctionState, bool, error) {
	r, ok := l.State().Function(function)
	return r, ok, l.call("Function")
}

// Round returns a round that is claimed and not paid.
func (l *InMemory) Round(_ context.Context, function block.Link, round uint32) (ledger.RoundState, bool, error) {
	r, ok := l.State().Round(function, round)
	return r, ok, l.call("Round")
}

// Escrow returns a customer's escrow.
func (l *InMemory) Escrow(_ context.Context, customer protocol.Account, job block.Link) (ledger.Escrow, bool, error) {
	r, ok := l.State().Escrow(customer, job)
	return r, ok, l.call("Escrow")
}

// Payout returns where the pay of an account goes.
func (l *InMemory) Payout(_ context.Context, a protocol.Account) (ledger.Payout, bool, error) {
	var r ledger.Payout
	data, ok := l.State().Get(ledger.PayoutKey(a))
	if ok {
		if err := block.Decode(data, &r); err != nil {
			return r, false, err
		}
	}
	return r, ok, l.call("Payout")
}

// Schedule returns the rates of pay at a height, 0 for the newest.
func (l *InMemory) Schedule(_ context.Context, height uint64) (ledger.Schedule, bool, error) {
	s := l.State()
	if height == 0 {
		height = s.Height()
	}
	r, ok := s.Schedule(max(height, 1))
	return r, ok, l.call("Schedule")
}

// Prepare signs a transaction that pays a fee, and sends nothing.
func (s *Sender) Prepare(_ context.Context, body ledger.Body) (light.Prepared, error) {
	if err := s.ledger.call("Prepare"); err != nil {
		return light.Prepared{}, err
	}
	state := s.ledger.State()
	s.ledger.mu.Lock()
	s.ledger.gap++ // no two transactions that are prepared have one nonce
	p := light.Prepared{Nonce: state.Account(protocol.AccountOf(s.key)).Nonce + 1 + s.ledger.gap, Expires: state.Height() + 10}
	s.ledger.mu.Unlock()
	var err error
	p.Tx, err = ledger.Sign(s.key, Net, ledger.Tx{Nonce: p.Nonce, Fee: 1 << 20, ExpHeight: p.Expires, Body: body})
	return p, err
}

// Submit makes a height of a prepared transaction, unless the ledger refuses it before. A
// fault of the call "Submitted" is an answer that is lost: the height has the transaction.
func (s *Sender) Submit(_ context.Context, p light.Prepared) error {
	if err := s.ledger.call("Submit"); err != nil {
		return err
	}
	tx, err := ledger.ParseTx(p.Tx, Net)
	if err != nil {
		return err
	}
	if r := s.ledger.State().Check(tx); r.Code != ledger.OK {
		return &ledger.Refusal{Code: r.Code, Text: r.Detail}
	}
	s.ledger.height(tx)
	return s.ledger.call("Submitted")
}

// Fate says what became of a prepared transaction.
func (s *Sender) Fate(_ context.Context, p light.Prepared) (ledger.Fate, ledger.Code, error) {
	if err := s.ledger.call("Fate"); err != nil {
		return ledger.Waiting, ledger.OK, err
	}
	state := s.ledger.State()
	f, code := state.Account(protocol.AccountOf(s.key)).Fate(p.Nonce, p.Expires, state.Height())
	return f, code, nil
}

// Account is the sender's account.
func (s *Sender) Account() protocol.Account { return protocol.AccountOf(s.key) }
