package node_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/market"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/check"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

func named(s string) block.Link { return block.Link{Cid: block.Sum(block.Raw, []byte(s))} }

var quiet = slog.New(slog.DiscardHandler)

// TestSameBitsCoordinatorStops: a coordinator stopped in mid-run and opened
// again, as after a crash, ends in the same model, and no unit it accepted
// is done or paid twice.
func TestSameBitsCoordinatorStops(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	v.peer("bootstrap")
	own := home.Dir(t.TempDir())
	stop := v.miner("miner-1", "portable")
	c, cfg := tiny(t)
	seen := map[string]int{}
	for attempt := 0; ; attempt++ {
		ctx, cancel := context.WithCancel(t.Context())
		p, err := node.OpenPeer(ctx, node.PeerConfig{Home: own, Network: v.network, Key: key("coordinator"), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := run.New(ctx, run.Fresh(p.Store), c, cfg)
		if err != nil {
			t.Fatal(err)
		}
		dev, err := kernel.Open("portable", 1)
		if err != nil {
			t.Fatal(err)
		}
		units := 0
		report := func(n node.Notice) {
			e, ok := n.(node.UnitDone)
			if !ok {
				return
			}
			if seen[e.Unit]++; seen[e.Unit] > 1 {
				t.Errorf("unit %s was accepted twice", e.Unit)
			}
			if units++; attempt < 3 && units == 2 {
				cancel()
			}
		}
		combiner := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(p.Store), Clock: clock, Account: p.Account()}
		run, err := node.NewTraining(ctx, p, plan, combiner, report)
		if err != nil {
			t.Fatal(err)
		}
		out, err := run.Train(ctx)
		cancel()
		run.Close()
		p.Close()
		if err != nil {
			continue
		}
		if out.Model != want {
			t.Errorf("the model is %s, a local run's %s", out.Model, want)
		}
		if attempt == 0 {
			t.Error("the coordinator was never stopped")
		}
		break
	}
	stop()
}

// TestSameBitsMinersComeAndGo: one miner leaves in mid-run, another comes late.
func TestSameBitsMinersComeAndGo(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	p := v.peer("coordinator")
	leave := v.miner("miner-1", "portable")
	var crowd sync.WaitGroup
	defer crowd.Wait()
	var done tally
	crowd.Go(func() {
		if done.wait(t.Context(), 5) {
			leave()
		}
		v.miner("miner-2", "")
	})
	if out := v.coordinate(p, done.report); out.Model != want {
		t.Errorf("the swarm's model is %s, a local run's %s", out.Model, want)
	}
}

// tally counts the units that are done, so that others can wait for a number.
type tally struct {
	mu    sync.Mutex // guards the fields below
	units int
	next  chan struct{} // closed when the next unit is done
}

func (a *tally) report(n node.Notice) {
	if _, ok := n.(node.UnitDone); !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.units++
	if a.next != nil {
		close(a.next)
		a.next = nil
	}
}

// wait waits until n units are done, or reports false when ctx ends.
func (a *tally) wait(ctx context.Context, n int) bool {
	for {
		a.mu.Lock()
		if a.units >= n {
			a.mu.Unlock()
			return true
		}
		if a.next == nil {
			a.next = make(chan struct{})
		}
		next := a.next
		a.mu.Unlock()
		select {
		case <-next:
		case <-ctx.Done():
			return false
		}
	}
}

// TestSoakAnyCrew: the same work by random crews, whose miners come, go and
// compute by different kernels, ends in the same model. It runs under
// `make soak`, and prints the seed that ALIA_SEED takes.
func TestSoakAnyCrew(t *testing.T) {
	if os.Getenv("ALIA_SOAK") == "" {
		t.Skip("a long test: make soak runs it")
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ALIA_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ALIA_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	want := local(t)
	for crew := range 12 {
		t.Run(fmt.Sprint(crew), func(t *testing.T) {
			v := newVillage(t)
			p := v.peer("coordinator")
			var crowd sync.WaitGroup
			defer crowd.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var done tally
			kernels := kernel.Names()
			for i := range 1 + r.IntN(5) {
				name := fmt.Sprint("miner-", i)
				come, stay := r.IntN(20), r.IntN(20) // units of all miners
				k := kernels[r.IntN(len(kernels))]
				if i == 0 { // one is there all the time, or the run could not end
					v.miner(name, k)
					continue
				}
				crowd.Go(func() {
					if !done.wait(ctx, come) {
						return
					}
					leave := v.miner(name, k)
					if done.wait(ctx, come+stay) {
						leave()
					}
				})
			}
			if out := v.coordinate(p, done.report); out.Model != want {
				t.Errorf("the model is %s, a local run's %s", out.Model, want)
			}
		})
	}
}

// attack is a miner that bids like any other and answers a ticket with what it
// makes of it. It returns the reason of its refusal.
type attack func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed

// attacks are the ways of lying the test tries, with the refusal each must meet.
var attacks = map[string]struct {
	attack attack
	want   protocol.Reason
}{
	"a result that is nowhere": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return attest(t, id, block.Link{Cid: block.Sum(block.CBOR, []byte("nowhere"))})
	}, protocol.ResultUnavailable},
	"a result that is no result": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		l, _ := block.PutNode(context.Background(), public(p), unit.Text{Version: 1, Segments: []string{"give me tokens"}})
		return attest(t, id, l)
	}, protocol.Malformed},
	"another unit's result": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		r := unit.Result{Version: 1, Unit: named("other"), Outputs: []block.Link{named("delta")}}
		l, _ := block.PutNode(context.Background(), public(p), r)
		return attest(t, id, l)
	}, protocol.ResultMismatch},
	"a cost above the unit's": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Cost += 1_000_000_000 })
	}, protocol.CostMismatch},
	"a cost just above the unit's": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Cost++ })
	}, protocol.CostMismatch},
	"no tokens": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Tokens = 0 })
	}, protocol.ResultMismatch},
	"a loss of NaN": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Loss = 0x7fc00000 })
	}, protocol.ResultMismatch},
	"a delta that is none": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Outputs[0] = stored(p, unit.Text{Version: 1, Segments: []string{"junk"}}) })
	}, protocol.Malformed},
	"a delta of 2 MiB in one block": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) {
			c, _ := public(p).Put(context.Background(), block.CBOR, vast)
			r.Outputs[0] = block.Link{Cid: c}
		})
	}, protocol.TooLarge},
	"a delta of 50,000 leaves": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) {
			c, _ := public(p).Put(context.Background(), block.Raw, vast)
			r.Outputs[0] = stored(p, state.SetRecord{Version: 1, Data: state.File{Leaves: slices.Repeat([]block.Link{{Cid: c}}, 50_000)}})
		})
	}, protocol.TooLarge},
	"a delta of another model": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Outputs[0] = stored(p, state.SetRecord{Version: 1}) })
	}, protocol.ResultMismatch},
	"a scale of infinity": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Outputs[0] = infinite(p, t) })
	}, protocol.ResultMismatch},
	"a defect that is none": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) {
			*r = unit.Result{Defect: unit.NonFinite, Detail: nmt.ErrNonFinite.Error()}
		})
	}, protocol.ResultMismatch},
	"a unit it was not leased": {func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return attest(t, named("no ticket"), named("delta"))
	}, protocol.NotLeased},
}

// attest is the attestation that a ticket asks for, of a result.
func attest(t protocol.Ticket, id, result block.Link) *protocol.Attestation {
	at := &protocol.Attestation{Work: t.Work, Publisher: t.Account, Unit: t.Unit, Result: result, Ticket: id}
	if u, err := unit.Parse(t.Spec); err == nil {
		at.Place = protocol.Place{Round: u.Round, Kind: uint16(u.Kind), Index: u.Index}
	}
	return at
}

// acceptOf is the acceptance of what a miner attests.
func acceptOf(a protocol.Attestation) *protocol.Accept {
	return &protocol.Accept{Work: a.Work, Place: a.Place, Unit: a.Unit, Miner: a.Account, Result: a.Result}
}

// vast is what no output of a little run is as large as.
var vast = bytes.Repeat([]byte{0x40}, block.MaxSize)

// claim attests a result with the sums and the cost that the unit has, but for what
// lie changes.
func claim(p *node.Peer, t protocol.Ticket, id block.Link, lie func(r *unit.Result)) protocol.Signed {
	e, err := expected(p, t)
	if err != nil {
		panic(err)
	}
	r := unit.Result{Tokens: uint32(e.Tokens.Least), Cost: e.Cost.Least}
	for range e.Outputs {
		r.Outputs = append(r.Outputs, named("output"))
	}
	lie(&r)
	r.Version, r.Unit = 1, t.Unit
	return attest(t, id, stored(p, r))
}

// expected finds what the publisher expects, from the blocks that the ticket names.
func expected(p *node.Peer, t protocol.Ticket) (*check.Expectation, error) {
	u, err := unit.Parse(t.Spec)
	if err != nil {
		return nil, err
	}
	need := []cid.Cid{u.Work.Cid}
	for _, in := range u.Inputs[len(u.Inputs)-u.Batches():] {
		need = append(need, in.Cid)
	}
	if err := p.Mesh.Fetch(context.Background(), t.Hints, need...); err != nil {
		return nil, err
	}
	return check.New().Expect(context.Background(), p.Store, u)
}

// public is the blocks of a peer's store, of which every peer may read what a test puts.
func public(p *node.Peer) block.Owned { return block.Owned{Store: p.Store, Owner: "run/test"} }

// stored stores a record and gives its CID.
func stored(p *node.Peer, v any) block.Link {
	l, err := block.PutNode(context.Background(), public(p), v)
	if err != nil {
		panic(err)
	}
	return l
}

// infinite stores a delta of the right form whose last scale is not finite.
func infinite(p *node.Peer, t protocol.Ticket) block.Link {
	e, err := expected(p, t)
	if err != nil {
		panic(err)
	}
	data := make([]byte, e.Outputs[0].Form.Data.Size)
	binary.LittleEndian.PutUint32(data[len(data)-4:], 0x7f800000)
	rec := e.Outputs[0].Form
	if rec.Data, err = state.PutFile(context.Background(), public(p), data); err != nil {
		panic(err)
	}
	return stored(p, rec)
}

// TestHostileMiners: what liars send is refused for the right reason, and the
// run ends in the model of an honest one.
func TestHostileMiners(t *testing.T) {
	want := local(t)
	v := newVillage(t)
	p := v.peer("coordinator")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var liars sync.WaitGroup
	for name, a := range attacks {
		liar := v.peer(name)
		go liar.Listen(ctx, nil)
		liars.Go(func() {
			if got, err := lie(ctx, liar, a.attack); err != nil || got != a.want {
				t.Errorf("%s: refused with %q, %v, want %q", name, got, err, a.want)
			}
		})
	}
	go func() { // the honest one comes when every liar has had its say
		liars.Wait()
		for _, codec := range []block.Codec{block.CBOR, block.Raw} { // no round has ended, so nothing is swept yet
			if p.Store.Has(block.Sum(codec, vast)) {
				t.Error("2 MiB were fetched for an output of some kilobytes")
			}
		}
		v.miner("honest", "portable")
	}()
	if out := v.coordinate(p, nil); out.Model != want {
		t.Errorf("the model is %s, an honest run's %s", out.Model, want)
	}
}

// lie bids on the first offer it hears, answers a ticket falsely, and returns
// the reason for which the answer was refused.
func lie(ctx context.Context, p *node.Peer, a attack) (protocol.Reason, error) {
	for {
		if open := p.Offers.Open(time.Now()); len(open) > 0 {
			return lieTo(ctx, p, open[0].Offer, a)
		}
		select {
		case <-p.Offers.Changed():
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func lieTo(ctx context.Context, p *node.Peer, o market.Offer, a attack) (protocol.Reason, error) {
	s, err := p.Mesh.OpenMarket(ctx, o.Publisher, o.Addrs)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	say := func(r protocol.Signed) error {
		body, err := protocol.Sign(p.Key, p.Net, r)
		if err != nil {
			return err
		}
		return s.Send(ctx, r.Type(), body)
	}
	able := protocol.Capability{Numerics: kernel.Numerics, Kernel: "lies", Threads: 1, MFLOPS: 1000}
	if err := say(&protocol.Bid{Work: o.Work, InFlight: 1, Capability: able}); err != nil {
		return 0, err
	}
	for {
		t, body, err := s.Recv(ctx)
		if err != nil {
			return 0, err
		}
		switch t {
		case protocol.TypeTicket:
			var ticket protocol.Ticket
			if err := protocol.Parse(body, p.Net, &ticket); err != nil {
				return 0, err
			}
			if u, err := unit.Parse(ticket.Spec); err != nil {
				return 0, err
			} else if u.Kind != unit.Gradient { // no lie is about other kinds
				c := &protocol.Cancel{Version: protocol.Version, Ticket: protocol.ID(body), Code: protocol.UnitFailed}
				if body, err = protocol.Encode(c); err == nil {
					err = s.Send(ctx, c.Type(), body)
				}
				if err != nil {
					return 0, err
				}
				continue
			}
			if err := say(a(p, ticket, protocol.ID(body))); err != nil {
				return 0, err
			}
		case protocol.TypeReject:
			var r protocol.Reject
			if err := protocol.Parse(body, p.Net, &r); err != nil {
				return 0, err
			}
			return r.Code, nil
		}
	}
}
