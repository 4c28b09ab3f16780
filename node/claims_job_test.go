package node_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// buying is a customer whose job some miners have done.
type buying struct {
	*testing.T
	ledger  *ledgertest.InMemory
	job     block.Link
	store   *block.MemoryStore
	slots   []protocol.Slot
	dir     string
	disk    *faultyDisk
	journal *journal.Journal
	claims  *node.JobClaims
	done    []owed
}

// newBuying has a customer accept a job of some units, whose escrow pays for so many.
func newBuying(t *testing.T, l *ledgertest.InMemory, units, pays int) *buying {
	t.Helper()
	b := &buying{T: t, ledger: l, job: named("job"), store: new(block.MemoryStore), dir: filepath.Join(t.TempDir(), "journal"), disk: &faultyDisk{}}
	b.slots = escrow(t, l, "customer", b.job, units, pays)
	b.open()
	t.Cleanup(func() { b.journal.Close() })
	var lines []journal.Line
	for i := range b.slots {
		o := did(t, miners[i%2], "customer", b.job, 0, uint64(i), protocol.Prove(b.slots, i, nil))
		if _, err := b.store.Put(t.Context(), block.CBOR, o.result); err != nil {
			t.Fatal(err)
		}
		b.done = append(b.done, o)
		lines = append(lines, journal.Line{Key: journal.Key{Unit: o.at.Unit}, Record: journal.Accepted{Attestation: o.at, Accept: o.accept}})
	}
	if err := b.journal.Append(lines...); err != nil {
		t.Fatal(err)
	}
	return b
}

// open begins a process of the customer.
func (b *buying) open() {
	b.Helper()
	var err error
	if b.journal, err = journal.Open(b.dir, ledgertest.Net, journal.Options{Disk: b.disk}); err != nil {
		b.Fatal(err)
	}
	b.claims = &node.JobClaims{
		Ledger: b.ledger, Sender: b.ledger.Sender(key("customer")), Journal: b.journal, Store: b.store,
		Customer: protocol.AccountOf(key("customer")), Job: b.job, Slots: b.slots, Report: func(node.Notice) {},
	}
}

// drain claims until nothing is left.
func (b *buying) drain() error {
	return (&node.Relay{Claims: b.claims, Report: func(node.Notice) {}, Log: quiet}).Drain(b.Context())
}

// claimed checks that the escrow has the claims of so many units, each once and for the
// miner that did it, and that the journal says so.
func (b *buying) claimed(units int) {
	b.Helper()
	e, _ := b.ledger.State().Escrow(protocol.AccountOf(key("customer")), b.job)
	seen := map[uint32]bool{}
	for _, c := range e.Claims {
		if seen[c.Index] || c.Miner != b.done[c.Index].at.Account || c.Result != b.done[c.Index].at.Result {
			b.Errorf("the escrow has %+v", c)
		}
		seen[c.Index] = true
	}
	if len(seen) != units || b.journal.Count(journal.Paid) != units || b.journal.Count(journal.Pending) != len(b.done)-units {
		b.Errorf("the escrow has %d claims, the journal %d, want %d", len(seen), b.journal.Count(journal.Paid), units)
	}
}

// TestJobClaims: a customer claims its units, as many as a transaction holds at a time.
func TestJobClaims(t *testing.T) {
	l := ledgertest.New(t)
	const units = ledger.MaxJobUnits
	b := newBuying(t, l, units, units)
	sent := len(l.Sent())
	if b.claims.Left() != "1,024 units" {
		t.Errorf("%q are left", b.claims.Left())
	}
	if err := b.drain(); err != nil {
		t.Fatal(err)
	}
	b.claimed(units)
	const most = units / ledger.MaxJobClaims
	if n := len(l.Sent()) - sent; n != most {
		t.Errorf("%d units took %d transactions, want %d", units, n, most)
	}
	b.journal.Close() // again, in another process
	b.open()
	if err := b.drain(); err != nil || len(l.Sent()) > sent+most {
		t.Errorf("again: %v, %d transactions", err, len(l.Sent())-sent)
	}
}

// TestJobClaimsOfMiner: what a miner has claimed itself is not claimed again.
func TestJobClaimsOfMiner(t *testing.T) {
	l := ledgertest.New(t)
	b := newBuying(t, l, 3, 3)
	o := b.done[1]
	ticket, err := protocol.Encode(&o.ticket)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Sender(key(miners[1])).Send(t.Context(), ledger.JobClaim{
		Customer: protocol.AccountOf(key("customer")), Job: b.job,
		Units: []ledger.JobWork{{Slot: b.slots[1], Path: protocol.Bytes(protocol.PathOf(b.slots, 1)), Ticket: ticket, Work: ledger.SlotWork{
			Unit: o.at.Unit, Result: o.at.Result, Ticket: o.at.Ticket, Record: o.result, Account: o.at.Account, Sig: o.at.Sig,
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	l.Break(func(call string) error {
		if call == "Send" {
			tries++
		}
		return nil
	})
	if err := b.drain(); err != nil || tries != 1 {
		t.Fatalf("Drain = %v, in %d transactions", err, tries)
	}
	b.claimed(3)
}

// TestJobClaimsRobbed: a miner whose result was not accepted is faster to claim a unit, with its
// ticket. The customer says so, and that the miner whose result it took gets nothing.
func TestJobClaimsRobbed(t *testing.T) {
	l := ledgertest.New(t)
	b := newBuying(t, l, 3, 3)
	o := did(t, "thief", "customer", b.job, 0, 9, protocol.Prove(b.slots, 1, nil))
	ticket, err := protocol.Encode(&o.ticket)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Sender(key("thief")).Send(t.Context(), ledger.JobClaim{
		Customer: protocol.AccountOf(key("customer")), Job: b.job,
		Units: []ledger.JobWork{{Slot: b.slots[1], Path: protocol.Bytes(protocol.PathOf(b.slots, 1)), Ticket: ticket, Work: ledger.SlotWork{
			Unit: o.at.Unit, Result: o.at.Result, Ticket: o.at.Ticket, Record: o.result, Account: o.at.Account, Sig: o.at.Sig,
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var told []node.Refused
	b.claims.Report = func(n node.Notice) {
		if r, ok := n.(node.Refused); ok {
			told = append(told, r)
		}
	}
	if err := b.drain(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0].Miner != protocol.AccountOf(key("thief")) || told[0].Unit != o.at.Unit.String() ||
		!strings.Contains(told[0].Text, b.done[1].at.Account.String()) {
		t.Errorf("the customer is told %+v", told)
	}
	e, _ := l.State().Escrow(b.claims.Customer, b.job)
	if len(e.Claims) != 3 {
		t.Errorf("the escrow has %+v", e.Claims)
	}
}

// TestJobClaimsGoOn: units that cannot be claimed, because the escrow is too small or the
// result is lost, do not keep the others back. Drain says why the first is left.
func TestJobClaimsGoOn(t *testing.T) {
	t.Run("small escrow", func(t *testing.T) {
		b := newBuying(t, ledgertest.New(t), 5, 3)
		if err := b.drain(); !errors.Is(err, ledger.InsufficientFunds) {
			t.Errorf("Drain = %v", err)
		}
		b.claimed(3)
		me := b.ledger.Sender(key("customer"))
		e, _ := b.ledger.State().Escrow(b.claims.Customer, b.job)
		if _, err := me.Send(t.Context(), ledger.EscrowTopUp{Job: b.job, Amount: 1000, Deadline: e.Deadline}); err != nil {
			t.Fatal(err)
		}
		if err := b.drain(); err != nil {
			t.Errorf("with more in the escrow: %v", err)
		}
		b.claimed(5)
	})
	t.Run("lost result", func(t *testing.T) {
		b := newBuying(t, ledgertest.New(t), 5, 5)
		b.store = new(block.MemoryStore)
		for i, o := range b.done {
			if _, err := b.store.Put(t.Context(), block.CBOR, o.result); err != nil {
				t.Fatal(err)
			}
			if i == 3 {
				break
			}
		}
		b.claims.Store = b.store
		if err := b.drain(); !errors.Is(err, node.ErrNoResult) {
			t.Errorf("Drain = %v", err)
		}
		b.claimed(4)
	})
	t.Run("no escrow", func(t *testing.T) {
		b := newBuying(t, ledgertest.New(t), 2, 2)
		b.claims.Job = named("another job")
		if err := b.drain(); !errors.Is(err, ledger.UnknownEscrow) {
			t.Errorf("Drain = %v", err)
		}
	})
}

// TestJobClaimsInterrupted: at whatever call of the ledger and write of the journal the
// customer is killed, again and again, in the end each unit is claimed once.
func TestJobClaimsInterrupted(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		b := newBuying(t, ledgertest.New(t), 4, 4)
		defer func() { b.journal.Close() }()
		for range 20 {
			k := &killer{at: rapid.IntRange(1, 8).Draw(r, "calls until it is killed")}
			b.ledger.Break(func(string) error { return k.call() })
			b.disk.set(k.call)
			b.claims.Step(t.Context())
			b.ledger.Break(nil)
			b.disk.set(nil)
			b.journal.Close()
			b.open()
		}
		if err := b.drain(); err != nil {
			r.Fatal(err)
		}
		b.claimed(4)
	})
}

// TestRelayTells: a relay says once why it waits, and once that it goes on. Drain returns
// what the ledger refuses for good.
func TestRelayTells(t *testing.T) {
	l := ledgertest.New(t)
	c := newClaiming(t, l, "coordinator")
	looks := 0
	l.Break(func(call string) error {
		if call == "Head" {
			looks++
		}
		switch {
		case looks < 4:
			return light.ErrUnreachable
		case looks == 7:
			l.Break(nil)
			l.Vote(c.plan.Link, protocol.AccountOf(key("coordinator")), true)
		}
		return nil
	})
	c.end()
	r := &node.Relay{Claims: c.claims, Report: c.told.report, Log: quiet}
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, n := range c.told.all {
		switch n := n.(type) {
		case node.Waiting:
			told = append(told, n.Code)
		case node.Resumed:
			told = append(told, "resumed")
		}
	}
	want := []string{protocol.ChainUnreachable.String(), protocol.NotApproved.String(), "resumed"}
	if len(told) != len(want) || told[0] != want[0] || told[1] != want[1] || told[2] != want[2] {
		t.Errorf("the user was told %v, want %v", told, want)
	}
}
