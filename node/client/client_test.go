package client_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// testTime bounds the waits of a test.
const testTime = 5 * time.Minute

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
	c := &client.Client{Peer: p, Report: func(n node.Notice) { w.Logf("%s: %v", name, n) }}
	w.Cleanup(func() { c.Close() })
	return c
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

// escrows is the number of a customer's open escrows.
func (w *world) escrows(c *client.Client) int {
	w.Helper()
	all, _, err := c.Customer().Escrows(w.ctx)
	w.check(err)
	return len(all)
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
	if r := first.Receipt; strings.Count(first.Text, "\n") != 3 || len(r.Receipt.Units) != 1 || r.Paid == 0 || r.Status == client.Unpaid {
		t.Errorf("translation %+v", first)
	}
	if c.Peer.Store.Has(w.Params.Cid) {
		t.Error("the customer fetched the model's parameters")
	}
	// Another part of the process, such as a miner, may have the store swept.
	_, err = c.Peer.Store.Sweep(w.ctx, 0)
	w.check(err)
	if !c.Peer.Store.Has(first.Receipt.Link.Cid) || !c.Peer.Store.Has(first.Receipt.Job.Input.Cid) {
		t.Error("nobody owns the job's record and its text")
	}
	w.receipt(first.ReceiptFile, first.Receipt)
	// Only what the document can cost was set aside, not the whole budget.
	if locked := had - w.balance(c); locked == 0 || locked >= d.Budget/10 {
		t.Errorf("%d of the balance is set aside for a budget of %d", locked, d.Budget)
	}
	balance := w.balance(c)
	again, err := c.Translate(w.ctx, d)
	w.check(err)
	if again.Text != first.Text || again.Receipt.Link != first.Receipt.Link || w.balance(c) != balance {
		t.Errorf("the same document again: %+v, balance %d after %d", again, w.balance(c), balance)
	}
	// Asked for as a gift, the document is still paid, and its receipt proves it.
	gift := d
	gift.Budget = 0
	again, err = c.Translate(w.ctx, gift)
	w.check(err)
	if again.Receipt.Link != first.Receipt.Link || again.Receipt.Paid != first.Receipt.Paid || w.balance(c) != balance {
		t.Errorf("the same document as a gift: %+v, balance %d after %d", again, w.balance(c), balance)
	}
	// When the claims are paid, the rest comes back: every unit was claimed.
	var back client.Reclaimed
	for w.escrows(c) > 0 {
		back, err = c.Customer().Reclaim(w.ctx)
		w.check(err)
	}
	// Less the gas of the transaction that closes the escrow.
	if now := w.balance(c); back.Held != 0 || now > balance+back.Returned || now < balance+back.Returned-gas {
		t.Errorf("%+v came back to %d, the customer has %d", back, balance, now)
	}
	// The escrow is gone. The receipt proves the payment still, and the document again
	// costs nothing.
	paid := first.Receipt
	paid.Status = client.Paid
	w.receipt(first.ReceiptFile, paid)
	balance = w.balance(c)
	again, err = c.Translate(w.ctx, d)
	w.check(err)
	if again.Receipt.Status != client.Paid || again.Receipt.Paid != first.Receipt.Paid || w.balance(c) != balance {
		t.Errorf("after the escrow is closed: %+v, balance %d after %d", again, w.balance(c), balance)
	}
	w.receipt(first.ReceiptFile, paid)
}

// gas is more than a transaction of the tests burns, an amount.
const gas = 10_000

// receipt checks the file of a receipt against what it should prove.
func (w *world) receipt(path string, want client.Proven) {
	w.Helper()
	data, err := os.ReadFile(path)
	w.check(err)
	got, err := client.VerifyReceipt(w.File, data)
	if err != nil || got.Status != want.Status || got.Paid != want.Paid || got.Link != want.Link {
		w.Errorf("the kept receipt of job %s is %s, %d paid, %v; want %s, %d", got.Link, got.Status, got.Paid, err, want.Status, want.Paid)
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

// TestGift: without a budget nothing is paid, and the receipt says so. A customer that
// pays later pays for the units that it has.
func TestGift(t *testing.T) {
	w := newWorld(t)
	w.Policy.WorkForFree = true
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.letter()
	d.Budget = 0
	gift, err := c.Translate(w.ctx, d)
	w.check(err)
	if r := gift.Receipt; r.Status != client.Unpaid || r.Paid != 0 || r.Missing != "it has no proof of the ledger" {
		t.Errorf("a gift's receipt shows %+v", r)
	}
	w.receipt(gift.ReceiptFile, gift.Receipt)
	d.Budget = protocol.Coin / 2
	c.Report = func(n node.Notice) {
		if _, ok := n.(node.UnitDone); ok {
			t.Errorf("%v", n)
		}
	}
	paid, err := c.Translate(w.ctx, d)
	w.check(err)
	if r := paid.Receipt; r.Status == client.Unpaid || r.Paid == 0 || r.Link != gift.Receipt.Link || r.Attestation(0).Account != gift.Receipt.Attestation(0).Account {
		t.Errorf("the gift, paid: %+v", r)
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
		"n-gram":         {rich, func(d *client.Document) { d.Decoding = unit.Decoding{Beam: 1, NoRepeat: 65} }, []string{"n-gram of 65 tokens", "--no-repeat"}},
		"repetition":     {rich, func(d *client.Document) { d.Decoding = unit.Decoding{Beam: 1, RepetitionPPM: 1} }, []string{"a repetition penalty of 1 parts per million"}},
		"no text":        {rich, func(d *client.Document) { d.Text = " \n\n" }, []string{"no text"}},
		"languages":      {rich, func(d *client.Document) { d.Target = "fr" }, []string{"from en to de, not from en to fr"}},
		"small budget":   {rich, func(d *client.Document) { d.Budget = 1 }, []string{"the budget (--budget) is", "0.00000001 ALIA", "at 0.002 ALIA a GFLOP"}},
		"high price":     {rich, func(d *client.Document) { d.Price = 1 << 63 }, []string{"the budget (--budget) is"}},
		"many sentences": {rich, func(d *client.Document) { d.Text = strings.Repeat("one\n", 1<<16+1) }, []string{"65537 sentences", "translate it in parts"}},
		"many units":     {rich, func(d *client.Document) { d.Text = strings.Repeat(strings.Repeat("q", 408)+"\n", 5_000) }, []string{"units of work", "at most 1024", "translate it in parts"}},
		"many bytes":     {rich, func(d *client.Document) { d.Text = strings.Repeat(strings.Repeat("one ", 250)+"\n", 2_100) }, []string{"2095800 bytes of text", "translate it in parts"}},
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
	if after := w.supply().Escrowed; after > escrowed || tr.Receipt.Paid == 0 {
		t.Errorf("%d in escrow after %d, %d paid", after, escrowed, tr.Receipt.Paid)
	}
}
