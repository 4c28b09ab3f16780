package light_test

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// world is a ledger node in this process and what a test needs to use it.
type world struct {
	*testing.T
	ctx     context.Context
	home    string
	addr    string // host:port of the node's RPC, the same after a restart
	genesis []byte
	node    *chain.Node
	client  *light.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, home: t.TempDir()}
	genesis, err := chain.Init(w.home, "test-village", ledger.DefaultParams())
	w.check(err)
	w.genesis = genesis
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.check(err)
	w.addr = l.Addr().String()
	w.check(l.Close())
	w.start()
	t.Cleanup(func() { w.check(w.node.Close()) })
	w.client, err = light.Dial(ctx, light.Config{Addrs: []string{"http://" + w.addr}, Genesis: genesis})
	w.check(err)
	return w
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) start() {
	w.Helper()
	n, err := chain.Start(w.ctx, chain.Config{
		Home: w.home, RPCListen: w.addr, BlockInterval: 50 * time.Millisecond, ApproveRuns: true,
	})
	w.check(err)
	w.node = n
}

// until calls do until it says true.
func (w *world) until(what string, do func() bool) {
	w.Helper()
	for !do() {
		select {
		case <-w.ctx.Done():
			w.Fatalf("%s: never", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// send submits a transaction and waits until it is in a block.
func (w *world) send(s *light.Sender, body ledger.Body) {
	w.Helper()
	nonce, err := s.Send(w.ctx, body)
	w.check(err)
	w.check(s.Confirm(w.ctx, nonce))
}

// approve proposes a run and waits for the validator's vote.
func (w *world) approve(coordinator *light.Sender, run block.Link, budget uint64) {
	w.Helper()
	w.send(coordinator, ledger.RunPropose{Run: run, Budget: budget})
	w.until("approval", func() bool {
		r, ok, err := w.client.Run(w.ctx, run)
		w.check(err)
		return ok && r.Status == ledger.Approved
	})
}

func (w *world) unit(u block.Link) (ledger.Settlement, bool) {
	w.Helper()
	s, ok, err := w.client.Unit(w.ctx, u)
	w.check(err)
	return s, ok
}

// checkBooks compares the proven supply with the listed accounts.
func (w *world) checkBooks() {
	w.Helper()
	list, err := w.client.Accounts(w.ctx)
	w.check(err)
	if err := list.Check(); err != nil {
		w.Error(err)
	}
}

func key(name string) ed25519.PrivateKey {
	seed := [32]byte{}
	copy(seed[:], name)
	return ed25519.NewKeyFromSeed(seed[:])
}

func link(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// entry is one settled unit, signed by both sides.
func (w *world) entry(miner, accepter ed25519.PrivateKey, work, unit block.Link, cost uint64) ledger.SettleEntry {
	w.Helper()
	e := ledger.SettleEntry{
		Attestation: protocol.Attestation{Work: work, Unit: unit, Result: link("result"), Cost: cost},
		Accept: protocol.Accept{
			Work: work, Unit: unit, Miner: protocol.AccountOf(miner), Result: link("result"), Cost: cost,
		},
	}
	_, err := protocol.Sign(miner, w.client.Net(), &e.Attestation)
	w.check(err)
	_, err = protocol.Sign(accepter, w.client.Net(), &e.Accept)
	w.check(err)
	return e
}

func (w *world) entries(miner, accepter ed25519.PrivateKey, work block.Link, first, n int, cost uint64) ledger.Settle {
	var s ledger.Settle
	for i := range n {
		u := link(fmt.Sprint("unit ", binary.BigEndian.AppendUint64(nil, uint64(first+i))))
		s.Entries = append(s.Entries, w.entry(miner, accepter, work, u, cost))
	}
	return s
}

func TestLedger(t *testing.T) {
	w := newWorld(t)
	coordinator, relay := w.client.Sender(key("coordinator")), w.client.Sender(key("relay"))
	run := link("run")
	w.approve(coordinator, run, 1_000_000)

	settle := w.entries(key("miner"), key("coordinator"), run, 0, 256, 1000)
	start := time.Now()
	w.send(relay, settle)
	t.Logf("256 entries settled and proven in %v", time.Since(start))

	unit := settle.Entries[0].Attestation.Unit
	s, ok := w.unit(unit)
	if !ok || s.Paid == 0 || s.Miner != protocol.AccountOf(key("miner")) {
		t.Fatalf("unit settled as %+v, %v", s, ok)
	}
	schedule, ok, err := w.client.Schedule(w.ctx, s.Height)
	w.check(err)
	if want := schedule.Training / 1_000_000; !ok || s.Paid != want {
		t.Errorf("unit paid %d, want %d by the schedule", s.Paid, want)
	}
	account, err := w.client.Account(w.ctx, protocol.AccountOf(key("miner")))
	w.check(err)
	if want := 256 * s.Paid; account.Balance != want {
		t.Errorf("miner has %d, want %d", account.Balance, want)
	}
	supply, _, err := w.client.Supply(w.ctx)
	w.check(err)
	if supply.Minted != account.Balance {
		t.Errorf("minted %d, want %d", supply.Minted, account.Balance)
	}
	w.checkBooks()

	if _, err := relay.Send(w.ctx, settle); !errors.Is(err, ledger.Already) {
		t.Errorf("settling twice: %v, want Already", err)
	}
	w.send(coordinator, ledger.RoundCommit{Run: run, Rounds: []ledger.RoundRoots{{Params: link("params"), Log: link("log")}}})
	state, ok, err := w.client.Run(w.ctx, run)
	if err != nil || !ok || state.Rounds != 1 || state.Params != link("params") {
		t.Errorf("the run is %+v, %v, %v", state, ok, err)
	}
}

// TestConfirmCountsHeights: a transaction that no height has is given up after some
// heights, not after a time: heights may be slow.
func TestConfirmCountsHeights(t *testing.T) {
	w := newWorld(t)
	s := w.client.Sender(key("nobody"))
	var before light.ChainHead
	w.until("a height", func() (ok bool) {
		var err error
		before, err = w.client.Head(w.ctx)
		return err == nil
	})
	if err := s.Confirm(w.ctx, 1<<60); err == nil || !strings.Contains(err.Error(), "none of the heights") {
		t.Errorf("a transaction that was never sent: %v", err)
	}
	after, err := w.client.Head(w.ctx)
	w.check(err)
	if passed := after.Height - before.Height; passed < 4 {
		t.Errorf("given up after %d heights", passed)
	}
}
