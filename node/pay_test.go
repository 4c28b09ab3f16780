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
	"github.com/alia-network/alia/protocol/block"
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

// pay is the units and the amount that a miner was told to be paid.
func (l *notices) pay() (units int, amount uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.all {
		if p, ok := n.(node.UnitsPaid); ok {
			units, amount = units+p.Units, amount+p.Amount
		}
	}
	return units, amount
}

// TestMinerEarns: over a real mesh and ledger, a miner is told what it was paid
// for every unit whose acceptance reached it.
func TestMinerEarns(t *testing.T) {
	v := newVillage(t)
	coordinator, p := v.peer("coordinator"), v.peer("miner")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := earner(t, ctx, p, node.Policy{WorkForFree: true}, func(node.Notice) {})
	v.coordinate(coordinator, nil) // every unit is settled when it returns
	var accepted []block.Link
	told.mu.Lock()
	for _, n := range told.all {
		if d, ok := n.(node.UnitDone); ok {
			unit, err := block.ParseLink(d.Unit)
			if err != nil {
				t.Fatal(err)
			}
			accepted = append(accepted, unit)
		}
	}
	told.mu.Unlock()
	settled, err := p.Ledger.Settled(ctx, accepted)
	if err != nil || len(settled) != len(accepted) || len(accepted) == 0 {
		t.Fatalf("%d units accepted, %d settled, %v", len(accepted), len(settled), err)
	}
	var want uint64
	for _, s := range settled {
		want += s.Paid
	}
	told.wait(ctx, 1, func(n node.Notice) bool { p, ok := n.(node.UnitsPaid); return ok && p.Total >= want })
	if units, amount := told.pay(); units != len(settled) || amount != want {
		t.Errorf("told of %d units and %d, the ledger paid %d units and %d", units, amount, len(settled), want)
	}
}

// TestMinerSettles: a customer is gone after it has accepted units and before it has paid
// them. The miner settles the units with the acceptances that it holds.
func TestMinerSettles(t *testing.T) {
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
	units, amount := told.pay()
	a, err := p.Ledger.Account(ctx, p.Account())
	if err != nil || units == 0 || a.Balance != amount {
		t.Errorf("the miner is told of %d units and %d, and has %d, %v", units, amount, a.Balance, err)
	}
	stop()
}
