package client_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// bent is a device that computes wrong numbers: every product of matrices has another sign.
type bent struct{ kernel.Device }

func (b bent) Do(c *kernel.Call) {
	b.Device.Do(c)
	if c.Op == kernel.MatMul {
		for i := range c.Out[0].F {
			c.Out[0].F[i] = -c.Out[0].F[i]
		}
	}
}

func (b bent) Group(calls []kernel.Call) {
	for i := range calls {
		b.Do(&calls[i])
	}
}

// mineOn has a peer mine on a device. stop ends it.
func (w *world) mineOn(p *node.Peer, dev kernel.Device) (stop func()) {
	w.Helper()
	m := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Policy: w.Policy, Report: func(n node.Notice) { w.Logf("miner: %v", n) },
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
	}
	ctx, cancel := context.WithCancel(w.ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, [][2]string{{"en", "de"}}) }); err != nil {
			w.Error(err)
		}
	})
	stop = func() { cancel(); running.Wait() }
	w.Cleanup(stop)
	return stop
}

func portable(t *testing.T) kernel.Device {
	t.Helper()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// recompute translates with the model of the network, in this process.
func (w *world) recompute() func(context.Context, block.Link, unit.Text, unit.Decoding) ([]string, error) {
	w.Helper()
	m, err := model.Load(w.ctx, w.Holder.Store, w.Model)
	w.check(err)
	e := m.Model.NewEngine(portable(w.T))
	return func(_ context.Context, l block.Link, in unit.Text, d unit.Decoding) ([]string, error) {
		if l != w.Model {
			w.Errorf("asked for model %s", l)
		}
		return m.TranslateText(e, in, d)
	}
}

// TestCheck: a miner that computes wrong numbers is caught by the customer's check. It is not
// paid, and not asked again, also not when the job is started again; the proof stays, sealed.
// Another miner does the work.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	d := w.letter()
	d.Text = strings.Repeat(d.Text, 20)
	d.CheckPPM = 1_000_000
	if _, err := c.Start(w.ctx, d); err == nil || !strings.Contains(err.Error(), "Recompute") {
		t.Fatalf("a check without a model: %v", err)
	}
	c.Recompute = w.recompute()
	told := make(chan string, 100) // the codes of refusals
	c.Report = func(n node.Notice) {
		t.Logf("customer: %v", n)
		if r, is := n.(node.Refused); is {
			told <- r.Code
		}
	}
	await := func(want protocol.Reason) {
		t.Helper()
		select {
		case got := <-told:
			if got != want.String() {
				t.Errorf("the liar is refused as %s, want %v", got, want)
			}
		case <-w.ctx.Done():
			t.Fatal("the liar is not refused")
		}
	}
	liar, err := w.Peer(w.ctx, "liar")
	w.check(err)
	stop := w.mineOn(liar, bent{portable(t)})
	j, err := c.Start(w.ctx, d)
	w.check(err)
	ctx, end := context.WithCancel(w.ctx)
	go func() { await(protocol.ResultMismatch); end() }()
	if _, err := j.Text(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the liar's text: %v", err)
	}
	if n := j.Checked(); n != 40 {
		t.Errorf("%d segments were checked", n)
	}
	w.check(j.Close())
	stop()
	for len(told) > 0 {
		<-told
	}
	stop = w.mineOn(liar, bent{portable(t)})
	j, err = c.Start(w.ctx, d)
	w.check(err)
	defer j.Close()
	go func() { await(protocol.Barred); w.Mine("honest") }()
	got, err := j.Text(w.ctx)
	w.check(err)
	stop()
	p, err := j.Settle(w.ctx)
	w.check(err)
	for _, u := range p.Receipt.Units {
		if u.Miner == liar.Account() {
			t.Error("the liar is paid")
		}
	}
	w.check(p.Translation(d.Text, got))
	wrong, err := c.Wrong(j.ID())
	w.check(err)
	if len(wrong) != 1 {
		t.Fatalf("%d proofs", len(wrong))
	}
	w.proves(c, wrong[0], liar.Account())
	if onDisk(t, string(c.Peer.Home), []string{"one and two"}) {
		t.Error("the proof lies on the disk as it is")
	}

	// Without a check the liar gets away with it.
	unchecked := d
	unchecked.CheckPPM, unchecked.Sequence = 0, 7
	w.mineOn(liar, bent{portable(t)})
	unchecked.Miners = []protocol.Account{liar.Account()}
	bad, err := c.Translate(w.ctx, unchecked)
	w.check(err)
	if bad.Text == got {
		t.Error("the liar tells the truth")
	}
}

// proves fails the test unless the proof shows that a miner signed a wrong result.
func (w *world) proves(c *client.Client, p client.Wrong, liar protocol.Account) {
	w.Helper()
	var at protocol.Attestation
	w.check(protocol.Parse(p.Attestation, c.Peer.Net, &at))
	u, err := unit.Parse(p.Spec)
	w.check(err)
	r, err := unit.ParseResult(p.Result)
	w.check(err)
	var in, out unit.Text
	w.check(block.Decode(p.Source, &in))
	w.check(block.Decode(p.Target, &out))
	if at.Account != liar || at.Unit != u.ID() || at.Result.Cid != block.Sum(block.CBOR, p.Result) ||
		u.Inputs[1].Cid != block.Sum(block.CBOR, p.Source) || r.Outputs[0].Cid != block.Sum(block.CBOR, p.Target) {
		w.Error("the parts of the proof do not fit together")
	}
	all, err := c.Recompute(w.ctx, u.Inputs[0], in, u.Decoding)
	w.check(err)
	if all[p.Segment] != p.Computed || out.Segments[p.Segment] == p.Computed {
		w.Errorf("segment %d is %q, and %q is claimed; the proof says %q", p.Segment, all[p.Segment], out.Segments[p.Segment], p.Computed)
	}
}

// TestDraw: each segment is drawn with its probability, by itself, and otherwise each time.
func TestDraw(t *testing.T) {
	if n := len(client.Draw(1000, 0)); n != 0 {
		t.Errorf("%d of none", n)
	}
	if n := len(client.Draw(1000, 1_000_000)); n != 1000 {
		t.Errorf("%d of all", n)
	}
	const n, ppm, rounds = 200, 30_000, 2000
	times := make([]int, n)
	caught := 0 // a unit of n made-up segments
	for range rounds {
		drawn := client.Draw(n, ppm)
		for _, i := range drawn {
			times[i]++
		}
		if len(drawn) > 0 {
			caught++
		}
	}
	sum := 0
	for i, k := range times { // 60 each, with a deviation of 7.6
		if sum += k; k < 60-6*8 || k > 60+6*8 {
			t.Errorf("segment %d was drawn %d times", i, k)
		}
	}
	if mean, dev := float64(n*rounds)*ppm/1e6, math.Sqrt(n*rounds*0.03*0.97); math.Abs(float64(sum)-mean) > 6*dev {
		t.Errorf("%d segments were drawn, want about %.0f", sum, mean)
	}
	// 1 - 0.97^200 = 0.9977: four or five of 2000 are missed.
	if caught < rounds-20 {
		t.Errorf("%d of %d units were caught", caught, rounds)
	}
	if slices.Equal(client.Draw(1000, 500_000), client.Draw(1000, 500_000)) {
		t.Error("the same draw twice")
	}
}

// onDisk reports whether a file below a directory holds one of some texts.
func onDisk(t *testing.T, dir string, texts []string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, text := range texts {
			if strings.Contains(string(data), text) {
				t.Logf("%s holds %q", path, text)
				found = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestNothingInPlain: neither the miner's disk nor the customer's ever has the text of a
// document or its translation as it is: while the work goes on, after it, after the customer
// was killed, and after what nobody needs is deleted. An open document may lie there.
func TestNothingInPlain(t *testing.T) {
	w := newWorld(t)
	miner, err := w.Peer(w.ctx, "miner")
	w.check(err)
	w.mineOn(miner, portable(t))
	dir, err := w.Customer(w.ctx, "ada")
	w.check(err)
	d := w.letter()
	d.Text = strings.Repeat(d.Text, 250)
	secrets := []string{"one and two", "three and four"}
	homes := []string{string(miner.Home), string(dir)}
	look := func(when string) {
		t.Helper()
		for _, h := range homes {
			if onDisk(t, h, secrets) {
				t.Errorf("%s the text lies in %s", when, h)
			}
		}
	}
	w.kill(dir, d, "unit", 2)
	look("after the customer is killed")
	c, err := client.Open(w.ctx, dir)
	w.check(err)
	defer c.Close()
	j, err := c.Start(w.ctx, d)
	w.check(err)
	for s, err := range j.Segments(w.ctx) {
		w.check(err)
		if len(s.Text) > 3 && !slices.Contains(secrets, s.Text) {
			secrets = append(secrets, s.Text)
		}
		if s.Index == 0 {
			look("during the work")
		}
	}
	_, err = j.Settle(w.ctx)
	w.check(err)
	w.check(j.Close())
	look("after the work")
	_, err = c.Peer.Store.Sweep(w.ctx, 0)
	w.check(err)
	w.check(c.Close())
	look("after the rest is deleted")
	if n := sealedFiles(t, string(dir)); n == 0 {
		t.Error("nothing is sealed: where are the results?")
	}

	// What a crash left of a job that the home does not know is deleted at the next start.
	w.check(os.RemoveAll(dir.Job(j.ID())))
	c, err = client.Open(w.ctx, dir)
	w.check(err)
	w.check(c.Close())
	if n := sealedFiles(t, string(dir)); n != 0 {
		t.Errorf("%d sealed blocks of no job stay", n)
	}

	open := w.customer("open", true)
	d = w.letter()
	d.Privacy = client.PrivacyOpen
	_, err = open.Translate(w.ctx, d)
	w.check(err)
	if !onDisk(t, string(open.Peer.Home), secrets) {
		t.Error("the search finds not even an open document")
	}
}

func sealedFiles(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blocks", "sealed", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestHashesTellNothing: who guesses a text, and knows all that is public and all that the
// customer's other miners know, cannot tell that the guess is right.
func TestHashesTellNothing(t *testing.T) {
	w := newWorld(t)
	w.check(w.Mine("miner"))
	c, twin := w.customer("customer", true), w.customer("twin", true)
	d := w.letter()
	d.Text = "one and two\n"
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	same, err := twin.Translate(w.ctx, d)
	w.check(err)
	guess, err := block.LinkOf(unit.NewText([]string{"one and two"}, nil))
	w.check(err)
	line, other := tr.Receipt.Receipt.Units[0], same.Receipt.Receipt.Units[0]
	r, err := unit.ParseResult(line.Result)
	w.check(err)
	rr, err := unit.ParseResult(other.Result)
	w.check(err)
	translation, err := block.LinkOf(unit.NewText([]string{strings.TrimSpace(tr.Text)}, nil))
	w.check(err)
	if line.Input == guess || line.Input == other.Input || tr.Receipt.Job.Input == guess || r.Outputs[0] == translation || r.Outputs[0] == rr.Outputs[0] {
		t.Error("a hash confirms a guess")
	}
	if tr.Text != same.Text {
		t.Errorf("equal texts become %q and %q", tr.Text, same.Text)
	}
	d.Privacy = client.PrivacyOpen
	open, err := c.Translate(w.ctx, d)
	w.check(err)
	if open.Receipt.Receipt.Units[0].Input != guess || open.Text != tr.Text {
		t.Error("an open text has no plain hash, or another translation")
	}
}

// TestRobbed: a miner whose result the customer has refused claims the unit with its ticket
// all the same, which the ledger cannot know. The customer neither waits for that miner, which
// it bars, nor gives the unit to one who would not be paid: it says what is lost, gets the rest
// back, and the document is a new job, of which the old tickets are worth nothing.
func TestRobbed(t *testing.T) {
	w := newWorld(t)
	c := w.customer("customer", true)
	d := w.letter()
	d.Text, d.CheckPPM, d.Hold = strings.Repeat(d.Text, 20), 1_000_000, 5
	c.Recompute = w.recompute()
	refused := make(chan struct{}, 100)
	c.Report = func(n node.Notice) {
		t.Logf("customer: %v", n)
		if _, is := n.(node.Refused); is {
			refused <- struct{}{}
		}
	}
	liar, err := w.Peer(w.ctx, "liar")
	w.check(err)
	stop := w.mineOn(liar, bent{portable(t)})
	j := w.start(c, d)
	ctx, end := context.WithCancel(w.ctx)
	go func() { <-refused; end() }()
	if _, err := j.Text(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the liar's text: %v", err)
	}
	w.check(j.Close())
	stop()

	wrong, err := c.Wrong(j.ID())
	w.check(err)
	if len(wrong) != 1 {
		t.Fatalf("%d proofs", len(wrong))
	}
	var at protocol.Attestation
	w.check(protocol.Parse(wrong[0].Attestation, c.Peer.Net, &at))
	slot, ticket := w.ticket(liar, at)
	nonce, err := liar.Sender.Send(w.ctx, ledger.JobClaim{
		Customer: c.Account(), Job: j.ID(), Units: []ledger.JobWork{{
			Slot: slot.Slot, Path: slot.Path, Ticket: ticket, Work: ledger.SlotWork{
				Unit: at.Unit, Result: at.Result, Ticket: at.Ticket, Record: wrong[0].Result, Account: at.Account, Sig: at.Sig,
			},
		}},
	})
	w.check(err)
	w.check(liar.Sender.Confirm(w.ctx, nonce))

	w.Mine("honest")
	again := w.start(c, d)
	if _, err := again.Text(w.ctx); !errors.Is(err, node.ErrTaken) || !strings.Contains(err.Error(), liar.Account().String()) || !strings.Contains(err.Error(), "start it again") {
		t.Fatalf("the robbed job: %v", err)
	}
	w.check(again.Close())
	for w.escrows(c) > 0 {
		w.check(w.ctx.Err())
		_, err := c.Customer().Reclaim(w.ctx)
		w.check(err)
		w.pause()
	}
	tr, err := c.Translate(w.ctx, d)
	w.check(err)
	if r := tr.Receipt; r.Job.Sequence != 1 || r.Status == client.Unpaid {
		t.Errorf("the document again is job %d, and %s: %s", r.Job.Sequence, r.Status, r.Missing)
	}
}

// ticket is the ticket of a wrong result, and the proof of its unit's slot, as the miner's
// journal has them.
func (w *world) ticket(miner *node.Peer, at protocol.Attestation) (protocol.SlotProof, []byte) {
	w.Helper()
	j, err := miner.OpenJournal(miner.Home.MinerJournal())
	w.check(err)
	defer j.Close()
	entries, err := j.Slots(at.Unit)
	w.check(err)
	var all []protocol.Ticket
	for _, e := range entries {
		all = append(all, e.Tickets...)
		for _, v := range e.Voided {
			all = append(all, v.Tickets...)
		}
	}
	for _, t := range all {
		body, err := protocol.Encode(&t)
		w.check(err)
		if protocol.ID(body) == at.Ticket {
			return t.Proof[0], body
		}
	}
	w.Fatal("the journal does not have the ticket")
	return protocol.SlotProof{}, nil
}
