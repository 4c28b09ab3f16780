package work_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
)

// putting is a store on disk that notes the size of what is put.
type putting struct {
	*block.Store
	size map[cid.Cid]int64
}

func (p putting) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	c, err := p.Store.Put(ctx, codec, data)
	p.size[c] = int64(len(data))
	return c, err
}

// owned is the bytes of the stored blocks that a run owns beside its record, its
// corpus and its logs.
func (p putting) owned(link block.Link) (sum int64) {
	for c, n := range p.size {
		if p.Has(c) && !p.OwnedBy(c, func(owner string) bool { return owner == run.Owner(link) }) {
			sum += n
		}
	}
	return sum
}

// TestCheckpointsBounded: a run that stops at random moments, and whose clock is set
// forward and back, has two checkpoints at most, the state of its head, and that of
// its last round. Any round can be recomputed. Where all checkpoints are asked for,
// all stay.
func TestCheckpointsBounded(t *testing.T) {
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 11))
		dir, size, all := t.TempDir(), map[cid.Cid]int64{}, seed == 2
		now := uint64(1000 * time.Hour.Milliseconds())
		var head block.Link
		var most, stopped, model int64
		for done := false; !done; {
			disk, err := block.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			store := putting{disk, size}
			cfg := config()
			cfg.Dim, cfg.FFN, cfg.Epochs, cfg.Checkpoint = 48, 96, 6, 2
			plan, err := run.New(t.Context(), run.Fresh(store), numbers(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			model = 4 * int64(plan.Run.Model().Elements())
			// A new process pins what it finds needed, and sweeps.
			var history []run.Round
			if head.Defined() {
				if history, err = run.History(t.Context(), store, head); err != nil {
					t.Fatal(err)
				}
			}
			err = run.Pin(t.Context(), store, plan.Link, head, history, all)
			if err == nil {
				err = disk.Survey()
			}
			if err == nil {
				_, err = disk.Sweep(t.Context(), 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			stopped = max(stopped, store.owned(plan.Link))
			crew := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(store), Clock: func() uint64 { return now }}
			stop := len(history) + 5 + r.IntN(15)
			tr := &run.Training{
				Plan: plan, Store: store, Crew: crew, Home: crew, AllCheckpoints: all,
				Due: func(run.Round) bool { return r.IntN(4) == 0 },
				Done: func(r run.Round, _ block.Link) error {
					if int(r.Number) == stop {
						return errStop
					}
					return nil
				},
				Keep: func(_ context.Context, l block.Link, _ []cid.Cid) error { head = l; return nil },
				Sweep: func(ctx context.Context) error {
					_, err := disk.Sweep(ctx, 0)
					most = max(most, store.owned(plan.Link))
					switch now += uint64(r.IntN(int(4 * time.Minute.Milliseconds()))); r.IntN(20) {
					case 0: // the clock is set
						now += uint64(time.Hour.Milliseconds())
					case 1:
						now -= uint64(time.Hour.Milliseconds())
					}
					return err
				},
			}
			if _, err = tr.Run(t.Context(), head); err != nil && !errors.Is(err, errStop) {
				t.Fatal(err)
			}
			done = err == nil
			if history, err = run.History(t.Context(), store, head); err != nil {
				t.Fatal(err)
			}
			if err := disk.Close(); err != nil {
				t.Fatal(err)
			}
			claims, err := block.OpenReadOnly(dir)
			if err != nil {
				t.Fatal(err)
			}
			from, round := -1, r.IntN(len(history))
			v, findings := verifier(t, claims)
			v.Worker = work.NewWorker(dev)
			v.Earlier = func(earlier, _ int) { from = earlier }
			if err := v.Rounds(t.Context(), history, round, round); err != nil {
				t.Errorf("seed %d: verify round %d of %d: %v", seed, round, len(history), err)
			}
			if first := int((*findings)[0].Round); from >= 0 && first != from || all && first < round-1 {
				t.Errorf("seed %d: the verification of round %d began at round %d, and said %d", seed, round, first, from)
			}
		}
		t.Logf("seed %d: a model has %d bytes, the run at most %.2f times as many, stopped %.2f", seed, model, float64(most)/float64(model), float64(stopped)/float64(model))
		if !all && (most > 13*model || stopped > 10*model) {
			t.Errorf("seed %d: the run needs no more than 13 times the bytes of its model, and 10 times when it is stopped", seed)
		}
	}
}
