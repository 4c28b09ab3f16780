package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/ledgertest"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/unit"
)

// judging runs the part of a miner that asks the ledger, in a bubble of synctest, and
// gives what the policy says of the offers by work: "bids", or the code of a reason.
type judging struct {
	*testing.T
	policy node.Policy
	books  *ledgertest.InMemory
	offers *node.Offers
}

func judge(t *testing.T, policy node.Policy, f func(j *judging)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j := &judging{t, policy, ledgertest.New(t), node.NewOffers(someNet)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go node.Judge(ctx, policy, j.books, j.offers)
		f(j)
	})
}

// take has a peer bring an offer.
func (j *judging) take(who string, o protocol.Signed) {
	j.Helper()
	body, err := protocol.Sign(key(who), someNet, o)
	if err == nil {
		err = j.offers.Take(time.Now(), who, "", protocol.EncodedOffer{Type: o.Type(), Body: body})
	}
	if err != nil {
		j.Fatal(err)
	}
}

// run has a coordinator offer a run.
func (j *judging) run(who, run string) {
	j.take(who, &protocol.RunOffer{Run: named(run), Time: clock(), Rounds: 1, Units: 1})
}

// job has a customer offer a job.
func (j *judging) job(who, job, src, dst string, price uint64) {
	j.take(who, &protocol.JobOffer{Job: named(job), Time: clock(), Src: src, Dst: dst, Model: named("model"), Price: price})
}

// propose has a coordinator propose a run.
func (j *judging) propose(who, run string) {
	groups := []protocol.SlotGroup{protocol.GroupOf([]protocol.Slot{{Kind: 1, Task: named(run), Most: 1}}), protocol.GroupOf(nil)}
	j.send(who, ledger.RunPropose{Run: named(run), Silence: 100, Plan: ledger.Plan{
		Function: named("function of " + run), Root: protocol.PlanRoot(groups), Groups: 2, Cost: 1,
	}})
}

// approve has the validators approve a run.
func (j *judging) approve(who, run string) {
	j.propose(who, run)
	j.books.Vote(named(run), protocol.AccountOf(key(who)), true)
}

// escrow has ada open an escrow for a job.
func (j *judging) escrow(job string, price, amount uint64) {
	j.send("ada", ledger.EscrowOpen{Job: named(job), Units: protocol.SlotGroup{Slots: 1}, Amount: amount, Price: price, Deadline: j.books.State().Height() + 1000})
}

func (j *judging) send(who string, body ledger.Body) {
	j.Helper()
	if _, err := j.books.Sender(key(who)).Send(j.Context(), body); err != nil {
		j.Fatal(err)
	}
}

// after lets time pass and compares what the policy says of each offer.
func (j *judging) after(d time.Duration, want ...string) {
	j.Helper()
	time.Sleep(d)
	synctest.Wait()
	var got []string
	for _, o := range j.offers.Open(time.Now()) {
		why, over := node.Admits(j.policy, o)
		code := "bids"
		if over {
			code = why.Code
			if why.Text == "" {
				j.Errorf("%s has no text", code)
			}
		}
		got = append(got, code)
	}
	if !slices.Equal(got, want) {
		j.Errorf("the offers are judged %v, want %v", got, want)
	}
}

// rate is what the test ledger pays for a GFLOP of training.
const rate = 100_000

// TestPolicyOfRuns: a miner bids on a run when it is approved, for the account that
// coordinates it and no other, and when the ledger's rate is enough.
func TestPolicyOfRuns(t *testing.T) {
	judge(t, node.Policy{PriceMin: rate}, func(j *judging) {
		j.run("coordinator", "run")
		j.run("squatter", "run")
		j.after(0, "not-approved", "not-approved")
		j.propose("coordinator", "run")
		j.after(time.Second, "not-approved", "not-approved")
		j.books.Vote(named("run"), protocol.AccountOf(key("coordinator")), true)
		j.after(10*time.Second, "bids", "not-approved")
	})
	judge(t, node.Policy{PriceMin: rate + 1000}, func(j *judging) {
		j.approve("coordinator", "run")
		j.run("coordinator", "run")
		j.after(time.Second, "price-too-high")
	})
	judge(t, node.Policy{}, func(j *judging) {
		j.approve("coordinator", "run")
		j.send("coordinator", ledger.RunEnd{Run: named("run")})
		j.run("coordinator", "run")
		j.after(time.Second, "not-approved")
	})
}

// TestPolicyOfJobs: a miner bids on a job with an escrow that pays what the offer
// promises, in its languages and for its price.
func TestPolicyOfJobs(t *testing.T) {
	judge(t, node.Policy{PriceMin: 10, Languages: [][2]string{{"en", "de"}}}, func(j *judging) {
		j.books.Earn(key("ada"), 1000)
		j.escrow("good", 10, 1)
		j.escrow("mean", 10, 1)
		j.escrow("cheap", 9, 1)
		j.job("ada", "good", "en", "de", 10)
		j.job("squatter", "good", "en", "de", 10)
		j.job("ada", "none", "en", "de", 10)
		j.job("ada", "mean", "en", "de", 11)
		j.job("ada", "cheap", "en", "de", 9)
		j.job("ada", "gift", "en", "de", 0)
		j.job("ada", "other", "en", "fr", 10)
		j.after(time.Second, "bids", "unpaid", "unpaid", "unpaid", "price-too-high", "unpaid", "other-language")
		// What the offer itself rules out is not asked of the ledger.
		if want, got := 4+3, j.books.Reads(); got > want {
			j.Errorf("the ledger was asked %d times, want at most %d", got, want)
		}
	})
	judge(t, node.Policy{WorkForFree: true}, func(j *judging) {
		j.job("ada", "gift", "en", "de", 0)
		j.run("coordinator", "run")
		j.after(0, "bids", "bids")
	})
}

// TestPolicyWithoutLedger: while the ledger is away, new offers wait for it and work
// that is known to be paid goes on.
func TestPolicyWithoutLedger(t *testing.T) {
	judge(t, node.Policy{}, func(j *judging) {
		j.approve("coordinator", "run")
		j.approve("coordinator", "run 2")
		j.run("coordinator", "run")
		j.after(time.Second, "bids")
		j.books.Break(func(string) error { return light.ErrUnreachable })
		j.run("coordinator", "run 2")
		j.after(70*time.Second, "bids", "chain-unreachable")
		j.run("coordinator", "run")
		j.run("coordinator", "run 2")
		j.books.Break(nil)
		j.after(31*time.Second, "bids", "bids")
	})
}

// TestFloodOfOffers: of a thousand offers a second, for a minute (less under -short), few are verified and
// fewer kept; the ledger is asked at its own pace; honest offers are judged all the
// while.
func TestFloodOfOffers(t *testing.T) {
	judge(t, node.Policy{}, func(j *judging) {
		start, refused := time.Now(), map[protocol.Reason]int{}
		junk := flooding(t, 1000)
		seconds := 60
		if testing.Short() {
			seconds = 10
		}
		for second := range seconds {
			for i, o := range junk(time.Now()) {
				err := j.offers.Take(time.Now(), fmt.Sprint("bad ", second/20), "", o)
				if reason := protocol.ReasonOf(err); err != nil {
					refused[reason]++
				} else if i >= 600 {
					t.Fatalf("in second %d %d offers of one peer are taken", second, i+1)
				}
			}
			if second%10 == 0 {
				j.approve("coordinator", fmt.Sprint("run ", second))
			}
			if second%5 == 0 { // a publisher repeats its offers
				for run := range second/10 + 1 {
					j.run("coordinator", fmt.Sprint("run ", 10*run))
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		var paid, open int
		for _, o := range j.offers.Open(time.Now()) {
			open++
			if o.Verdict.Paid() {
				paid++
			}
		}
		if taken := 1000*seconds - refused[protocol.RateLimited]; taken > 3*512+60*32 {
			t.Errorf("%d signatures were verified", taken)
		}
		if open > 2048 || paid != seconds/10 {
			t.Errorf("%d offers are open, %d are paid, want %d", open, paid, seconds/10)
		}
		// An approved run takes two reads, another offer one.
		asked := j.books.Reads()
		if most := int(time.Since(start)/time.Second)*20 + 40; asked > most {
			t.Errorf("the ledger was asked %d times, want at most %d", asked, most)
		}
		t.Logf("%d open, %d paid, the ledger asked %d times, refused %v", open, paid, asked, refused)
	})
}

// flooding makes as many offers of fresh accounts each time it is called.
func flooding(t *testing.T, n int) func(at time.Time) []protocol.EncodedOffer {
	number := 0
	return func(at time.Time) []protocol.EncodedOffer {
		offers := make([]protocol.EncodedOffer, n)
		for i := range offers {
			number++
			name := fmt.Sprint("fresh ", number)
			offers[i] = runOffer(t, name, name, at)
		}
		return offers
	}
}

// TestPassedOver: a miner says once why it passes over an offer, lists it while it is
// open, and bids as soon as the run is approved.
func TestPassedOver(t *testing.T) {
	v := newVillage(t)
	p := v.peer("coordinator")
	said := make(chan node.Notice, 100)
	v.watch = func(n node.Notice) {
		switch n.(type) {
		case node.PassedOver, node.Bidding:
			said <- n
		}
	}
	v.miner("miner", "portable")
	body, err := protocol.Sign(key("stranger"), p.Net, &protocol.RunOffer{Run: named("run"), Time: clock(), Rounds: 1, Units: 1})
	if err == nil {
		err = p.Offers.Take(time.Now(), "stranger", "", protocol.EncodedOffer{Type: protocol.TypeRunOffer, Body: body})
	}
	if err != nil {
		t.Fatal(err)
	}
	n := (<-said).(node.PassedOver)
	if n.Work != named("run").String() || n.Reason.Code != protocol.NotApproved.String() || !strings.Contains(n.Reason.Text, "proposed") {
		t.Errorf("the miner says %+v", n)
	}
	if all := v.miners[0].PassedOver(); len(all) != 1 || all[0] != n {
		t.Errorf("passed over: %+v", all)
	}
	v.coordinate(p, nil)
	bids := 0
	for len(said) > 0 {
		switch n := (<-said).(type) {
		case node.PassedOver:
			if n.Work == named("run").String() {
				t.Errorf("the miner says again: %v", n)
			}
		case node.Bidding:
			bids++
		}
	}
	if bids == 0 {
		t.Error("the miner never bid on the approved run")
	}
}

// TestDeadPublishers: a publisher that is gone is dialled less and less often, one that
// repeats its offer as soon as it does.
func TestDeadPublishers(t *testing.T) {
	const s = time.Second
	if got, want := node.Pauses(7, 0), []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s}; !slices.Equal(got, want) {
		t.Errorf("a dead publisher is dialled after %v, want %v", got, want)
	}
	for i, got := range node.Pauses(20, 5*s) {
		if got > 5*s {
			t.Errorf("a publisher that is there is dialled after %v, the time number %d", got, i+1)
		}
	}
}

// TestSmallEscrow: a customer whose escrow pays for nothing, and who accepts every
// result, has a few units done and not the whole document.
func TestSmallEscrow(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	const price = 10 * protocol.Coin
	customer := n.Holder
	job, units := document(t, n, 40)
	if err := n.Fund(ctx, customer.Key); err != nil {
		t.Fatal(err)
	}
	most := make([]uint64, len(units))
	for i := range most {
		most[i] = 1000
	}
	slots := node.JobSlots(units, most)
	sender := customer.Ledger.Sender(customer.Key)
	nonce, err := sender.Send(ctx, ledger.EscrowOpen{Job: job, Units: protocol.GroupOf(slots), Amount: 1, Price: price, Deadline: 10_000})
	if err == nil {
		err = sender.Confirm(ctx, nonce)
	}
	if err != nil {
		t.Fatal(err)
	}
	peer, err := n.Peer(ctx, "miner")
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int32
	m := &node.Miner{
		Peer: peer, Workers: []*work.Worker{work.NewWorker(dev)},
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
		Report: func(n node.Notice) {
			switch n := n.(type) {
			case node.UnitDone:
				done.Add(1)
			case node.Refused:
				t.Log(n)
				if n.Code == protocol.OverBudget.String() {
					cancel()
				}
			}
		},
	}
	j, err := customer.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p := node.NewPublisher(node.PublisherConfig{
		Peer: customer, Journal: j, Work: job, Price: price, Proof: node.JobProof(slots), Escrow: nonce, Estimate: func(unit.Unit) uint64 { return 1 }, Report: func(node.Notice) {},
		Offer: func(time uint64, addrs []string) protocol.Signed {
			return &protocol.JobOffer{Job: job, Time: time, Src: "en", Dst: "de", Model: n.Model, Price: price, Addrs: addrs}
		},
	})
	err = node.Together(ctx, func(ctx context.Context) error { _, err := p.Do(ctx, units); return err }, p.Run, m.Run,
		func(ctx context.Context) error { return peer.Listen(ctx, [][2]string{{"en", "de"}}) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the miner worked on: %v", err)
	}
	if n := done.Load(); n == 0 || n > 8 {
		t.Errorf("%d of %d units were done for nothing", n, len(units))
	}
}

// document stores a job of n sentences, each a unit.
func document(t *testing.T, n *testnet.Cluster, sentences int) (job block.Link, units []unit.Unit) {
	t.Helper()
	put := func(v any) block.Link {
		l, err := block.PutNode(t.Context(), n.Holder.Store, v)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	text := unit.Text{Version: 1}
	for i := range sentences {
		text.Segments = append(text.Segments, fmt.Sprintf("one two three %d", i))
	}
	job = put(unit.Job{Version: 1, Customer: n.Holder.Account(), Model: n.Model, Input: put(text), Decoding: unit.Greedy})
	for i, s := range text.Segments {
		part := put(unit.Text{Version: 1, Segments: []string{s}})
		units = append(units, unit.Unit{
			Version: 1, Kind: unit.Translate, Work: job, Index: uint32(i), Inputs: []block.Link{n.Model, part}, Decoding: unit.Greedy,
		})
	}
	return job, units
}
