package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
)

// TestClosedElsewhere: a fresh home takes up a job whose units are all claimed, and another home
// of the customer closes the escrow before it is settled here. The receipt has the proof that the ledger gave
// when the job was taken up: the miners were paid. A job that miners would work on ends, also
// where the other home has opened another escrow for it.
func TestClosedElsewhere(t *testing.T) {
	w := newWorld(t)
	miner := w.mine("miner")
	d := w.letter()
	first := w.customer("ada", true) // which does not tend its escrows
	before, err := first.Translate(w.ctx, d)
	w.check(err)
	d2 := d
	d2.Text = "five\n"
	_, err = first.Translate(w.ctx, d2)
	w.check(err)
	d3 := d
	d3.Text = "six\n"
	third, err := first.Translate(w.ctx, d3)
	w.check(err)
	w.check(first.Close())
	w.check(first.Peer.Close())

	c, err := client.New(w.ctx, client.Config{Network: w.File, Key: testnet.Key("ada")})
	w.check(err)
	defer c.Close()
	j := w.start(c, d)
	defer j.Close()
	text, err := j.Text(w.ctx)
	w.check(err)
	other := *c.Customer()
	other.Home = first.Peer.Home
	closeElsewhere := func(j *client.Job) {
		for {
			_, _, err := other.Close(w.ctx, j.ID())
			if err == nil {
				return
			}
			if !errors.Is(err, client.ErrNotDue) {
				t.Fatal(err)
			}
			w.pause()
		}
	}
	closeElsewhere(j)
	p, err := j.Settle(w.ctx)
	w.check(err)
	if text != before.Text || p.Status == client.Unpaid || p.Paid != before.Receipt.Paid {
		t.Errorf("%q, %s (%s): %d", text, p.Status, p.Missing, p.Paid)
	}

	// Who has the text is gone: after the escrow nobody else would work on the job either.
	miner.kill()
	j = w.start(c, d2)
	closeElsewhere(j)
	if _, err := j.Text(w.ctx); err == nil || !strings.Contains(err.Error(), "has closed the escrow") {
		t.Errorf("a job whose escrow is gone: %v", err)
	}

	// The other home has opened another escrow for the job: miners take no ticket of the first.
	j3 := w.start(c, d3)
	defer j3.Close()
	closeElsewhere(j3)
	w.reopen(c, third.Receipt)
	if _, err := j3.Text(w.ctx); err == nil || !strings.Contains(err.Error(), "has closed the escrow") {
		t.Errorf("a job whose escrow is another one now: %v", err)
	}
}
