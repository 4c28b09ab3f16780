package node_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
)

// earner mines until ctx ends, and returns what the miner reports.
func earner(t *testing.T, ctx context.Context, p *node.Peer, policy node.Policy, watch node.Reporter) *notices {
	t.Helper()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	told := &notices{watch: watch}
	m := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Report: told.report, Policy: policy,
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, [][2]string{{"en", "de"}}) }); err != nil {
			t.Errorf("miner: %v", err)
		}
	})
	t.Cleanup(running.Wait)
	return told
}

// pay is the amount that a miner was told to be paid.
func (l *notices) pay() (amount uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.all {
		if p, ok := n.(node.UnitsPaid); ok {
			amount += p.Amount
		}
	}
	return amount
}

// TestMinerEarns: over a real mesh and ledger, a miner is told what it was paid
// for every unit whose acceptance reached it.
func TestMinerEarns(t *testing.T) {
	v := newVillage(t)
	coordinator, p := v.peer("coordinator"), v.peer("miner")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := earner(t, ctx, p, node.Policy{WorkForFree: true}, func(node.Notice) {})
	v.coordinate(coordinator, nil) // every unit is claimed when it returns
	accepted, want := 0, uint64(0)
	told.mu.Lock()
	for _, n := range told.all {
		if d, ok := n.(node.UnitDone); ok {
			accepted, want = accepted+1, want+villagePay(d.MFLOP)
		}
	}
	told.mu.Unlock()
	told.wait(ctx, 1, func(n node.Notice) bool { p, ok := n.(node.UnitsPaid); return ok && p.Total >= want })
	a, err := p.Ledger.Account(ctx, p.Account())
	if err != nil || a.Earned != want || accepted == 0 {
		t.Errorf("%d units for %d were accepted, the ledger paid %d, %v", accepted, want, a.Earned, err)
	}
	if amount := told.pay(); amount != want {
		t.Errorf("told of %d, the ledger paid %d", amount, want)
	}
}

// TestMinerClaims: a customer is gone after it has accepted units and before it has claimed
// them. The miner claims the units with the tickets that it holds.
func TestMinerClaims(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	mining, stop := context.WithCancel(ctx)
	defer stop()
	p, err := n.Peer(ctx, "miner")
	if err != nil {
		t.Fatal(err)
	}
	killed, kill := context.WithCancel(ctx)
	told := earner(t, mining, p, node.Policy{}, func(n node.Notice) {
		if isDone(n) {
			kill()
		}
	})
	customer, err := n.Peer(ctx, "customer")
	if err == nil {
		err = n.Fund(ctx, customer.Key)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Peer: customer}
	_, err = c.Translate(killed, client.Document{
		Text: strings.Repeat("one and two\n", 300), Model: n.Model, Holders: n.Holder.Mesh.Addrs(), Budget: protocol.Coin / 2,
	})
	if err == nil {
		t.Fatal("the customer has paid before it was killed")
	}
	told.wait(ctx, 1, func(n node.Notice) bool { _, ok := n.(node.UnitsPaid); return ok })
	amount := told.pay()
	a, err := p.Ledger.Account(ctx, p.Account())
	if err != nil || amount == 0 || a.Earned < amount {
		t.Errorf("the miner is told of %d, and has earned %d, %v", amount, a.Earned, err)
	}
	stop()
}
