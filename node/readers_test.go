package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/testnet"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/unit"
)

// reading is a network in which peers try to read one another's blocks.
type reading struct {
	*testing.T
	ctx context.Context
	*testnet.Cluster
}

func newReading(t *testing.T) *reading {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	n, err := testnet.Start(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return &reading{t, ctx, n}
}

func (r *reading) peer(name string) *node.Peer {
	r.Helper()
	p, err := r.Peer(r.ctx, name)
	if err != nil {
		r.Fatal(err)
	}
	return p
}

// reads has a peer, which knows the CIDs, ask another peer for blocks. It fails the test
// unless the peer gets all of them, or, if want is false, none, as if they were not there.
func (r *reading) reads(who string, by, from *node.Peer, want bool, blocks map[string]block.Link) {
	r.Helper()
	for what, l := range blocks {
		if !from.Store.Has(l.Cid) {
			r.Errorf("%s is not where %s looks for it", what, who)
		}
		had, _ := by.Store.Get(r.ctx, l.Cid)
		if err := by.Store.Delete(l.Cid); err != nil {
			r.Fatal(err)
		}
		switch err := by.Mesh.Fetch(r.ctx, from.Mesh.Addrs(), l.Cid); {
		case want && err != nil:
			r.Errorf("%s does not get %s: %v", who, what, err)
		case !want && !errors.Is(err, block.ErrNotFound):
			r.Errorf("%s asks for %s: %v, want that it is not found", who, what, err)
		}
		if had != nil {
			if _, err := by.Store.Put(r.ctx, block.Codec(l.Type()), had); err != nil {
				r.Fatal(err)
			}
		}
	}
}

// document is the blocks of a job that its customer made.
func (r *reading) document(customer *node.Peer, job block.Link) map[string]block.Link {
	r.Helper()
	var record unit.Job
	if err := block.GetNode(r.ctx, customer.Store, job, &record); err != nil {
		r.Fatal(err)
	}
	return map[string]block.Link{"the job": job, "the document": record.Input}
}

// TestLesseeReads: while a customer waits for a unit, the holder of its ticket reads the
// unit's text, and no other block of the job. Nobody else reads any.
func TestLesseeReads(t *testing.T) {
	r := newReading(t)
	customer, lessee, stranger := r.peer("customer"), r.peer("lessee"), r.peer("stranger")
	told := &notices{watch: func(node.Notice) {}}
	c := &client.Client{Peer: customer, Report: told.report}
	translating, giveUp := context.WithCancel(r.ctx)
	ended := make(chan error)
	go func() {
		_, err := c.Translate(translating, client.Document{
			Text: strings.Repeat("one and two\n", 1000), Model: r.Model, Holders: r.Holder.Mesh.Addrs(),
		})
		ended <- err
	}()
	told.wait(r.ctx, 1, func(n node.Notice) bool { _, waits := n.(node.Waiting); return waits })
	k := bid(t, r.ctx, lessee, customer.Account(), customer.Mesh.Addrs(), customer.Offers.Open(time.Now())[0].Work)
	ticket, _ := k.ticket()
	u, err := unit.Parse(ticket.Spec)
	if err != nil {
		t.Fatal(err)
	}
	document, text := r.document(customer, u.Work), map[string]block.Link{"the unit's text": u.Inputs[1]}
	r.reads("the lessee", lessee, customer, true, text)
	r.reads("the lessee", lessee, customer, false, document)
	r.reads("a stranger", stranger, customer, false, text)
	r.reads("a stranger", stranger, customer, false, document)
	k.Close()
	told.wait(r.ctx, 1, func(n node.Notice) bool { _, left := n.(node.MinerLeft); return left })
	r.reads("a miner without a session", lessee, customer, false, text)
	k = bid(t, r.ctx, lessee, customer.Account(), customer.Mesh.Addrs(), u.Work)
	ticket, _ = k.ticket()
	if u, err = unit.Parse(ticket.Spec); err != nil {
		t.Fatal(err)
	}
	text = map[string]block.Link{"the unit's text": u.Inputs[1]}
	r.reads("the lessee", lessee, customer, true, text)
	giveUp()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("Translate = %v", err)
	}
	if l := text["the unit's text"]; customer.Store.Has(l.Cid) {
		t.Error("the text of a job that was given up stays in memory")
	}
}

// TestStrangerReads: a document is translated by a miner, over real sessions. Afterwards
// the miner reads nothing of the customer, and only the customer reads what the miner made.
// An open document is for everybody who asks the customer. A private one is done only by the
// miner that is named.
func TestStrangerReads(t *testing.T) {
	for _, level := range []client.Privacy{client.PrivacySealed, client.PrivacyOpen, client.PrivacyPrivate} {
		t.Run(string(level), func(t *testing.T) { strangerReads(t, level) })
	}
}

func strangerReads(t *testing.T, level client.Privacy) {
	r := newReading(t)
	customer, miner, stranger := r.peer("customer"), r.peer("miner"), r.peer("stranger")
	mining, stop := context.WithCancel(r.ctx)
	defer stop()
	told := &notices{watch: func(node.Notice) {}}
	c := &client.Client{Peer: customer, Report: told.report}
	d := client.Document{Text: "one and two\n\nthree and four\n", Model: r.Model, Holders: r.Holder.Mesh.Addrs(), Budget: protocol.Coin / 2, Privacy: level}
	if err := r.Fund(r.ctx, customer.Key); err != nil {
		t.Fatal(err)
	}
	if level == client.PrivacyPrivate {
		if _, err := c.Start(r.ctx, d); err == nil || !strings.Contains(err.Error(), "--miner") {
			t.Errorf("a private document for nobody: %v", err)
		}
		d.Miners = []protocol.Account{miner.Account()}
		other := r.peer("other")
		told.watch = func(n node.Notice) {
			if j, ok := n.(node.MinerJoined); ok && j.Miner == other.Account() {
				t.Error("a miner that was not named has joined")
			}
		}
		earner(t, mining, other, node.Policy{WorkForFree: true}, func(node.Notice) {})
		// The named miner comes when the other was refused.
		refused := make(chan struct{})
		go func() {
			told.wait(r.ctx, 1, func(n node.Notice) bool {
				f, is := n.(node.Refused)
				return is && f.Miner == other.Account() && f.Code == protocol.NotChosen.String()
			})
			close(refused)
			earner(t, mining, miner, node.Policy{WorkForFree: true}, func(node.Notice) {})
		}()
		defer func() { <-refused }()
	} else {
		earner(t, mining, miner, node.Policy{WorkForFree: true}, func(node.Notice) {})
	}
	tr, err := c.Translate(r.ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(r.ctx, r.Holder.Store, r.Model)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := m.Translate(m.Model.NewEngine(dev), []string{"one and two", "three and four"}, unit.Greedy)
	if err != nil {
		t.Fatal(err)
	}
	if want := lines[0] + "\n\n" + lines[1] + "\n"; tr.Text != want {
		t.Errorf("the translation is %q, this process translates to %q", tr.Text, want)
	}
	link, result := resultOf(t, tr)
	document := r.document(customer, tr.Receipt.Link)
	text := tr.Receipt.Receipt.Units[0].Input
	made := map[string]block.Link{"the result": link, "the translation": result.Outputs[0]}
	for _, blocks := range []map[string]block.Link{document, made} {
		r.reads("a stranger", stranger, customer, level == client.PrivacyOpen, blocks)
		r.reads("the miner", miner, customer, level == client.PrivacyOpen, blocks)
	}
	if level != client.PrivacyOpen && miner.Store.Has(text.Cid) {
		t.Error("the miner keeps the text of a unit that it has computed")
	}
	r.reads("a stranger", stranger, miner, false, made)
	r.reads("the customer", customer, miner, true, made)
	r.reads("a stranger", stranger, r.Holder, true, map[string]block.Link{"the model": r.Model, "its parameters": r.Params})
}

// resultOf is the result of a translation of one unit.
func resultOf(t *testing.T, tr *client.Translation) (block.Link, unit.Result) {
	t.Helper()
	data := tr.Receipt.Receipt.Units[0].Result
	r, err := unit.ParseResult(data)
	if err != nil {
		t.Fatal(err)
	}
	return block.Link{Cid: block.Sum(block.CBOR, data)}, r
}

// TestTextThief: a publisher that knows the CID of a customer's text, but not the text,
// has the miner of the customer neither translate the text nor hand over the translation.
// A publisher that has the text is served.
func TestTextThief(t *testing.T) {
	r := newReading(t)
	customer, miner, thief := r.peer("customer"), r.peer("miner"), r.peer("thief")
	mining, stop := context.WithCancel(r.ctx)
	defer stop()
	earner(t, mining, miner, node.Policy{WorkForFree: true}, func(node.Notice) {})
	if err := r.Fund(r.ctx, customer.Key); err != nil {
		t.Fatal(err)
	}
	tr, err := (&client.Client{Peer: customer}).Translate(r.ctx, client.Document{
		Text: "one and two\n", Model: r.Model, Holders: r.Holder.Mesh.Addrs(), Budget: protocol.Coin / 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	in := unit.NewText([]string{"one and two"}, nil).WithSalt(tr.Receipt.Job.TextSalt(0))
	text, err := block.LinkOf(in)
	if err != nil || text != tr.Receipt.Receipt.Units[0].Input {
		t.Fatalf("the text is %s, %v", text, err)
	}
	link, result := resultOf(t, tr)
	if !miner.Store.Has(result.Outputs[0].Cid) {
		t.Fatal("the translation is not at the miner")
	}
	d := &publisherEnd{T: t, ctx: r.ctx, peer: thief, sessions: sessionsOf(r.ctx, thief)}
	for _, work := range []block.Link{tr.Receipt.Link, named("the thief's")} {
		d.offer(miner, &protocol.JobOffer{Job: work, Time: clock(), Src: "en", Dst: "de", Model: r.Model, Addrs: thief.Mesh.Addrs()})
		k := d.meet()
		u := unit.Unit{Version: 1, Kind: unit.Translate, Work: work, Inputs: []block.Link{r.Model, text}, Decoding: unit.Greedy}
		if work == tr.Receipt.Link && u.ID() != result.Unit {
			t.Error("the thief's unit is not the customer's")
		}
		d.lease(k, u)
		var back protocol.Cancel
		if k.next(&back); back.Code != protocol.InputUnavailable {
			t.Errorf("the ticket is given back as %v, %q", back.Code, back.Detail)
		}
		// Now the publisher has the text.
		if _, err := block.PutNode(r.ctx, public(thief), in); err != nil {
			t.Fatal(err)
		}
		d.lease(k, u)
		var a protocol.Attestation
		if k.next(&a); work == tr.Receipt.Link && a.Result != link {
			t.Errorf("the result is %s, the customer's %s", a.Result, link)
		}
		if err := thief.Store.Delete(text.Cid); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResultOfOthersBlocks: a miner that attests a block of the publisher, which it does
// not have, gets the same answer whether the publisher has the block or not.
func TestResultOfOthersBlocks(t *testing.T) {
	v := newVillage(t)
	p := v.peer("publisher")
	publisher, plan, units := v.publish(p, v.report("publisher"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until(t, ctx, p, publisher, units[:2], false, func() {
		secret, err := block.PutNode(ctx, block.Owned{Store: p.Store, Owner: node.JobOwner(named("job"))}, unit.Text{Version: 1, Segments: []string{"a letter"}})
		if err != nil {
			t.Fatal(err)
		}
		for name, result := range map[string]block.Link{"a letter of the publisher": secret, "nothing": {Cid: block.Sum(block.CBOR, []byte("nothing"))}} {
			k := bid(t, ctx, v.peer(name), p.Account(), p.Mesh.Addrs(), plan.Link)
			ticket, body := k.ticket()
			id := protocol.ID(body)
			k.sign(attest(ticket, id, result))
			if got := k.refused(id); got != protocol.ResultUnavailable {
				t.Errorf("%s is refused as %v", name, got)
			}
		}
	})
}
