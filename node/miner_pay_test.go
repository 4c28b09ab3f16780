package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work/unit"
)

// payer is a ledger that settles what miners send, but for the units of one publisher,
// whose escrow is empty.
type payer struct {
	height  uint64
	away    bool
	broke   protocol.Account
	settled map[block.Link]ledger.Settlement
	sent    []block.Link // units, in the sequence of the transactions
	asked   int          // most units looked up at a time
}

var errAway = errors.New("the ledger is away")

func (p *payer) Head(context.Context) (light.ChainHead, error) {
	if p.away {
		return light.ChainHead{}, errAway
	}
	return light.ChainHead{Height: p.height}, nil
}

func (p *payer) Run(context.Context, block.Link) (ledger.RunState, bool, error) {
	return ledger.RunState{}, false, nil
}

func (p *payer) Settled(_ context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error) {
	p.asked = max(p.asked, len(units))
	found := map[block.Link]ledger.Settlement{}
	for _, u := range units {
		if s, ok := p.settled[u]; ok {
			found[u] = s
		}
	}
	return found, nil
}

func (p *payer) settle(at protocol.Attestation) {
	p.settled[at.Unit] = ledger.Settlement{Unit: at.Unit, Miner: at.Account, Result: at.Result, Paid: 5, Height: p.height}
}

func (p *payer) Send(_ context.Context, body ledger.Body) (uint64, error) {
	var err error = ledger.InsufficientFunds
	for _, e := range body.(ledger.Settle).Entries {
		p.sent = append(p.sent, e.Attestation.Unit)
		if e.Accept.Account != p.broke {
			p.settle(e.Attestation)
			err = nil
		}
	}
	return 0, err
}

func (p *payer) Confirm(context.Context, uint64) error { return nil }

// claimTest is a miner's claims on such a ledger, at height 1000.
func claimTest(t *testing.T, connected func(market.OfferKey) bool) (c *claims, p *payer, told *[]Notice) {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), protocol.Net{1}, journal.Options{Segment: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	told = new([]Notice)
	report := func(n Notice) { *told = append(*told, n) }
	p = &payer{height: 1000, broke: protocol.Account{13}, settled: map[block.Link]ledger.Settlement{}}
	c = &claims{ledger: p, connected: connected, report: report, height: new(atomic.Uint64), waits: map[journal.Key]claim{}}
	c.relay = &Relay{Ledger: p, Sender: p, Journal: j, Report: report, Log: slog.New(slog.DiscardHandler), due: c.due, settled: c.settled}
	return c, p, told
}

// owe has a publisher accept a unit of the miner.
func (c *claims) owe(t *testing.T, kind unit.Kind, publisher byte, index int) protocol.Attestation {
	t.Helper()
	link := func(s string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(s))} }
	u := unit.Unit{Version: 1, Kind: kind, Work: link("work"), Index: uint32(index), Inputs: []block.Link{link("a"), link("b")}}
	if kind == unit.Translate {
		u.Decoding = unit.Greedy
	}
	body, err := block.Encode(unit.Result{Version: 1, Unit: u.ID()})
	if err != nil {
		t.Fatal(err)
	}
	at := protocol.Attestation{Work: u.Work, Unit: u.ID(), Result: block.Link{Cid: block.Sum(block.CBOR, body)}, Seal: protocol.Seal{Account: protocol.Account{1}}}
	k := journal.Key{Unit: u.ID()}
	ticket := protocol.Ticket{Unit: u.ID(), Spec: u.Spec(), Work: u.Work, Seal: protocol.Seal{Account: protocol.Account{publisher}}}
	accept := protocol.Accept{Work: u.Work, Unit: u.ID(), Miner: at.Account, Result: at.Result, Seal: protocol.Seal{Account: protocol.Account{publisher}}}
	err = c.relay.Journal.Append(
		journal.Line{Key: k, Record: journal.Task{Ticket: ticket}},
		journal.Line{Key: k, Record: journal.Done{Result: body, Attestation: at}},
		journal.Line{Key: k, Record: journal.Taken{Accept: accept}})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// at has the claims look at the ledger at a height.
func (c *claims) at(t *testing.T, p *payer, height uint64) {
	t.Helper()
	p.height = height
	for range 3 { // the first look notes the claims, or goes to other entries
		if err := c.step(t.Context()); err != nil && !errors.Is(err, ledger.InsufficientFunds) {
			t.Fatal(err)
		}
	}
}

// TestClaims: a miner leaves its units to their publishers for a while, longer to one
// that is there; then it settles them itself. What publishers settle is not sent.
func TestClaims(t *testing.T) {
	here := protocol.Account{2}
	c, p, _ := claimTest(t, func(k market.OfferKey) bool { return k.Publisher == here })
	settled := c.owe(t, unit.Gradient, 2, 0)
	c.owe(t, unit.Translate, 2, 1)
	c.owe(t, unit.Gradient, 3, 2)
	c.owe(t, unit.Gradient, 2, 3)
	c.at(t, p, 1000)
	p.settle(settled)
	for _, want := range []struct {
		height uint64
		sent   int
	}{{1029, 0}, {1030, 1}, {1059, 1}, {1060, 2}, {2799, 2}, {2800, 3}, {9000, 3}} {
		if c.at(t, p, want.height); len(p.sent) != want.sent {
			t.Errorf("at height %d %d units are sent, want %d", want.height, len(p.sent), want.sent)
		}
	}
	if slices.Contains(p.sent, settled.Unit) {
		t.Error("the miner sends a unit that its publisher has settled")
	}
	if got := c.pay(); got.Units != 4 || got.Amount != 20 {
		t.Errorf("the pay is %+v", got)
	}
}

// TestClaimsGivenUp: a claim that the ledger refuses is sent again, at growing
// distances, and in the end given up, with the ledger's reason. Others are paid.
func TestClaimsGivenUp(t *testing.T) {
	c, p, told := claimTest(t, func(market.OfferKey) bool { return false })
	bad := c.owe(t, unit.Translate, 13, 0)
	for i := range 200 {
		c.owe(t, unit.Translate, 2, i+1)
	}
	for h := uint64(1000); h < 1000+claimWindow+2*trimEvery; h += 5 {
		c.at(t, p, h)
	}
	tries := 0
	for _, u := range p.sent {
		if u == bad.Unit {
			tries++
		}
	}
	if tries < 3 || tries > 10 {
		t.Errorf("the refused claim was sent %d times", tries)
	}
	j := c.relay.Journal
	if got := c.pay(); got.Units != 200 || j.Count(journal.Pending) != 0 || len(c.waits) != 0 {
		t.Errorf("%+v, %d claims wait, %d in memory", got, j.Count(journal.Pending), len(c.waits))
	}
	var refused []Refused
	for _, n := range *told {
		if r, ok := n.(Refused); ok {
			refused = append(refused, r)
		}
	}
	if len(refused) != 1 || refused[0].Unit != bad.Unit.String() || refused[0].Code != protocol.Unpaid.String() {
		t.Errorf("the miner is told %v", refused)
	}
	if p.asked > lookUps {
		t.Errorf("%d units are looked up at a time", p.asked)
	}
	// What was settled long ago leaves the journal.
	if n := j.Count(journal.Paid); n > 100 {
		t.Errorf("the journal has %d settled units", n)
	}
}

// TestClaimsLedgerAway: while the ledger is away claims wait, and a miner without claims
// does not ask for it.
func TestClaimsLedgerAway(t *testing.T) {
	c, p, _ := claimTest(t, func(market.OfferKey) bool { return false })
	p.away = true
	for range 2 * headEvery {
		if err := c.step(t.Context()); err != nil {
			t.Fatalf("nobody waits for the ledger: %v", err)
		}
	}
	c.owe(t, unit.Translate, 2, 0)
	if err := c.step(t.Context()); !errors.Is(err, errAway) {
		t.Errorf("step = %v", err)
	}
	p.away = false
	c.at(t, p, 1000)
	if c.at(t, p, 1000+claimJob); c.pay().Units != 1 {
		t.Error("the claim is not paid")
	}
}
