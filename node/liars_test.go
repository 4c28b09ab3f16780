package node_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// falsehood is a lie about a gradient, and the reason for which it must be refused.
type falsehood struct {
	lie  func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed
	want protocol.Reason
}

// record is a lie in the record of the result.
func record(want protocol.Reason, lie func(r *unit.Result)) falsehood {
	return falsehood{func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed { return claim(p, t, id, lie) }, want}
}

// delta is a lie in the record of the delta, or in its elements.
func delta(want protocol.Reason, lie func(rec *state.SetRecord, data []byte) []byte) falsehood {
	return falsehood{func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return claim(p, t, id, func(r *unit.Result) { r.Outputs[0] = lying(p, t, lie) })
	}, want}
}

// message is a lie in the attestation itself, or another message in place of it.
func message(want protocol.Reason, lie func(a *protocol.Attestation) protocol.Signed) falsehood {
	return falsehood{func(p *node.Peer, t protocol.Ticket, id block.Link) protocol.Signed {
		return lie(attest(t, id, named("result")))
	}, want}
}

// falsehoods are the lies of one liar. Wrong elements in a delta of the right form
// are not among them: only who computes the unit again finds those.
var falsehoods = map[string]falsehood{
	"an infinite loss":           record(protocol.ResultMismatch, func(r *unit.Result) { r.Loss = 0x7f800000 }),
	"a probability above one":    record(protocol.ResultMismatch, func(r *unit.Result) { r.NLL = math.Float32bits(-1) }),
	"a loss of negative zero":    record(protocol.ResultMismatch, func(r *unit.Result) { r.NLL = 0x80000000 }),
	"a token too many":           record(protocol.ResultMismatch, func(r *unit.Result) { r.Tokens++ }),
	"a cost of nothing":          record(protocol.CostMismatch, func(r *unit.Result) { r.Cost = 0 }),
	"the largest cost":           record(protocol.CostMismatch, func(r *unit.Result) { r.Cost = math.MaxUint64 }),
	"no output":                  record(protocol.ResultMismatch, func(r *unit.Result) { r.Outputs = nil }),
	"an output too many":         record(protocol.ResultMismatch, func(r *unit.Result) { r.Outputs = append(r.Outputs, r.Outputs...) }),
	"an output of no record":     record(protocol.Malformed, func(r *unit.Result) { r.Outputs[0] = block.Link{Cid: block.Sum(block.Raw, nil)} }),
	"an output that is withheld": record(protocol.ResultUnavailable, func(r *unit.Result) { r.Outputs[0] = block.Link{Cid: block.Sum(block.CBOR, nil)} }),
	"a detail beside outputs":    record(protocol.Malformed, func(r *unit.Result) { r.Detail = "trust me" }),
	"a detail of 3 kB":           record(protocol.TooLarge, func(r *unit.Result) { r.Detail = strings.Repeat("trust me", 400) }),
	"a defect with outputs":      record(protocol.ResultMismatch, func(r *unit.Result) { r.Defect = unit.NonFinite }),
	"a defect that no unit has":  record(protocol.Malformed, func(r *unit.Result) { *r = unit.Result{Defect: 77, Detail: "bored"} }),

	"a scale of NaN":    delta(protocol.ResultMismatch, lastNumber(0x7fc00001)),
	"a negative scale":  delta(protocol.ResultMismatch, lastNumber(0xbf800000)),
	"a missing number":  delta(protocol.TooLarge, func(_ *state.SetRecord, d []byte) []byte { return d[:len(d)-4] }),
	"a number too many": delta(protocol.TooLarge, func(_ *state.SetRecord, d []byte) []byte { return append(d, 0, 0, 0, 0) }),
	"a tensor too few":  delta(protocol.ResultMismatch, func(r *state.SetRecord, d []byte) []byte { r.Tensors = r.Tensors[1:]; return d }),
	"a tensor too many": delta(protocol.TooLarge, func(r *state.SetRecord, d []byte) []byte { r.Tensors = append(r.Tensors, r.Tensors...); return d }),
	"a name in capitals": delta(protocol.ResultMismatch, func(r *state.SetRecord, d []byte) []byte {
		r.Tensors[0].Name = strings.ToUpper(r.Tensors[0].Name)
		return d
	}),
	"another type":  delta(protocol.ResultMismatch, func(r *state.SetRecord, d []byte) []byte { r.Tensors[0].Type = uint16(kernel.F32); return d }),
	"another shape": delta(protocol.ResultMismatch, func(r *state.SetRecord, d []byte) []byte { r.Tensors[0].Shape[0]--; return d }),
	"a leaf that is withheld": delta(protocol.ResultUnavailable, func(r *state.SetRecord, d []byte) []byte {
		r.Data.Leaves = []block.Link{{Cid: block.Sum(block.Raw, nil)}}
		return nil
	}),
	"a leaf that is a record": delta(protocol.Malformed, func(r *state.SetRecord, d []byte) []byte {
		r.Data.Leaves = []block.Link{{Cid: block.Sum(block.CBOR, nil)}}
		return nil
	}),

	"another run": message(protocol.UnknownWork, func(a *protocol.Attestation) protocol.Signed { a.Work = named("another"); return a }),
	"another publisher": message(protocol.WrongAccount, func(a *protocol.Attestation) protocol.Signed {
		a.Publisher = protocol.AccountOf(key("another"))
		return a
	}),
	"another round": message(protocol.Malformed, func(a *protocol.Attestation) protocol.Signed { a.Place.Round++; return a }),
	"another kind":  message(protocol.Malformed, func(a *protocol.Attestation) protocol.Signed { a.Place.Kind++; return a }),
	"another index": message(protocol.Malformed, func(a *protocol.Attestation) protocol.Signed { a.Place.Index++; return a }),
	"a unit that never was": message(protocol.Superseded, func(a *protocol.Attestation) protocol.Signed {
		a.Unit = named("another")
		return a
	}),
	"a result that is no record": message(protocol.Malformed, func(a *protocol.Attestation) protocol.Signed {
		a.Result = block.Link{Cid: block.Sum(block.Raw, nil)}
		return a
	}),
	"an acceptance of its own": message(protocol.Malformed, func(a *protocol.Attestation) protocol.Signed {
		return acceptOf(*a)
	}),
	"a ticket of its own": message(protocol.WrongAccount, func(a *protocol.Attestation) protocol.Signed {
		u := unit.Unit{Version: 1, Kind: unit.Average, Work: a.Work, Inputs: []block.Link{named("a"), named("b")}}
		return &protocol.Ticket{Work: a.Work, Number: 1, Unit: u.ID(), Spec: u.Spec(), LeaseSeconds: 60}
	}),
}

// lastNumber puts bits in place of the last scale.
func lastNumber(bits uint32) func(rec *state.SetRecord, data []byte) []byte {
	return func(_ *state.SetRecord, data []byte) []byte {
		binary.LittleEndian.PutUint32(data[len(data)-4:], bits)
		return data
	}
}

// lying stores a delta of zeros as lie changes it. Where lie returns no elements, the record
// names the leaves that lie gave it.
func lying(p *node.Peer, t protocol.Ticket, lie func(rec *state.SetRecord, data []byte) []byte) block.Link {
	e, err := expected(p, t)
	if err != nil {
		panic(err)
	}
	rec := e.Outputs[0].Form
	rec.Tensors = slices.Clone(rec.Tensors)
	for i := range rec.Tensors {
		rec.Tensors[i].Shape = slices.Clone(rec.Tensors[i].Shape)
	}
	size := rec.Data.Size
	if data := lie(&rec, make([]byte, size)); data != nil {
		if rec.Data, err = state.PutFile(context.Background(), public(p), data); err != nil {
			panic(err)
		}
		rec.Data.Size = size
	}
	return stored(p, rec)
}

// TestLiarBesideHonest: one miner tells each of these lies, under a fresh key for each,
// before two honest miners come and while they compute. Each lie is refused for its reason. The
// model is that of a local run. The honest miners are paid for what they did, each unit
// once, and the liar is paid nothing.
func TestLiarBesideHonest(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute, and longer with the race detector")
	}
	besideHonest(t, 1, 1)
}

// TestSoakLiars: the same lies by several liars at once, in an order drawn by seeds.
func TestSoakLiars(t *testing.T) {
	if os.Getenv("ALIA_SOAK") == "" {
		t.Skip("a long test: make soak runs it")
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { besideHonest(t, seed, 8) })
	}
}

// besideHonest has liars tell all lies beside two honest miners.
func besideHonest(t *testing.T, seed uint64, liars int) {
	c, cfg := tiny(t)
	cfg.BatchTokens, cfg.Epochs, cfg.Units, cfg.Validation, cfg.Checkpoint = 32, 16, 8, 1000, 10
	want := alone(t, c, cfg)
	v := newVillage(t)
	p := v.peer("coordinator")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	told := tellAll(ctx, v, seed, liars)
	honest := []protocol.Account{protocol.AccountOf(key("honest-1")), protocol.AccountOf(key("honest-2"))}
	v.miner("honest-1", "portable")
	v.miner("honest-2", "")
	var mu sync.Mutex // guards did and beside
	did, beside := map[block.Link]node.UnitDone{}, 0
	out := v.train(p, c, cfg, func(n node.Notice) {
		told.done.report(n)
		mu.Lock()
		defer mu.Unlock()
		switch n := n.(type) {
		case node.MinerJoined:
			told.joined(n.Miner)
		case node.UnitDone:
			u, err := block.ParseLink(n.Unit)
			if _, again := did[u]; err != nil || again {
				t.Errorf("unit %s is accepted twice, or is none: %v", n.Unit, err)
			}
			did[u] = n
		case node.Refused:
			if n.Unit != "" && slices.Contains(honest, n.Miner) && n.Why.Code != protocol.Superseded.String() {
				t.Errorf("an honest result is refused: %v", n)
			}
			if len(did) > 0 {
				beside++
			}
		}
	}, func(own unit.Crew) unit.Crew { return paced{own, told} })
	cancel()
	told.liars.Wait()
	if out.Model != want {
		t.Errorf("the model is %s, a local run's %s", out.Model, want)
	}
	if t.Logf("%d refusals beside honest miners, %d units", beside, len(did)); beside < 20 {
		t.Errorf("%d lies were refused beside the honest miners, want 20", beside)
	}
	paidExactly(t, v, p, did, honest)
}

// telling is how far the liars are.
type telling struct {
	liars sync.WaitGroup
	done  tally // units of the run

	mu     sync.Mutex // guards the rest
	left   int        // lies that are not refused yet
	here   map[protocol.Account]bool
	change chan struct{} // closed at each change
}

// tellAll has liars tell all lies, each under a fresh key: half of them before an honest
// miner has done a unit.
func tellAll(ctx context.Context, v *village, seed uint64, liars int) *telling {
	all := maps.Clone(falsehoods)
	for name, a := range attacks {
		all[name] = falsehood{a.attack, a.want}
	}
	names := slices.Sorted(maps.Keys(all))
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	lies := make(chan string, len(names))
	for _, name := range names {
		lies <- name
	}
	close(lies)
	told := &telling{left: len(names), here: map[protocol.Account]bool{}, change: make(chan struct{})}
	for range liars {
		told.liars.Go(func() {
			for name := range lies {
				if len(lies) < len(all)/2 && !told.done.wait(ctx, 1) {
					return
				}
				liar := v.peer(name)
				listening, stop := context.WithCancel(ctx)
				told.liars.Go(func() { liar.Listen(listening, nil) })
				got, err := lie(ctx, liar, all[name].lie)
				stop()
				liar.Close()
				if err != nil && runEnded(ctx) {
					v.t.Logf("%s: the run ended before the answer", name)
					return
				}
				if err != nil || got != all[name].want {
					v.t.Errorf("%s: refused with %q, %v, want %q", name, got, err, all[name].want)
				}
				told.update(func() { told.left--; delete(told.here, liar.Account()) })
			}
		})
	}
	return told
}

// runEnded reports whether the run ends just now, so that a lie has no answer.
func runEnded(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return errors.Is(ctx.Err(), context.Canceled)
	case <-time.After(time.Minute):
		return false
	}
}

func (l *telling) update(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.change)
	l.change = make(chan struct{})
}

// joined notes that a miner has a session.
func (l *telling) joined(a protocol.Account) {
	for _, honest := range []string{"honest-1", "honest-2"} {
		if a == protocol.AccountOf(key(honest)) {
			return
		}
	}
	l.update(func() { l.here[a] = true })
}

// wait waits until a liar has a session, or all lies are told.
func (l *telling) wait(ctx context.Context) {
	for {
		l.mu.Lock()
		ready, change := len(l.here) > 0 || l.left == 0, l.change
		l.mu.Unlock()
		if ready {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-change:
		}
	}
}

// paced is a coordinator's own crew. It ends no round before a liar is there for the next,
// so that the run does not end before the lies do.
type paced struct {
	unit.Crew
	told *telling
}

func (p paced) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	if units[0].Kind == unit.Combine {
		p.told.wait(ctx)
	}
	return p.Crew.Do(ctx, units)
}

// paidExactly compares what the ledger paid with who did which unit. Liars are paid
// nothing; all that was minted is the pay of the honest miners and of the coordinator.
func paidExactly(t *testing.T, v *village, p *node.Peer, did map[block.Link]node.UnitDone, honest []protocol.Account) {
	t.Helper()
	v.allPaid(p)
	pay := map[protocol.Account]uint64{}
	for _, n := range did { // order-free: sums
		pay[n.Miner] += villagePay(n.MFLOP)
	}
	sum := uint64(0)
	for _, a := range append(slices.Clone(honest), p.Account()) {
		account, err := p.Ledger.Account(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if account.Earned == 0 || a != p.Account() && account.Earned != pay[a] {
			t.Errorf("account %s has earned %d, and did units for %d", a, account.Earned, pay[a])
		}
		sum += account.Earned
	}
	supply, _, err := p.Ledger.Supply(t.Context())
	if err != nil || supply.Minted != sum {
		t.Errorf("%d was minted, the honest accounts have earned %d, %v", supply.Minted, sum, err)
	}
	for a := range pay { // order-free: each is compared alone
		if !slices.Contains(honest, a) {
			t.Errorf("account %s did units", a)
		}
	}
}
