package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// start starts a document that is closed with the test.
func (w *world) start(c *client.Client, d client.Document) *client.Job {
	w.Helper()
	j, err := c.Start(w.ctx, d)
	w.check(err)
	w.Cleanup(func() { j.Close() })
	return j
}

// memory opens a client with a key in memory.
func (w *world) memory(name string, dir home.Dir) *client.Client {
	w.Helper()
	c, err := client.New(w.ctx, client.Config{
		Network: w.File, Key: testnet.Key(name), Dir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"},
		Report: func(n node.Notice) { w.Logf("%s: %v", name, n) },
	})
	w.check(err)
	w.Cleanup(func() { c.Close() })
	return c
}

// TestSegments: each text comes once, with its index, whatever is in it. No money moves
// before the first one is asked for, and the receipt is that of the texts.
func TestSegments(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	d := w.letter()
	d.Text, d.Texts = "", []string{"", "one. Two", " \t", "three\nfour\n", "  five ", "12:30", "six\n-- 7 --\n\nseven. 8!\n9 %"}
	for range 300 {
		d.Texts = append(d.Texts, "one two three four five six one two three four five six")
	}
	had := w.balance(c)
	j := w.start(c, d)
	q := j.Quote()
	if q.Amount == 0 || q.MFLOP == 0 || q.Units < 2 || w.balance(c) != had || w.supply().Escrowed != 0 {
		t.Errorf("quote %+v, balance %d after %d", q, w.balance(c), had)
	}
	if _, err := j.Settle(w.ctx); !errors.Is(err, client.ErrUnfinished) {
		t.Errorf("settled before the work: %v", err)
	}
	if _, err := j.Receipt(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a receipt before the work: %v", err)
	}
	seen := map[int]string{}
	segments := func(most int) {
		for s, err := range j.Segments(w.ctx) {
			w.check(err)
			if _, again := seen[s.Index]; again || s.Source != d.Texts[s.Index] {
				t.Fatalf("segment %+v again, or not of text %q", s, d.Texts[s.Index])
			}
			if seen[s.Index] = s.Text; len(seen) == most {
				return
			}
		}
	}
	segments(4) // then the loop ends
	if escrowed := w.supply().Escrowed; escrowed != q.Amount {
		t.Errorf("%d in escrow, the quote was %d", escrowed, q.Amount)
	}
	clear(seen)
	segments(-1)
	if len(seen) != len(d.Texts) || seen[0] != "" || seen[2] != " \t" || strings.Count(seen[3], "\n") != 2 || !strings.HasPrefix(seen[4], "  ") || !strings.HasSuffix(seen[4], " ") ||
		seen[5] != "12:30" || !strings.Contains(seen[6], "\n-- 7 --\n\n") || !strings.HasSuffix(seen[6], " 8!\n9 %") {
		t.Errorf("%d of %d texts: %v", len(seen), len(d.Texts), seen)
	}
	texts, err := j.Texts(w.ctx)
	w.check(err)
	for i, text := range texts {
		if text != seen[i] {
			t.Errorf("text %d is %q and %q", i, text, seen[i])
		}
	}
	proven, err := j.Settle(w.ctx)
	w.check(err)
	if kept, err := j.Receipt(); err != nil || kept.Link != j.ID() || kept.Paid != proven.Paid || proven.Paid > q.Amount || proven.Status == client.Unpaid {
		t.Errorf("the receipt is %+v, %v; Settle said %+v", kept, err, proven)
	}
	w.bound(&proven, d.Texts, texts)
	if c.Peer.Store.Has(w.Params.Cid) {
		t.Error("the customer fetched the model's parameters")
	}
}

// bound checks that a receipt is bound to texts and their translations.
func (w *world) bound(p *client.Proven, sources, texts []string) {
	w.Helper()
	w.check(p.Translations(sources, texts))
	w.check(p.Translation(strings.Join(sources, "\n"), strings.Join(texts, "\n")))
	change := func(list []string, i int, text string) []string {
		list = slices.Clone(list)
		list[i] = text
		return list
	}
	moved := change(change(texts, 3, texts[3]+texts[4]), 4, "")
	for name, c := range map[string]struct{ sources, texts []string }{
		"another source":        {change(sources, 3, "three\nfive\n"), texts},
		"a source more":         {append(slices.Clone(sources), "x"), append(slices.Clone(texts), "x")},
		"a source less":         {sources[:len(sources)-1], texts[:len(texts)-1]},
		"another translation":   {sources, change(texts, 4, "x")},
		"a longer translation":  {sources, change(texts, 1, texts[1]+" x")},
		"a moved translation":   {sources, moved},
		"a translation missing": {sources, texts[:len(texts)-1]},
		"text where was none":   {sources, change(texts, 0, "x")},
		"another number":        {sources, change(texts, 5, "12:31")},
		"another end":           {sources, change(texts, 6, strings.TrimSuffix(texts[6], " 9 %")+" 8 %")},
		"another middle":        {sources, change(texts, 6, strings.Replace(texts[6], "7", "8", 1))},
	} {
		if err := p.Translations(c.sources, c.texts); err == nil {
			w.Errorf("%s: taken", name)
		}
	}
}

// TestAtOnce: a client works on many jobs at a time, in one network with other customers.
// Equal documents are one job.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c := w.customer("customer", true)
	var all sync.WaitGroup
	got := make([]string, 40)
	for i := range got {
		all.Go(func() {
			d := w.letter()
			d.Budget = protocol.Coin / 50
			d.Text = fmt.Sprintf("one and %d", i/2) // two of each
			j, err := c.Start(w.ctx, d)
			if err != nil {
				t.Error(err)
				return
			}
			defer j.Close()
			if got[i], err = j.Text(w.ctx); err != nil {
				t.Error(err)
			}
			if p, err := j.Settle(w.ctx); err != nil || p.Status == client.Unpaid {
				t.Errorf("job %d: %s, %v", i, p.Status, err)
			}
		})
	}
	all.Wait()
	for i := 0; i < len(got); i += 2 {
		if got[i] == "" || got[i] != got[i+1] {
			t.Errorf("document %d is %q and %q", i/2, got[i], got[i+1])
		}
	}
	if receipts, err := os.ReadDir(c.Peer.Home.Receipts()); err != nil || len(receipts) != len(got)/2 {
		t.Errorf("%d receipts, %v", len(receipts), err)
	}
}

// TestMemory: a client with its key in memory leaves no file, once its money is back. It
// never fetches the model's parameters.
func TestMemory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t)
	w.check(w.Mine("miner"))
	w.check(w.Fund(w.ctx, testnet.Key("ada")))
	c := w.memory("ada", "")
	tr, err := c.Translate(w.ctx, w.letter())
	w.check(err)
	if c.Peer.Store.Has(w.Params.Cid) || !strings.HasPrefix(tr.ReceiptFile, os.TempDir()) {
		t.Errorf("the customer fetched the model's parameters, or the receipt is %s", tr.ReceiptFile)
	}
	w.check(c.Drain(w.ctx))
	if s := w.supply(); s.Escrowed != 0 {
		t.Errorf("%d is in escrow", s.Escrowed)
	}
	w.check(c.Close())
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	// With money in escrow, the directory stays, and another client takes the money back.
	c = w.memory("ada", "")
	d := w.letter()
	d.Hold = 3
	d.Text = "seven"
	j, err := c.Start(w.ctx, d)
	w.check(err)
	for _, err := range j.Segments(w.ctx) {
		w.check(err)
	}
	dir := c.Peer.Home
	if err := c.Close(); err == nil || !strings.Contains(err.Error(), string(dir)) || !strings.Contains(err.Error(), "escrow of job "+j.ID().String()) {
		t.Fatalf("closed with money in escrow: %v", err)
	}
	if _, err := j.Text(w.ctx); !errors.Is(err, client.ErrClosed) {
		t.Errorf("a job of a closed client: %v", err)
	}
	if _, err := c.Start(w.ctx, d); !errors.Is(err, client.ErrClosed) {
		t.Errorf("a closed client: %v", err)
	}
	w.check(j.Close())
	c = w.memory("ada", dir)
	w.check(c.Drain(w.ctx)) // the miner claims by itself
	if s := w.supply(); s.Escrowed != 0 {
		t.Errorf("%d is in escrow", s.Escrowed)
	}
}

// TestQuoteOnly: a job that was only asked for its quote leaves nothing.
func TestQuoteOnly(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", false)
	j := w.start(c, w.letter())
	w.check(j.Close())
	if _, err := c.Resume(w.ctx, j.ID()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the job is still there: %v", err)
	}
	if jobs, err := home.Named(c.Peer.Home.Jobs()); err != nil || len(jobs) != 0 {
		t.Errorf("jobs %v, %v", jobs, err)
	}
	_, err := c.Peer.Store.Sweep(w.ctx, 0)
	w.check(err)
	if c.Peer.Store.Has(j.ID().Cid) {
		t.Error("the job's record is still there")
	}
	d := w.letter()
	d.Text = "one\xff"
	if _, err := c.Start(w.ctx, d); err == nil || !strings.Contains(err.Error(), "text 0 is not UTF-8: byte 3 of it is 0xFF") {
		t.Errorf("a text that is not UTF-8: %v", err)
	}
}

// TestCancel: what was accepted is paid, and the rest comes back without a command.
func TestCancel(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	w.check(w.Fund(w.ctx, testnet.Key("ada")))
	var back node.EscrowClosed
	told := make(chan struct{})
	c, err := client.New(w.ctx, client.Config{
		Network: w.File, Key: testnet.Key("ada"), Dir: home.Dir(t.TempDir()), Listen: []string{"/ip4/127.0.0.1/tcp/0"},
		Report: func(n node.Notice) {
			if e, ok := n.(node.EscrowClosed); ok {
				back = e
				close(told)
			}
		},
	})
	w.check(err)
	defer c.Close()
	had := w.balance(c)
	d := w.long()
	d.Text = strings.Repeat(d.Text, 8)
	j := w.start(c, d)
	cancelled := make(chan error, 1)
	n := 0
	for s, err := range j.Segments(w.ctx) {
		if err != nil {
			if !errors.Is(err, client.ErrCancelled) || n == 0 {
				t.Errorf("after %d texts: %v", n, err)
			}
			break
		}
		if s.Text != "" && n == 0 {
			go func() { cancelled <- j.Cancel(w.ctx) }()
			<-j.Cancelled()
		}
		if s.Text != "" {
			n++
		}
	}
	w.check(<-cancelled)
	for _, err := range j.Segments(w.ctx) {
		if !errors.Is(err, client.ErrCancelled) {
			t.Errorf("a cancelled job: %v", err)
		}
	}
	w.check(j.Close())
	w.check(c.Drain(w.ctx))
	<-told
	earned, err := w.Holder.Ledger.Account(w.ctx, protocol.AccountOf(testnet.Key("miner")))
	w.check(err)
	now := w.balance(c)
	if earned.Earned == 0 || back.Job != j.ID().String() || back.Amount == 0 || now >= had || now < had-j.Quote().Amount+back.Amount-4*gas {
		t.Errorf("the miner has earned %d; %+v came back; the customer has %d of %d, the quote was %d", earned.Earned, back, now, had, j.Quote().Amount)
	}
	if _, err := c.Resume(w.ctx, j.ID()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("resumed: %v", err)
	}
}

// TestVanishedMiner: a miner that leaves with a unit costs nothing: another one does it,
// and is the only one who is paid.
func TestVanishedMiner(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	gone := w.mine("gone")
	logs := c.Report
	c.Report = func(n node.Notice) {
		logs(n)
		if m, ok := n.(node.MinerJoined); ok && m.Miner == gone.account {
			go gone.kill()
		}
	}
	j := w.start(c, w.long())
	done := make(chan error, 1)
	go func() { _, err := j.Text(w.ctx); done <- err }()
	select {
	case <-gone.dead:
	case <-w.ctx.Done():
		t.Fatal("the miner does not bid")
	}
	w.check(w.Mine("miner"))
	w.check(<-done)
	p, err := j.Settle(w.ctx)
	w.check(err)
	if p.Status == client.Unpaid || p.Paid > j.Quote().Amount {
		t.Errorf("%s: %s; %d paid, the quote was %d", p.Status, p.Missing, p.Paid, j.Quote().Amount)
	}
	w.check(j.Close())
	tending, stop := context.WithCancel(w.ctx)
	defer stop()
	go c.Tend(tending)
	w.check(c.Drain(w.ctx))
	var worked bool
	for _, u := range p.Receipt.Units {
		worked = worked || u.Miner == gone.account
	}
	if a, err := w.Holder.Ledger.Account(w.ctx, gone.account); err != nil || !worked && a.Earned != 0 {
		t.Errorf("the miner that is gone has earned %d for nothing, %v", a.Earned, err)
	}
}

// TestVanishedCustomer: the process of a customer is killed when it has accepted two units. The
// miner claims its pay itself. A process on another machine, which has the key and the
// document and nothing else, goes on: no unit is computed twice, none is paid twice, and
// what is left comes back.
func TestVanishedCustomer(t *testing.T) {
	w := newWorld(t)
	m := w.mine("miner")
	dir, err := w.Customer(w.ctx, "ada")
	w.check(err)
	d := w.letter()
	d.Text = strings.Repeat(d.Text, 200)
	w.kill(dir, d, "unit ", 2)
	earned := func() uint64 {
		a, err := w.Holder.Ledger.Account(w.ctx, m.account)
		w.check(err)
		return a.Earned
	}
	for earned() == 0 {
		w.pause()
	}
	key, err := dir.Key()
	w.check(err)
	c, err := client.New(w.ctx, client.Config{
		Network: w.File, Key: key, Dir: home.Dir(t.TempDir()), Listen: []string{"/ip4/127.0.0.1/tcp/0"},
		Report: func(n node.Notice) { t.Log("elsewhere:", n) },
	})
	w.check(err)
	defer c.Close()
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	if r := tr.Receipt; r.Status == client.Unpaid || r.Job.Sequence != 0 {
		t.Errorf("the receipt of the other machine is %s: %s; sequence %d", r.Status, r.Missing, r.Job.Sequence)
	}
	w.check(tr.Receipt.Translation(d.Text, tr.Text))
	w.check(c.Drain(w.ctx))
	if s, got := w.supply(), earned(); s.Escrowed != 0 || got < tr.Receipt.Paid*85/100 {
		t.Errorf("%d in escrow, the miner has earned %d of %d", s.Escrowed, got, tr.Receipt.Paid)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for unit, n := range m.computed { // order-free: each is judged alone
		if n > 1 {
			t.Errorf("unit %s was computed %d times", unit, n)
		}
	}
	if len(m.computed) != len(tr.Receipt.Receipt.Units) {
		t.Errorf("%d units were computed, the job has %d", len(m.computed), len(tr.Receipt.Receipt.Units))
	}
}

// TestResume: a job goes on by its name alone, in a copy of the home too.
func TestResume(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	dir, err := w.Customer(w.ctx, "ada")
	w.check(err)
	d := w.long()
	w.kill(dir, d, "unit ", 1)
	copied := home.Dir(filepath.Join(t.TempDir(), "copy"))
	if out, err := exec.Command("cp", "-r", string(dir), string(copied)).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	jobs, err := home.Named(copied.Jobs())
	w.check(err)
	if len(jobs) != 1 {
		t.Fatalf("jobs %v", jobs)
	}
	c, err := client.Open(w.ctx, copied)
	w.check(err)
	defer c.Close()
	done := 0
	c.Report = func(n node.Notice) {
		if _, ok := n.(node.UnitDone); ok {
			done++
		}
	}
	j, err := c.Resume(w.ctx, jobs[0])
	w.check(err)
	defer j.Close()
	text, err := j.Text(w.ctx)
	w.check(err)
	p, err := j.Settle(w.ctx)
	w.check(err)
	if units := j.Quote().Units; p.Status == client.Unpaid || done >= units || strings.Count(text, "\n") != strings.Count(d.Text, "\n") {
		t.Errorf("%s: %s; %d of %d units were done after the crash", p.Status, p.Missing, done, units)
	}
	w.check(p.Translation(d.Text, text))
	if _, err := c.Resume(w.ctx, block.Link{Cid: link("x").Cid}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a job that never was: %v", err)
	}
	w.check(os.WriteFile(string(copied.Order(jobs[0])), []byte{0x81}, 0o600))
	j.Close()
	if _, err := c.Resume(context.WithoutCancel(w.ctx), jobs[0]); err == nil || !strings.Contains(err.Error(), copied.Order(jobs[0])) {
		t.Errorf("a damaged order: %v", err)
	}
}
