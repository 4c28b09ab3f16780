package work_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/unit"
)

// counting is a crew that counts the units it does.
type counting struct {
	unit.Crew
	done int
}

func (c *counting) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	c.done += len(units)
	return c.Crew.Do(ctx, units)
}

// keeper is a training run whose heads are kept at random, and stopped at random.
type keeper struct {
	store *block.MemoryStore
	crew  *counting
	tr    *run.Training
	head  block.Link
	rand  *rand.Rand
	stop  int // the round after which it stops
	kept  []cid.Cid
}

var errStop = errors.New("stopped")

func newKeeper(t *testing.T, store *block.MemoryStore, seed uint64, average, rank uint32) *keeper {
	t.Helper()
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config()
	cfg.Average, cfg.Checkpoint, cfg.Validation, cfg.LoRA = average, 4, 3, rank
	plan := planOf(t, store, cfg)
	k := &keeper{store: store, rand: rand.New(rand.NewPCG(seed, 0)), stop: -1}
	k.crew = &counting{Crew: &work.Local{Worker: work.NewWorker(dev), Blocks: store, Clock: zero}}
	stopped := false
	k.tr = &run.Training{
		Plan: plan, Store: store, Crew: k.crew, Home: k.crew,
		Done: func(r run.Round, _ block.Link) error {
			if stopped {
				return errStop
			}
			stopped = int(r.Number) == k.stop
			return nil
		},
		Due: func(run.Round) bool { return k.rand.IntN(3) == 0 },
		Keep: func(_ context.Context, head block.Link, blocks []cid.Cid) error {
			k.head = head
			if !slices.Contains(blocks, head.Cid) {
				return fmt.Errorf("the head %s is not made durable", head)
			}
			for _, c := range blocks {
				if !store.Has(c) {
					return fmt.Errorf("block %s is to be durable and is not there", c)
				}
				if slices.Contains(k.kept, c) {
					return fmt.Errorf("block %s is made durable twice in a row", c)
				}
			}
			k.kept = blocks
			return nil
		},
	}
	return k
}

// sweep deletes every block without an owner.
func (k *keeper) sweep(ctx context.Context) error {
	_, err := k.store.Sweep(ctx, 0)
	return err
}

// TestRestore deletes sets that a stopped run needs, and results: the run computes
// them again and ends in the same parameters. Where the results are there, no unit
// is done again to restore a state.
func TestRestore(t *testing.T) {
	for _, way := range []struct{ average, rank uint32 }{{1, 0}, {3, 0}, {1, 2}, {3, 2}} {
		average, rank := way.average, way.rank
		whole := newKeeper(t, &block.MemoryStore{}, 1, average, rank)
		want, err := whole.tr.Run(t.Context(), block.Link{})
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(12) {
			r := rand.New(rand.NewPCG(seed, 7))
			store := &block.MemoryStore{}
			k := newKeeper(t, store, seed, average, rank)
			if k.stop = r.IntN(int(want.Number)); seed%4 == 0 {
				k.stop = -1 // the finished run loses its result
			}
			if _, err := k.tr.Run(t.Context(), block.Link{}); (err == nil) != (k.stop < 0) {
				t.Fatal(err)
			}
			history, err := run.History(t.Context(), store, k.head)
			if err != nil {
				t.Fatal(err)
			}
			last := history[len(history)-1]
			needs := last.Needs(k.tr.Plan.Run.Config)
			for _, i := range r.Perm(len(needs))[:1+r.IntN(len(needs))] {
				if err := store.Delete(needs[i].Cid); err != nil {
					t.Fatal(err)
				}
			}
			results := r.IntN(2) == 0
			torn := torn{store, map[cid.Cid]bool{}}
			if results {
				for _, h := range history {
					for _, l := range h.Lines {
						switch r.IntN(3) {
						case 0:
							if err := store.Delete(l.Result.Cid); err != nil {
								t.Fatal(err)
							}
						case 1:
							torn.blocks[l.Result.Cid] = true
						}
					}
				}
			}
			again := newKeeper(t, store, seed, average, rank)
			again.tr.Store = torn
			if seed%2 == 0 { // nothing stays that the run does not own
				again.tr.Sweep = again.sweep
				if err := run.Pin(t.Context(), store, again.tr.Plan.Link, k.head, history, false); err != nil {
					t.Fatal(err)
				}
			}
			missing, err := run.Missing(t.Context(), store, needs)
			if err != nil || len(missing) == 0 {
				t.Fatalf("nothing is missing: %v", err)
			}
			head := k.head
			if err := again.tr.Restore(t.Context(), head, history, missing); err != nil {
				t.Fatalf("average %d, rank %d, seed %d: %v", average, rank, seed, err)
			}
			// A combine a round at the most, since the checkpoint before the oldest set.
			if !results && again.crew.done > len(history)+1 && average == 1 {
				t.Errorf("average %d, rank %d, seed %d: %d units were done to restore %d rounds", average, rank, seed, again.crew.done, len(history))
			}
			if again.head != head {
				t.Errorf("average %d, rank %d, seed %d: what was restored was not kept", average, rank, seed)
			}
			got, err := again.tr.Run(t.Context(), head)
			if err != nil {
				t.Fatalf("average %d, rank %d, seed %d: %v", average, rank, seed, err)
			}
			if got.Result != want.Result {
				t.Errorf("average %d, rank %d, seed %d: the run ends in %s, want %s", average, rank, seed, got.Result, want.Result)
			}
		}
	}
}

// torn is a store in which a power cut has damaged blocks. Like [block.Store], it
// deletes a damaged block that is read.
type torn struct {
	*block.MemoryStore
	blocks map[cid.Cid]bool
}

func (t torn) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if t.blocks[c] {
		delete(t.blocks, c)
		return nil, errors.Join(block.ErrDamaged, t.Delete(c))
	}
	return t.MemoryStore.Get(ctx, c)
}

// TestHeadsPrune: however seldom a round becomes the head, the run leaves the same
// blocks, logs included.
func TestHeadsPrune(t *testing.T) {
	left := func(due func(run.Round) bool) map[cid.Cid]bool {
		store := &noting{blocks: map[cid.Cid]bool{}}
		k := newKeeper(t, &store.MemoryStore, 3, 2, 0)
		k.tr.Store = store
		k.crew.Crew.(*work.Local).Blocks = store
		k.tr.Due = due
		k.tr.Sweep = k.sweep
		if _, err := k.tr.Run(t.Context(), block.Link{}); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(store.blocks, func(c cid.Cid, _ bool) bool { return !store.Has(c) })
		return store.blocks
	}
	want := left(nil)
	for name, due := range map[string]func(run.Round) bool{
		"never":   func(run.Round) bool { return false },
		"every 3": func(r run.Round) bool { return r.Number%3 == 0 },
	} {
		if got := left(due); !maps.Equal(got, want) {
			t.Errorf("due %s: %d blocks are left, due always: %d", name, len(got), len(want))
		}
	}
}

// noting is a store that notes which blocks it has.
type noting struct {
	block.MemoryStore
	blocks map[cid.Cid]bool
}

func (n *noting) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	c, err := n.MemoryStore.Put(ctx, codec, data)
	n.blocks[c] = true
	return c, err
}

// TestRestoreRefuses: a log that the units do not lead to restores nothing.
func TestRestoreRefuses(t *testing.T) {
	k := newKeeper(t, &block.MemoryStore{}, 1, 1, 0)
	k.stop = 5
	if _, err := k.tr.Run(t.Context(), block.Link{}); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	history, err := run.History(t.Context(), k.store, k.head)
	if err != nil {
		t.Fatal(err)
	}
	last := &history[len(history)-1]
	other := block.Link{Cid: block.Sum(block.CBOR, []byte("other"))}
	if err := k.tr.Restore(t.Context(), k.head, history, []block.Link{other}); err == nil {
		t.Error("a set that no round made was restored")
	}
	if err := k.store.Delete(last.After.M.Cid); err != nil {
		t.Fatal(err)
	}
	missing := []block.Link{last.After.M}
	for name, change := range map[string]func(*run.Round){
		"another unit":     func(r *run.Round) { r.Lines[0].Unit = other },
		"one unit fewer":   func(r *run.Round) { r.Lines = r.Lines[1:] },
		"another result":   func(r *run.Round) { r.Lines[0].Result = other },
		"another combine":  func(r *run.Round) { r.Combine.Result = other },
		"another combined": func(r *run.Round) { r.Combine.Unit = other },
	} {
		changed := slices.Clone(history)
		r := &changed[len(changed)-1]
		r.Lines = slices.Clone(r.Lines)
		change(r)
		if err := k.tr.Restore(t.Context(), k.head, changed, missing); err == nil {
			t.Errorf("with %s in the log, the state was restored", name)
		}
	}
	k.kept = nil
	if err := k.tr.Restore(t.Context(), k.head, history, missing); err != nil {
		t.Error(err)
	}
	if !slices.Contains(k.kept, last.After.M.Cid) {
		t.Error("what was computed again was not made durable again")
	}
}
