package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"pgregory.net/rapid"
)

// Whatever a crowd of liars and honest members sends, in whatever order and
// however often, the books balance at every height, no unit is paid twice, and
// who sent only refused transactions has what they had.
func TestInvariantsUnderAttack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		paid := map[block.Link]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "heights") {
			var txs []*Tx
			for range rapid.IntRange(0, 8).Draw(t, "transactions") {
				txs = append(txs, c.draw(t))
			}
			before, root := c.state, c.state.AppHash()
			results := c.apply(txs...) // audits
			if !bytes.Equal(before.AppHash(), root) || before.height != c.state.height-1 {
				t.Fatal("the old state changed")
			}
			for i, r := range results {
				for _, e := range r.Entries {
					if e.Code == OK && paid[e.Unit] {
						t.Fatalf("unit %s is paid twice", e.Unit)
					}
					if e.Code == OK {
						paid[e.Unit] = true
					} else if e.Paid != 0 {
						t.Fatalf("entry of code %v is paid %d", e.Code, e.Paid)
					}
				}
				if txs[i] == nil && r.Code == OK {
					t.Fatal("nothing was taken for a transaction")
				}
			}
			c.checkReplay(t, txs)
		}
		c.checkLoad(t)
	})
}

// smallParams have a cap that random play reaches.
func smallParams() Params {
	p := DefaultParams()
	p.Budget, p.Step = 1_000_000, 64
	return p
}

// crowd draws transactions of a few accounts about a few runs, jobs and units,
// so that they collide.
type crowd struct {
	*world
	sent []*Tx
}

// newCrowd starts where there is something to lose: an approved run, and an
// escrow of a customer with tokens.
func newCrowd(t *rapid.T) *crowd {
	c := &crowd{world: newWorld(t, smallParams())}
	c.approve("coordinator", link("run1"), 1<<50)
	c.earn("customer", 5000)
	c.must("customer", EscrowOpen{Job: link("job1"), Amount: 300_000, Price: 10_000, Deadline: c.state.height + 4})
	return c
}

var people = []string{"validator", "coordinator", "miner", "customer", "mallory"}

func (c *crowd) draw(t *rapid.T) *Tx {
	if len(c.sent) > 0 && rapid.IntRange(0, 4).Draw(t, "replay") == 0 {
		return rapid.SampledFrom(c.sent).Draw(t, "old transaction")
	}
	who := rapid.SampledFrom(people).Draw(t, "who")
	tx, err := ParseTx(c.signed(t, who), testNet)
	if err != nil {
		return nil
	}
	c.sent = append(c.sent, tx)
	return tx
}

func (c *crowd) signed(t *rapid.T, who string) []byte {
	amount := rapid.SampledFrom([]uint64{0, 1, 999, 100_000, 1 << 40, 1<<64 - 1}).Draw(t, "amount")
	work := link(rapid.SampledFrom([]string{"run1", "run2", "job1", "job2"}).Draw(t, "work"))
	var body Body
	switch rapid.IntRange(0, 8).Draw(t, "kind") {
	case 0:
		body = Transfer{To: acct(rapid.SampledFrom(people).Draw(t, "to")), Amount: amount}
	case 1:
		body = RunPropose{Run: work, Budget: amount}
	case 2:
		who = rapid.SampledFrom([]string{"validator", who}).Draw(t, "voter")
		body = RunVote{Run: work, Yes: rapid.IntRange(0, 4).Draw(t, "no") > 0}
	case 3:
		body = RoundCommit{Run: work, Round: rapid.Uint64Range(0, 2).Draw(t, "round"), Rounds: []RoundRoots{{Params: work, Log: work}}}
	case 4:
		body = EscrowOpen{Job: work, Amount: amount, Price: rapid.Uint64Range(0, 100_000).Draw(t, "price"),
			Deadline: c.state.height + rapid.Uint64Range(0, 3).Draw(t, "deadline")}
	case 5:
		body = EscrowClose{Job: work}
	default:
		body = c.settle(t, work)
	}
	nonce := c.nonce + rapid.Uint64Range(0, 2).Draw(t, "nonce")
	c.nonce = nonce
	data, err := Sign(key(who), testNet, Tx{
		Nonce: nonce, Fee: rapid.SampledFrom([]uint64{0, 0, 0, 1, 1 << 62}).Draw(t, "fee"),
		ExpHeight: c.state.height + rapid.Uint64Range(0, 3).Draw(t, "expiry"), Body: body,
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (c *crowd) settle(t *rapid.T, work block.Link) Settle {
	var s Settle
	for range rapid.IntRange(1, 4).Draw(t, "entries") {
		unit := link(fmt.Sprint("unit", rapid.IntRange(0, 9).Draw(t, "unit")))
		cost := rapid.SampledFrom([]uint64{0, 1, 3000, 9000, 1 << 45, 1<<64 - 1}).Draw(t, "cost")
		miner := rapid.SampledFrom(people).Draw(t, "miner")
		accepter := rapid.SampledFrom([]string{"coordinator", "coordinator", "customer", "customer", miner}).Draw(t, "accepter")
		e := c.entry(miner, accepter, work, unit, cost)
		if rapid.IntRange(0, 5).Draw(t, "forge") == 0 {
			e.Attestation.Cost++
		}
		s.Entries = append(s.Entries, e)
	}
	return s
}

// checkReplay applies the transactions of a height again: money may move by no
// transaction that was taken.
func (c *crowd) checkReplay(t *rapid.T, txs []*Tx) {
	next, results, _, err := c.state.Apply(c.state.height+1, txs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := next.Audit(); err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if txs[i] == nil || r.Code != OK {
			continue
		}
		// Taken only now, so it was refused before: its nonce is above the last.
		if last := c.state.Account(txs[i].Account).Nonce; txs[i].Nonce <= last {
			t.Fatalf("nonce %d was taken after %d", txs[i].Nonce, last)
		}
	}
}

// checkLoad builds the state again from its pairs.
func (c *crowd) checkLoad(t *rapid.T) {
	again, err := Load(testNet, c.state.height, c.state.Pairs(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.AppHash(), c.state.AppHash()) {
		t.Fatal("loaded state has another root")
	}
}

// Each invariant is broken by hand, and found.
func TestBrokenInvariantsHalt(t *testing.T) {
	w := newWorld(t, DefaultParams())
	w.earn("alice", 1000)
	w.must("alice", EscrowOpen{Job: link("job"), Amount: 10, Price: 1, Deadline: w.state.height + 10})
	s := w.state
	var unit block.Link
	for _, p := range s.Pairs([]byte("u/")) {
		r, _ := decode[Settlement](p.Value, true)
		unit = r.Unit
	}
	alice := AccountKey(acct("alice"))
	change := func(key []byte, value []byte) Change { return Change{key, value} }
	richer, poorer := s.Account(acct("alice")), s.Account(acct("alice"))
	richer.Balance++
	poorer.Nonce--
	escrow, _ := s.Escrow(link("job"), acct("alice"))
	leaky := escrow
	leaky.Left--
	supply := s.Supply()
	supply.Minted += 1 << 50
	run := RunState{Version: 1, Run: link("run"), Status: Approved, Budget: 1, Spent: 2}
	for _, c := range []struct {
		name    string
		changes []Change
		want    string
	}{
		{"token from nothing", []Change{change(alice, encode(richer))}, "different amounts"},
		{"nonce falls", []Change{change(alice, encode(poorer))}, "nonce"},
		{"account deleted", []Change{change(alice, nil)}, "gone"},
		{"escrow leaks", []Change{change(EscrowKey(link("job"), acct("alice")), encode(leaky))}, "balance"},
		{"escrow vanishes", []Change{change(EscrowKey(link("job"), acct("alice")), nil)}, "different amounts"},
		{"minted without holder", []Change{change(SupplyKey(), encode(supply))}, "different amounts"},
		{"unit settled twice", []Change{change(UnitKey(unit), encode(Settlement{Version: 1, Unit: unit}))}, "twice"},
		{"run over budget", []Change{change(RunKey(link("run")), encode(run))}, "spent"},
		{"unknown key", []Change{change([]byte("z/"), []byte{0x80})}, "unknown key"},
		{"record that does not parse", []Change{change(alice, []byte{1})}, "record"},
	} {
		next := &State{net: s.net, genesis: s.genesis, height: s.height + 1, tree: s.tree.update(c.changes)}
		if err := checkStep(s, next, c.changes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
	minted := s.Supply()
	schedule, _ := s.Schedule(s.height + 1)
	minted.Minted += schedule.Cap + 1
	richer.Balance += schedule.Cap
	changes := []Change{change(alice, encode(richer)), change(SupplyKey(), encode(minted))}
	next := &State{net: s.net, genesis: s.genesis, height: s.height + 1, tree: s.tree.update(changes)}
	if err := checkStep(s, next, changes); err == nil || !strings.Contains(err.Error(), "cap") {
		t.Errorf("cap: %v", err)
	}
	if err := checkStep(s, &State{height: s.height + 2, tree: s.tree}, nil); err == nil || !strings.Contains(err.Error(), "schedule") {
		t.Errorf("unpublished schedule: %v", err)
	}
	if _, err := Load(testNet, s.height, next.Pairs([]byte("a/"))); err == nil {
		t.Error("half a state loads")
	}
}
