package client_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/work/unit"
)

var update = flag.Bool("update", false, "rewrite the kept network and its receipt")

const (
	keptNetwork = "testdata/network.json"
	keptReceipt = "testdata/receipt"
)

// kept returns a network that is no more, and a receipt of it.
func kept(t testing.TB) (node.Network, []byte) {
	t.Helper()
	n, err := node.ReadNetwork(keptNetwork)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(keptReceipt)
	if err != nil {
		t.Fatal(err)
	}
	return n, data
}

// TestKeptReceipt: a receipt of an earlier time still verifies. A change that breaks this
// takes the proof from everybody who has a receipt.
func TestKeptReceipt(t *testing.T) {
	if *update {
		w := newWorld(t)
		w.check(w.Mine("miner"))
		c := w.customer("customer", true)
		tr, err := c.Translate(w.ctx, w.letter())
		w.check(err)
		w.paid(tr.ReceiptFile)
		data, err := os.ReadFile(tr.ReceiptFile)
		w.check(err)
		w.check(os.WriteFile(keptReceipt, data, 0o644))
		w.check(w.File.Write(keptNetwork))
	}
	n, data := kept(t)
	p, err := client.VerifyReceipt(n, data)
	if err != nil || p.Status != client.Paid || p.Paid == 0 || len(p.Receipt.Units) != 1 {
		t.Errorf("the kept receipt is %s, %d paid, %v", p.Status, p.Paid, err)
	}
	if err := p.Source("one and two\n\nthree and four\n"); err != nil {
		t.Error(err)
	}
}

// FuzzVerifyReceipt: whoever has no key of the customer, of a miner or of a validator can
// make another receipt of a receipt only by leaving out the ledger's proof.
func FuzzVerifyReceipt(f *testing.F) {
	n, data := kept(f)
	receipt, proof, err := client.Unpack(data)
	if err != nil {
		f.Fatal(err)
	}
	whole, err := client.VerifyReceipt(n, data)
	if err != nil {
		f.Fatal(err)
	}
	bare, err := client.Pack(receipt, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(bare)
	f.Add(receipt)
	f.Add(proof)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := client.VerifyReceipt(n, data)
		if err != nil {
			return
		}
		got, rest, err := client.Unpack(data)
		if err != nil || !bytes.Equal(got, receipt) || len(rest) > 0 && p.Paid != whole.Paid || len(rest) == 0 && p.Status != client.Unpaid {
			t.Errorf("another receipt: %+v, %v", p, err)
		}
	})
}

// FuzzOrder: an order has one encoding, and any other bytes are refused.
func FuzzOrder(f *testing.F) {
	for _, d := range []client.Document{
		{Texts: []string{"one", "", "two\nthree"}, Model: link("model"), Source: "en", Target: "de", Decoding: unit.Greedy, Budget: 7, Price: 2, Hold: 9, Sequence: 1, Privacy: client.PrivacySealed},
		{Texts: []string{}, Holders: []string{"/ip4/127.0.0.1/tcp/1"}, Decoding: unit.Decoding{Beam: 4, LengthPPM: 1, NoRepeat: 3}, Privacy: client.PrivacyPrivate, Miners: []protocol.Account{{1}}, CheckPPM: 3},
	} {
		data, err := client.EncodeOrder(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := client.ParseOrder(data)
		if err != nil {
			return
		}
		if again, err := client.EncodeOrder(d); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x is read as %+v, which is written as %x, %v", data, d, again, err)
		}
	})
}
