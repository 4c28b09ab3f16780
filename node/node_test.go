package node_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/chain"
	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/client"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
	"github.com/alia-network/alia/work/unit"
)

// village is a network in one process: a real ledger node on loopback, and
// peers that find one another through the first of them.
type village struct {
	t       *testing.T
	network node.Network
	chain   *chain.Node
	policy  node.Policy   // of miners
	watch   node.Reporter // of miners; nil: none
	first   atomic.Pointer[node.Peer]

	mu     sync.Mutex // guards miners
	miners []*node.Miner
}

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newVillage(t *testing.T) *village {
	t.Helper()
	dir := t.TempDir()
	params := ledger.LocalParams()
	params.Gas, params.Step = 1, 1<<20 // a run of a test earns little, at a rate that hardly changes
	genesis, err := chain.Init(dir, "village", params)
	if err != nil {
		t.Fatal(err)
	}
	v := &village{t: t}
	c, err := chain.Start(t.Context(), chain.Config{Home: dir, RPCListen: "127.0.0.1:0", BlockInterval: 200 * time.Millisecond, Approve: v.approve})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	v.chain, v.network = c, node.Network{Name: "village", Genesis: genesis, Ledger: []string{c.RPC()}}
	return v
}

// approve is how the ledger node votes: as a validator whose peer is the first of the
// village.
func (v *village) approve(ctx context.Context, r ledger.RunState) (bool, error) {
	p := v.first.Load()
	if p == nil {
		return false, errors.New("the village has no peer yet")
	}
	return node.Approve(p)(ctx, r)
}

// villagePay is what the village's ledger mints for work of a run of some MFLOP.
func villagePay(mflop uint64) uint64 { return 100 * mflop }

// allPaid waits until the ledger has paid everything that was claimed.
func (v *village) allPaid(p *node.Peer) {
	v.t.Helper()
	for {
		supply, _, err := p.Ledger.Supply(v.t.Context())
		if err != nil {
			v.t.Fatal(err)
		}
		if supply.Owed == 0 {
			return
		}
		select {
		case <-v.t.Context().Done():
			v.t.Fatal("claimed work is not paid")
		case <-time.After(100 * time.Millisecond): // half a height
		}
	}
}

func (v *village) peer(name string) *node.Peer {
	v.t.Helper()
	p, err := node.OpenPeer(v.t.Context(), node.PeerConfig{
		Home: home.Dir(v.t.TempDir()), Network: v.network, Key: key(name), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		v.t.Fatal(err)
	}
	if len(v.network.Bootstrap) == 0 {
		v.network.Bootstrap = p.Mesh.Addrs()
		v.first.Store(p)
	}
	v.t.Cleanup(func() { p.Close() })
	return p
}

func (v *village) report(name string) node.Reporter {
	return func(n node.Notice) { v.t.Logf("%s: %v", name, n) }
}

// miner mines until the test ends or the function it returns is called.
func (v *village) miner(name, kernels string) (stop func()) {
	v.t.Helper()
	dev, err := kernel.Open(kernels, 1)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.minerOn(name, dev, nil)
}

// minerOn mines on a device that may break down, and then on another.
func (v *village) minerOn(name string, dev, other kernel.Device) (stop func()) {
	v.t.Helper()
	p := v.peer(name)
	ctx, cancel := context.WithCancel(context.Background())
	report := v.report(name)
	if v.watch != nil {
		logged := report
		report = func(n node.Notice) { logged(n); v.watch(n) }
	}
	m := &node.Miner{
		Peer: p, Workers: []*work.Worker{work.NewWorker(dev)}, Policy: v.policy, Report: report,
		Capability: protocol.Capability{Kernel: dev.Name(), Threads: 1, MFLOPS: 1000},
	}
	if other != nil {
		m.Check = kernel.Check
		m.Replace = func(_ *work.Worker, why error) (*work.Worker, error) {
			v.t.Logf("%s: %v", name, why)
			return work.NewWorker(other), nil
		}
	}
	v.mu.Lock()
	v.miners = append(v.miners, m)
	v.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() {
		err := node.Together(ctx, m.Run, func(ctx context.Context) error { return p.Listen(ctx, [][2]string{{"en", "de"}}) })
		if err != nil {
			v.t.Errorf("miner %s: %v", name, err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	v.t.Cleanup(stop)
	return stop
}

// tiny is a run small enough for a test.
func tiny(t *testing.T) (*corpus.Corpus, train.Config) {
	t.Helper()
	cfg, err := train.Preset("demo")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Pieces, cfg.Dim, cfg.FFN, cfg.Heads, cfg.Encoder, cfg.Decoder = 300, 16, 32, 2, 1, 1
	cfg.BatchTokens, cfg.Epochs, cfg.Units, cfg.Checkpoint = 128, 2, 4, 4
	c := &corpus.Corpus{Source: "en", Target: "de"}
	en := []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
	de := []string{"eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"}
	for i := range 9 {
		for j := range 9 {
			p := corpus.Pair{Source: fmt.Sprintf("%s and %s", en[i], en[j]), Target: fmt.Sprintf("%s und %s", de[i], de[j])}
			if (i+j)%7 == 0 {
				c.Valid = append(c.Valid, p)
			} else {
				c.Train = append(c.Train, p)
			}
		}
	}
	c.Tests = []corpus.Split{{Name: "test", Pairs: c.Valid}}
	return c, cfg
}

func clock() uint64 { return uint64(time.Now().UnixMilli()) }

// local trains the tiny run alone.
func local(t *testing.T) block.Link {
	t.Helper()
	c, cfg := tiny(t)
	return alone(t, c, cfg)
}

// alone trains a run in this process.
func alone(t *testing.T, c *corpus.Corpus, cfg train.Config) block.Link {
	t.Helper()
	store, err := block.Open(filepath.Join(t.TempDir(), "blocks"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	plan, err := run.New(t.Context(), store, c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: clock}
	run := &node.Coordinator{Dir: t.TempDir(), Store: store, Plan: plan, Crew: crew, Home: crew, Report: func(node.Notice) {}}
	out, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out.Model
}

// coordinate trains the tiny run over the network. Unless it is nil, watch is
// told each notice of the coordinator.
func (v *village) coordinate(p *node.Peer, watch node.Reporter) *node.TrainingResult {
	v.t.Helper()
	c, cfg := tiny(v.t)
	return v.train(p, c, cfg, watch, func(own unit.Crew) unit.Crew { return own })
}

// trainTime bounds a run of a test, which takes seconds. A run that stands still is a
// failure with a name.
const trainTime = 10 * time.Minute

// train is coordinate for any run, with another crew in place of the coordinator's own.
func (v *village) train(p *node.Peer, c *corpus.Corpus, cfg train.Config, watch node.Reporter, instead func(own unit.Crew) unit.Crew) *node.TrainingResult {
	v.t.Helper()
	plan, err := run.New(v.t.Context(), run.Fresh(p.Store), c, cfg)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.trainPlan(p, plan, watch, instead)
}

// trainPlan is train for a plan that is made.
func (v *village) trainPlan(p *node.Peer, plan *run.Plan, watch node.Reporter, instead func(own unit.Crew) unit.Crew) *node.TrainingResult {
	t := v.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), trainTime)
	defer cancel()
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	report := v.report("coordinator")
	if watch != nil {
		logged := report
		report = func(n node.Notice) { logged(n); watch(n) }
	}
	own := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(p.Store), Clock: clock, Account: p.Account()}
	run, err := node.NewTraining(ctx, p, plan, instead(own), report)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	out, err := run.Train(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSameBitsSwarm: miners over a real mesh and ledger end in the model of a
// local run; every unit they did is paid once; a customer then has a document
// translated by them, and its receipt checks offline.
func TestSameBitsSwarm(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	p := v.peer("coordinator")
	v.miner("miner-1", "portable")
	v.miner("miner-2", "")
	out := v.coordinate(p, nil)
	if out.Model != want {
		t.Errorf("the swarm's model is %s, a local run's %s", out.Model, want)
	}
	v.allPaid(p)
	// The customer needs tokens: the miner that earned more sells it some.
	rich, most := "", uint64(0)
	for _, name := range []string{"miner-1", "miner-2"} {
		a, err := p.Ledger.Account(t.Context(), protocol.AccountOf(key(name)))
		if err != nil {
			t.Fatal(err)
		}
		if a.Balance >= most {
			rich, most = name, a.Balance
		}
	}
	const tokens = 2000 // a budget, and fees
	seller := p.Ledger.Sender(key(rich))
	me := protocol.AccountOf(key("customer"))
	nonce, err := seller.Send(t.Context(), ledger.Transfer{To: me, Amount: tokens})
	if err != nil {
		t.Fatal(err)
	}
	if err := seller.Confirm(t.Context(), nonce); err != nil {
		t.Fatal(err)
	}
	customer := v.peer("customer")
	c := &client.Client{Peer: customer, Report: v.report("customer")}
	tr, err := c.Translate(t.Context(), client.Document{
		Text: "one and two\n\nthree and four\n", Source: "en", Target: "de", Model: out.Model, Holders: p.Mesh.Addrs(),
		Decoding: unit.Greedy, Budget: 1000, Price: 10_000, Hold: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("translation %q, paid %d", tr.Text, tr.Receipt.Paid)
	data, err := os.ReadFile(tr.ReceiptFile)
	if err != nil {
		t.Fatal(err)
	}
	if proven, err := client.VerifyReceipt(v.network, data); err != nil || proven.Paid != tr.Receipt.Paid || proven.Status == client.Unpaid {
		t.Errorf("the receipt shows %+v, %v", proven, err)
	}
	// The escrow is closed when its claims are paid, some heights later; each confirmed
	// transfer is one.
	for open := true; open; {
		nonce, err := seller.Send(t.Context(), ledger.Transfer{To: protocol.AccountOf(key("nobody")), Amount: 1})
		if err == nil {
			err = seller.Confirm(t.Context(), nonce)
		}
		if err == nil {
			_, err = c.Customer().Reclaim(t.Context())
		}
		if err == nil {
			_, open, err = customer.Ledger.Escrow(t.Context(), me, tr.Receipt.Link)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	held, err := customer.Ledger.Account(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	if spent := tokens - held.Balance; spent == 0 || spent >= 100 {
		t.Errorf("the customer holds %d of %d", held.Balance, tokens)
	}
}

// TestSameBitsContinue: validators approve runs that continue the training of a model, one of
// all its parameters, one of adapters and one with products of 8-bit codes. Miners who have never seen the model do them, and
// each ends in the model of a local run.
func TestSameBitsContinue(t *testing.T) {
	c, cfg := tiny(t)
	v := newVillage(t)
	p := v.peer("coordinator")
	v.miner("miner-1", "portable")
	v.miner("miner-2", "")
	base := v.coordinate(p, nil).Model
	m, err := model.Load(t.Context(), p.Store, base)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Seed++
	for _, change := range []struct {
		rank       uint32
		arithmetic string
	}{{0, train.Binary32}, {2, train.Binary32}, {0, train.Int8}} {
		if cfg.LoRA, cfg.Arithmetic = change.rank, change.arithmetic; change.rank > 0 && testing.Short() {
			break
		}
		plan, err := run.Continue(t.Context(), run.Fresh(p.Store), c, cfg, base)
		if err != nil {
			t.Fatal(err)
		}
		got := v.trainPlan(p, plan, nil, func(own unit.Crew) unit.Crew { return own })
		if want := continued(t, m, c, cfg); got.Model != want {
			t.Errorf("%+v: the swarm's model is %s, a local run's %s", change, got.Model, want)
		}
	}
	v.allPaid(p)
}

// continued continues the training of a model in this process, from the model alone.
func continued(t *testing.T, m *model.Translator, c *corpus.Corpus, cfg train.Config) block.Link {
	t.Helper()
	store, err := block.Open(filepath.Join(t.TempDir(), "blocks"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	base, err := m.Put(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.Continue(t.Context(), store, c, cfg, base)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: clock}
	out, err := (&node.Coordinator{Dir: t.TempDir(), Store: store, Plan: plan, Crew: crew, Home: crew, Report: func(node.Notice) {}}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out.Model
}
