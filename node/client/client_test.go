package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// testTime bounds the waits of a test.
const testTime = time.Minute

func link(name string) block.Link { return block.Link{Cid: block.Sum(block.CBOR, []byte(name))} }

// world is a network for one test.
type world struct {
	*testing.T
	*testnet.Cluster
	ctx context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	t.Cleanup(cancel)
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return &world{t, n, ctx}
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// customer joins the network, with an ALIA when it is to pay.
func (w *world) customer(name string, funded bool) *client.Client {
	w.Helper()
	if funded {
		w.check(w.Fund(w.ctx, testnet.Key(name)))
	}
	p, err := w.Peer(w.ctx, name)
	w.check(err)
	return &client.Client{Peer: p, Report: func(n node.Notice) { w.Logf("%s: %v", name, n) }}
}

func (w *world) balance(c *client.Client) uint64 {
	w.Helper()
	a, err := c.Peer.Ledger.Account(w.ctx, c.Peer.Account())
	w.check(err)
	return a.Balance
}

func (w *world) supply() ledger.Supply {
	w.Helper()
	s, _, err := w.Holder.Ledger.Supply(w.ctx)
	w.check(err)
	return s
}

// sign signs a record as an account and returns its bytes.
func (w *world) sign(name string, r protocol.Signed) []byte {
	w.Helper()
	data, err := protocol.Sign(testnet.Key(name), w.File.Net(), r)
	w.check(err)
	return data
}

// letter is a document with defaults for all that has one.
func (w *world) letter() client.Document {
	return client.Document{Text: "one and two\n\nthree and four\n", Model: w.Model, Holders: w.Holder.Mesh.Addrs(), Budget: protocol.Coin / 2}
}

// TestTranslate: a document is translated and paid, its receipt is in the home, the
// model's parameters are not, and the same document again is the same job.
func TestTranslate(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.letter()
	d.Hold, d.Holders = 5, nil // the network's directory knows the holder
	w.Holder.Mesh.Provide(w.Model.Cid)
	had := w.balance(c)
	first, err := c.Translate(w.ctx, d)
	w.check(err)
	if lines := strings.Count(first.Text, "\n"); lines != 3 || first.Units != 1 || first.Paid == 0 {
		t.Errorf("translation %+v", first)
	}
	if c.Peer.Store.Has(w.Params.Cid) {
		t.Error("the customer fetched the model's parameters")
	}
	// Another part of the process, such as a miner, may have the store swept.
	_, err = c.Peer.Store.Sweep(w.ctx, 0)
	w.check(err)
	if !c.Peer.Store.Has(first.Job.Cid) || !c.Peer.Store.Has(first.Receipt.Input.Cid) {
		t.Error("nobody owns the job's record and its text")
	}
	data, err := os.ReadFile(first.ReceiptFile)
	w.check(err)
	if proven, err := client.VerifyReceipt(w.File, data); err != nil || !proven.Settled || proven.Paid != first.Paid || proven.Receipt.Job != first.Job {
		t.Errorf("the kept receipt shows %+v, %v", proven, err)
	}
	// Only what the document can cost was set aside, not the whole budget.
	if locked := had - w.balance(c); locked == 0 || locked >= d.Budget/10 {
		t.Errorf("%d of the balance is set aside for a budget of %d", locked, d.Budget)
	}
	balance := w.balance(c)
	again, err := c.Translate(w.ctx, d)
	w.check(err)
	if again.Text != first.Text || again.Job != first.Job || w.balance(c) != balance {
		t.Errorf("the same document again: %+v, balance %d after %d", again, w.balance(c), balance)
	}
	// Asked for as a gift, the document is still paid, and its receipt proves it.
	gift := d
	gift.Budget = 0
	again, err = c.Translate(w.ctx, gift)
	w.check(err)
	if again.Job != first.Job || again.Paid != first.Paid || w.balance(c) != balance {
		t.Errorf("the same document as a gift: %+v, balance %d after %d", again, w.balance(c), balance)
	}
	data, err = os.ReadFile(first.ReceiptFile)
	w.check(err)
	if proven, err := client.VerifyReceipt(w.File, data); err != nil || !proven.Settled || proven.Paid != first.Paid {
		t.Errorf("after the gift the kept receipt shows %+v, %v", proven, err)
	}
	// After the deadline the rest comes back.
	var back client.Reclaimed
	for back.Returned == 0 {
		back, err = client.Reclaim(w.ctx, c.Peer.Ledger, c.Peer.Sender, c.Peer.Home)
		w.check(err)
	}
	if w.balance(c) != balance+back.Returned || w.supply().Escrowed != 0 {
		t.Errorf("%+v came back to %d, the customer has %d", back, balance, w.balance(c))
	}
}

// TestEstimates: what a unit of a document is estimated to cost, and so for how long it is
// leased, follows from its text and the model. With one estimate for all, leases of large
// units expired again and again.
func TestEstimates(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", false)
	d := w.letter()
	short, err := c.Estimates(w.ctx, d)
	w.check(err)
	d.Text = strings.Repeat(strings.Repeat("one ", 30)+"\n", 99) + "one\n"
	long, err := c.Estimates(w.ctx, d)
	w.check(err)
	if len(short) != 1 || len(long) < 2 {
		t.Fatalf("estimates %v and %v", short, long)
	}
	if first, last := long[0], long[len(long)-1]; first < 20*short[0] || last > first/2 {
		t.Errorf("a short text is estimated at %d MFLOP, the units of a long one at %d", short, long)
	}
}

// TestGift: without a budget nothing is paid, and the receipt says so.
func TestGift(t *testing.T) {
	w := newWorld(t)
	w.Policy.WorkForFree = true
	w.check(w.Mine("miner"))
	c := w.customer("customer", false)
	d := w.letter()
	d.Budget = 0
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	data, err := os.ReadFile(tr.ReceiptFile)
	w.check(err)
	if proven, err := client.VerifyReceipt(w.File, data); err != nil || proven.Settled || proven.Paid != 0 || tr.Paid != 0 {
		t.Errorf("a gift's receipt shows %+v, %v", proven, err)
	}
}

// TestRefusals: a document that cannot be served is refused by the name of its
// field, before anything is paid for it.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	rich, poor := w.customer("customer", true), w.customer("poor", false)
	rich.Patience, poor.Patience = time.Nanosecond, time.Nanosecond
	for name, c := range map[string]struct {
		who    *client.Client
		change func(*client.Document)
		want   []string
	}{
		"no model":       {rich, func(d *client.Document) { d.Model = block.Link{} }, []string{"no model", "--model"}},
		"wide beam":      {rich, func(d *client.Document) { d.Decoding = unit.Decoding{Beam: 9} }, []string{"a beam of 9", "--beam"}},
		"no beam":        {rich, func(d *client.Document) { d.Decoding = unit.Decoding{LengthPPM: 1} }, []string{"a beam of 0", "--beam"}},
		"length penalty": {rich, func(d *client.Document) { d.Decoding = unit.Decoding{Beam: 1, LengthPPM: 1 << 31} }, []string{"a length penalty of 2147483648 millionths"}},
		"no text":        {rich, func(d *client.Document) { d.Text = " \n\n" }, []string{"no text"}},
		"languages":      {rich, func(d *client.Document) { d.Target = "fr" }, []string{"from en to de, not from en to fr"}},
		"small budget":   {rich, func(d *client.Document) { d.Budget = 1 }, []string{"the budget (--budget) is", "0.00000001 ALIA", "at 0.002 ALIA a GFLOP"}},
		"high price":     {rich, func(d *client.Document) { d.Price = 1 << 63 }, []string{"the budget (--budget) is"}},
		"no tokens":      {poor, func(*client.Document) {}, []string{"insufficient funds", "the account has 0 ALIA"}},
		"unknown model":  {rich, func(d *client.Document) { d.Model = link("nothing") }, []string{"no peer that was found has the model", "--hold DIR", "--holder"}},
	} {
		d := w.letter()
		c.change(&d)
		_, err := c.who.Translate(w.ctx, d)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		for _, want := range c.want {
			if strings.Count(err.Error(), want) != 1 {
				t.Errorf("%s: %v, want %q in it once", name, err, want)
			}
		}
	}
	if s := w.supply(); s.Escrowed != 0 {
		t.Errorf("%d is in escrow for documents that were refused", s.Escrowed)
	}
}

// TestInterrupted: a job that was given up goes on where it was, with one escrow, at the
// price of that escrow.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	ctx, giveUp := context.WithCancel(w.ctx)
	logs := c.Report
	c.Report = func(n node.Notice) {
		logs(n)
		if _, waits := n.(node.Waiting); waits { // for a miner
			giveUp()
		}
	}
	if _, err := c.Translate(ctx, w.letter()); !errors.Is(err, context.Canceled) {
		t.Fatalf("without a miner: %v", err)
	}
	escrowed := w.supply().Escrowed
	if escrowed == 0 {
		t.Fatal("no escrow was opened")
	}
	w.check(w.Mine("miner"))
	var told []string
	c.Report = func(n node.Notice) {
		logs(n)
		if r, ok := n.(node.Resumed); ok {
			told = append(told, r.Text)
		}
	}
	d := w.letter()
	d.Price = 2 * client.DefaultPrice // which the escrow does not pay
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	if len(told) != 1 || !strings.Contains(told[0], "0.002 ALIA a GFLOP, not at 0.004") {
		t.Errorf("of the price the customer is told %q", told)
	}
	if after := w.supply().Escrowed; after >= escrowed || tr.Paid == 0 {
		t.Errorf("%d in escrow after %d, %d paid", after, escrowed, tr.Paid)
	}
}

// TestReclaimSettles: a customer that was killed after it had accepted a unit takes its
// escrow back. The miner of the unit is paid first.
func TestReclaimSettles(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	killed, kill := context.WithCancel(w.ctx)
	c.Report = func(n node.Notice) {
		if _, ok := n.(node.UnitDone); ok {
			kill()
		}
	}
	d := w.letter()
	d.Text, d.Hold = strings.Repeat(d.Text, 100), 5 // several units
	if _, err := c.Translate(killed, d); !errors.Is(err, context.Canceled) {
		t.Fatalf("Translate = %v", err)
	}
	had, escrowed := w.balance(c), w.supply().Escrowed
	// While the journal is open elsewhere, the job stays as it is, also after its deadline.
	jobs, err := os.ReadDir(c.Peer.Home.Jobs())
	w.check(err)
	dir := filepath.Join(c.Peer.Home.Jobs(), jobs[0].Name())
	j, err := c.Peer.OpenJournal(dir)
	w.check(err)
	accepted := j.Count(journal.Pending)
	reclaim := func() client.Reclaimed {
		back, err := client.Reclaim(w.ctx, c.Peer.Ledger, c.Peer.Sender, c.Peer.Home)
		w.check(err)
		return back
	}
	first := reclaim()
	for now := first; now.Due == first.Due; {
		if now = reclaim(); now.Held == 0 || now.Returned != 0 {
			t.Fatalf("a job whose journal is open: %+v", now)
		}
	}
	w.check(j.Close())
	back := reclaim()
	earned, err := w.Holder.Ledger.Account(w.ctx, protocol.AccountOf(testnet.Key("miner")))
	w.check(err)
	if accepted == 0 || earned.Balance == 0 || back.Returned == 0 || w.balance(c) != had+back.Returned || back.Returned >= escrowed {
		t.Errorf("of %d in escrow %+v for %d accepted units, the miner has %d, the customer %d after %d",
			escrowed, back, accepted, earned.Balance, w.balance(c), had)
	}
	j, err = c.Peer.OpenJournal(dir)
	w.check(err)
	defer j.Close()
	if j.Count(journal.Paid) != accepted {
		t.Errorf("%d units are paid in the journal, %d were accepted", j.Count(journal.Paid), accepted)
	}
}

// TestForgedReceipts: a receipt proves what its customer signed only as far as
// miners and the ledger signed the same.
func TestForgedReceipts(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	tr, err := c.Translate(w.ctx, w.letter())
	w.check(err)
	other, err := c.Translate(w.ctx, client.Document{Text: "five\n", Model: w.Model, Holders: w.Holder.Mesh.Addrs(), Budget: protocol.Coin / 2})
	w.check(err)
	// claim has the customer sign a unit of another job as one of this.
	claim := func(r *protocol.Receipt, change func(*protocol.Attestation, *protocol.Accept)) {
		change(&r.Attestations[0], &r.Accepts[0])
		w.sign("miner", &r.Attestations[0])
		w.sign("customer", &r.Accepts[0])
	}
	for name, c := range map[string]struct {
		forge func(*protocol.Receipt)
		want  string
	}{
		"nothing changed": {func(*protocol.Receipt) {}, ""},
		"no units":        {func(r *protocol.Receipt) { r.Attestations, r.Accepts = nil, nil }, "no unit"},
		"unit twice": {func(r *protocol.Receipt) {
			r.Attestations, r.Accepts = append(r.Attestations, r.Attestations[0]), append(r.Accepts, r.Accepts[0])
		}, "twice"},
		"unit of another job": {func(r *protocol.Receipt) {
			r.Attestations, r.Accepts, r.Settlement = other.Receipt.Attestations, other.Receipt.Accepts, other.Receipt.Settlement
		}, "do not agree"},
		"another job's unit attested for this": {func(r *protocol.Receipt) {
			r.Attestations[0], r.Accepts[0], r.Settlement = other.Receipt.Attestations[0], other.Receipt.Accepts[0], other.Receipt.Settlement
			claim(r, func(at *protocol.Attestation, ac *protocol.Accept) { at.Work, ac.Work = r.Job, r.Job })
		}, "says otherwise"},
		"higher cost": {func(r *protocol.Receipt) {
			claim(r, func(at *protocol.Attestation, ac *protocol.Accept) { at.Cost, ac.Cost = at.Cost+1, ac.Cost+1 })
		}, "says otherwise"},
		"proof of nothing": {func(r *protocol.Receipt) { r.Settlement = []byte{1} }, "settlement"},
	} {
		r := *tr.Receipt
		r.Attestations, r.Accepts = append([]protocol.Attestation{}, r.Attestations...), append([]protocol.Accept{}, r.Accepts...)
		c.forge(&r)
		_, err := client.VerifyReceipt(w.File, w.sign("customer", &r))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
