package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/journal"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
)

// interrupted has a document translated until its first unit is accepted, as if the
// process were killed then. It returns the job's journal.
func (w *world) interrupted(c *client.Client, d client.Document) (dir string) {
	w.Helper()
	killed, kill := context.WithCancel(w.ctx)
	logs := c.Report
	c.Report = func(n node.Notice) {
		if _, ok := n.(node.UnitDone); ok {
			kill()
		}
	}
	defer func() { c.Report = logs }()
	if _, err := c.Translate(killed, d); !errors.Is(err, context.Canceled) {
		w.Fatalf("Translate = %v", err)
	}
	jobs, err := os.ReadDir(c.Peer.Home.Jobs())
	w.check(err)
	return filepath.Join(c.Peer.Home.Jobs(), jobs[len(jobs)-1].Name())
}

// long is a document of several units, whose escrow is held for a few heights only.
func (w *world) long() client.Document {
	d := w.letter()
	d.Text, d.Hold = strings.Repeat(d.Text, 100), 5
	return d
}

// TestReclaim: a customer that was killed after it had accepted a unit takes its escrow
// back. The pay of the unit's miner is claimed first, and paid before the escrow closes.
func TestReclaim(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	dir := w.interrupted(c, w.long())
	had := w.balance(c)
	reclaim := func() client.Reclaimed {
		back, err := c.Customer().Reclaim(w.ctx)
		w.check(err)
		return back
	}
	// While the journal is open elsewhere, the job stays as it is.
	j, err := c.Peer.OpenJournal(dir)
	w.check(err)
	accepted := j.Count(journal.Pending)
	if busy := reclaim(); accepted == 0 || busy.Held == 0 || busy.Due == 0 || busy.Claimed != 0 || busy.Returned != 0 {
		t.Errorf("a job with %d accepted units, whose journal is open: %+v", accepted, busy)
	}
	w.check(j.Close())
	claimed, returned := 0, uint64(0)
	for w.escrows(c) > 0 {
		back := reclaim()
		claimed, returned = claimed+back.Claimed, returned+back.Returned
		if (back.Held == 0) != (back.Due == 0) {
			t.Errorf("%+v", back)
		}
	}
	earned, err := w.Holder.Ledger.Account(w.ctx, protocol.AccountOf(testnet.Key("miner")))
	w.check(err)
	if now := w.balance(c); claimed != accepted || earned.Earned == 0 || returned == 0 || now > had+returned || now < had+returned-gas {
		t.Errorf("%d of %d accepted units are claimed now, the miner has earned %d; %d came back to %d, which is %d now",
			claimed, accepted, earned.Earned, returned, had, now)
	}
	// The job has ended. Its document is another job, whose receipt is whole.
	first, err := os.ReadDir(c.Peer.Home.Jobs())
	w.check(err)
	tr, err := c.Translate(w.ctx, w.long())
	w.check(err)
	if tr.Receipt.Job.Sequence != 1 || len(first) != 1 || tr.Receipt.Status == client.Unpaid {
		t.Errorf("the document again is job %d, and %s: %s", tr.Receipt.Job.Sequence, tr.Receipt.Status, tr.Receipt.Missing)
	}
}

// TestEscrows: a customer sees the escrows of its jobs, adds to them, and cannot close
// one on which miners rely.
func TestEscrows(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.long()
	d.Hold = 10_000
	w.interrupted(c, d)
	me := c.Customer()
	all, height, err := me.Escrows(w.ctx)
	w.check(err)
	if len(all) != 1 || all[0].Opened == 0 || all[0].Deadline < height || all[0].Closable <= all[0].Deadline {
		t.Fatalf("at height %d the escrows are %+v", height, all)
	}
	e := all[0]
	more, err := me.TopUp(w.ctx, e.Job, 7, 0)
	w.check(err)
	if more.Opened != e.Opened+7 || more.Deadline != e.Deadline {
		t.Errorf("with 7 more: %+v after %+v", more, e)
	}
	if more, err = me.TopUp(w.ctx, e.Job, 0, 20_000); err != nil || more.Opened != e.Opened+7 || more.Deadline < e.Deadline+9_000 {
		t.Errorf("with a later deadline: %+v after %+v, %v", more, e, err)
	}
	_, claimed, err := me.Close(w.ctx, e.Job)
	if !errors.Is(err, client.ErrNotDue) || !strings.Contains(err.Error(), "can be closed from height") || claimed != 1 {
		t.Errorf("close before the deadline: %d claimed, %v", claimed, err)
	}
	if _, _, err := me.Close(w.ctx, link("nothing")); !errors.Is(err, light.ErrNoEscrow) {
		t.Errorf("close an escrow that is not there: %v", err)
	}
}

// TestExtends: while a job waits for a miner, its escrow does not run out.
func TestExtends(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	d := w.letter()
	d.Hold = 10
	ctx, giveUp := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { _, err := c.Translate(ctx, d); done <- err }()
	var first uint64
	for {
		all, _, err := c.Customer().Escrows(w.ctx)
		w.check(err)
		if len(all) == 0 {
			continue
		}
		if first == 0 {
			first = all[0].Deadline
		}
		if all[0].Deadline > first+10 {
			break
		}
	}
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestReclaimDamaged: a result that the customer has lost keeps no escrow open, and a job
// whose journal is damaged keeps no escrow open but its own.
func TestReclaimDamaged(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.long()
	lost := w.interrupted(c, d)
	j, err := c.Peer.OpenJournal(lost)
	w.check(err)
	units, err := j.List(journal.Pending, 1, nil)
	w.check(err)
	at, _, ok := units[0].Agreed()
	if !ok {
		t.Fatal("the unit has no attestation")
	}
	w.check(c.Peer.Store.Delete(at.Result.Cid))
	w.check(j.Close())
	d.Sequence = 7
	damaged := w.interrupted(c, d)
	if damaged == lost {
		jobs, err := os.ReadDir(c.Peer.Home.Jobs())
		w.check(err)
		damaged = filepath.Join(c.Peer.Home.Jobs(), jobs[0].Name())
	}
	w.check(os.Rename(damaged, damaged+".whole"))
	w.check(os.WriteFile(damaged, []byte("no journal"), 0o600))
	for w.escrows(c) > 1 {
		if back, err := c.Customer().Reclaim(w.ctx); err == nil || back.Held == 0 || !strings.Contains(err.Error(), filepath.Base(damaged)) {
			t.Fatalf("beside a damaged journal: %+v, %v", back, err)
		}
	}
	w.check(os.Remove(damaged))
	w.check(os.Rename(damaged+".whole", damaged))
	for w.escrows(c) > 0 {
		_, err := c.Customer().Reclaim(w.ctx)
		w.check(err)
	}
}

// TestKeep: the escrow of an unfinished job stays open for a while after its deadline, so that
// the job can go on. Then it comes back without a command.
func TestKeep(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	d := w.letter()
	d.Hold = 3
	ctx, giveUp := context.WithCancel(w.ctx)
	logs := c.Report
	var back node.EscrowClosed
	c.Report = func(n node.Notice) {
		logs(n)
		switch n := n.(type) {
		case node.Waiting: // for a miner
			giveUp()
		case node.EscrowClosed:
			back = n
		}
	}
	if _, err := c.Translate(ctx, d); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	all, _, err := c.Customer().Escrows(w.ctx)
	w.check(err)
	if len(all) != 1 {
		t.Fatalf("escrows %+v", all)
	}
	c.Keep = 40
	tending, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Tend(tending) }()
	w.check(c.Drain(w.ctx))
	stop()
	w.check(<-ended)
	head, err := c.Peer.Ledger.Head(w.ctx)
	w.check(err)
	if head.Height < all[0].Closable+c.Keep || back.Amount != all[0].Left || back.Job != all[0].Job.String() || w.escrows(c) != 0 {
		t.Errorf("%+v came back at height %d; the escrow was %+v", back, head.Height, all[0])
	}
	// No unit was claimed: the same job begins again, with another escrow.
	w.check(w.Mine("miner"))
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	if tr.Receipt.Link != all[0].Job || tr.Receipt.Status == client.Unpaid {
		t.Errorf("afterwards the job is %s, %s", tr.Receipt.Link, tr.Receipt.Status)
	}
}
