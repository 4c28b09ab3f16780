package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
)

// payments is a ledger that settles what the test says, and may be away.
type payments struct {
	mu      sync.Mutex
	away    bool
	settled map[block.Link]ledger.Settlement
	most    int // units asked for at a time
}

func (p *payments) Settled(_ context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = max(p.most, len(units))
	if p.away {
		return nil, errors.New("ledger is unreachable")
	}
	out := map[block.Link]ledger.Settlement{}
	for _, u := range units {
		if s, ok := p.settled[u]; ok {
			out[u] = s
		}
	}
	return out, nil
}

// TestEarnings: every unit that is paid is told once, also after the ledger was
// away, however many units wait before it; another miner's pay is not.
func TestEarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		me, other := protocol.Account{1}, protocol.Account{2}
		unit := func(i int) block.Link { return block.Link{Cid: block.Sum(block.CBOR, fmt.Append(nil, i))} }
		ledgerOf := &payments{away: true, settled: map[block.Link]ledger.Settlement{}}
		var told []node.UnitsPaid
		e := &node.Earnings{Ledger: ledgerOf, Miner: me, Every: time.Second, Report: func(n node.Notice) { told = append(told, n.(node.UnitsPaid)) }}
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { _ = e.Run(ctx) })
		for i := range 200 {
			e.Watch(unit(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(told) != 0 {
			t.Errorf("told %v while the ledger was away", told)
		}
		ledgerOf.mu.Lock()
		ledgerOf.away = false
		for i := range 200 {
			switch {
			case i%10 == 0: // never settled
			case i%10 == 1:
				ledgerOf.settled[unit(i)] = ledger.Settlement{Miner: other, Paid: 1000}
			default:
				ledgerOf.settled[unit(i)] = ledger.Settlement{Miner: me, Paid: 5}
			}
		}
		ledgerOf.mu.Unlock()
		time.Sleep(time.Minute)
		cancel()
		done.Wait()
		var units int
		var amount uint64
		for _, n := range told {
			units, amount = units+n.Units, amount+n.Amount
		}
		if units != 160 || amount != 800 || told[len(told)-1].Total != 800 {
			t.Errorf("told %d units, %d; want 160 units, 800: %v", units, amount, told)
		}
		if ledgerOf.most > 64 {
			t.Errorf("asked for %d units at a time", ledgerOf.most)
		}
		if i := slices.IndexFunc(told, func(n node.UnitsPaid) bool { return n.String() == "" }); i >= 0 {
			t.Error("a notice without text")
		}
	})
}

// TestMinerEarns: over a real mesh and ledger, a miner is told what it was paid
// for every unit whose acceptance reached it.
func TestMinerEarns(t *testing.T) {
	v := newVillage(t)
	coordinator, p := v.peer("coordinator"), v.peer("miner")
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	paid := make(chan node.UnitsPaid, 1000)
	pay := &node.Earnings{Ledger: p.Ledger, Miner: p.Account(), Every: 100 * time.Millisecond, Report: func(n node.Notice) { paid <- n.(node.UnitsPaid) }}
	var mu sync.Mutex // guards accepted
	var accepted []block.Link
	m := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
		Report: func(n node.Notice) {
			if done, ok := n.(node.UnitDone); ok {
				unit, err := block.ParseLink(done.Unit)
				if err != nil {
					t.Error(err)
				}
				pay.Watch(unit)
				mu.Lock()
				accepted = append(accepted, unit)
				mu.Unlock()
			}
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var mining sync.WaitGroup
	mining.Go(func() {
		if err := node.Together(ctx, m.Run, pay.Run, func(ctx context.Context) error { return p.Listen(ctx, nil) }); err != nil {
			t.Errorf("miner: %v", err)
		}
	})
	v.coordinate(coordinator, t.TempDir(), nil) // every unit is settled when it returns
	mu.Lock()
	settled, err := p.Ledger.Settled(t.Context(), accepted)
	if err != nil || len(settled) != len(accepted) || len(accepted) == 0 {
		t.Fatalf("%d units accepted, %d settled, %v", len(accepted), len(settled), err)
	}
	mu.Unlock()
	var want uint64
	for _, s := range settled {
		want += s.Paid
	}
	for n := range paid {
		if n.Total >= want {
			if n.Total != want {
				t.Errorf("told of %d, the ledger paid %d", n.Total, want)
			}
			break
		}
	}
	cancel()
	mining.Wait()
}
