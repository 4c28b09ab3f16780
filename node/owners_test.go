package node_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/run"
)

// trained is a home in which runs are trained, alone.
type trained struct {
	t     *testing.T
	dir   home.Dir
	store *block.Store
	dim   uint32 // of the model
	all   bool   // checkpoints stay
}

func newTrained(t *testing.T) *trained {
	h := &trained{t: t, dir: home.Dir(t.TempDir()), dim: 16}
	t.Cleanup(func() { h.store.Close() })
	h.open()
	return h
}

// open opens the home's store, as a new process does, and deletes whatever the files of
// the home do not say that it needs.
func (h *trained) open() {
	h.t.Helper()
	if h.store != nil {
		if err := h.store.Close(); err != nil {
			h.t.Fatal(err)
		}
	}
	var err error
	if h.store, err = h.dir.Store(); err != nil {
		h.t.Fatal(err)
	}
	if err := node.PinHome(h.t.Context(), h.dir, protocol.Net{}, h.store, slog.New(slog.DiscardHandler)); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.store.Sweep(h.t.Context(), 0); err != nil {
		h.t.Fatal(err)
	}
}

// train trains the tiny run for some epochs. It calls each after every round.
func (h *trained) train(ctx context.Context, epochs uint32, each func(*run.Plan, node.RoundDone)) (*run.Plan, *node.TrainingResult, error) {
	h.t.Helper()
	c, cfg := tiny(h.t)
	cfg.Epochs, cfg.Dim, cfg.FFN = epochs, h.dim, 2*h.dim
	plan, err := run.New(ctx, run.Fresh(h.store), c, cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.MkdirAll(h.dir.Run(plan.Link), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := node.KeepCheckpoints(h.dir.Run(plan.Link), h.all); err != nil {
		h.t.Fatal(err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		h.t.Fatal(err)
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(h.store), Clock: clock}
	out, err := (&node.Coordinator{
		Dir: h.dir.Run(plan.Link), Store: h.store, Plan: plan, Crew: crew, Home: crew,
		Report: func(n node.Notice) {
			if done, ok := n.(node.RoundDone); ok && each != nil {
				each(plan, done)
			}
		},
	}).Run(ctx)
	if err == nil {
		_, err = node.SaveModel(ctx, h.store, h.dir.Models(), plan, out)
	}
	return plan, out, err
}

// TestRunsShareAHome: a run that passes through the final parameters of another run
// leaves them alone, also in a later process that sweeps.
func TestRunsShareAHome(t *testing.T) {
	h := newTrained(t)
	var models []block.Link
	for _, epochs := range []uint32{1, 2, 3} {
		_, out, err := h.train(t.Context(), epochs, nil)
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, out.Model)
		for range 2 {
			for i, m := range models {
				if _, err := model.Load(t.Context(), h.store, m); err != nil {
					t.Errorf("after the run of %d epochs, model %d: %v", epochs, i+1, err)
				}
			}
			h.open()
		}
	}
}

// TestRunInterrupted: a run that is stopped goes on to the same model in a new process
// that has deleted everything that nobody owns.
func TestRunInterrupted(t *testing.T) {
	whole := newTrained(t)
	_, want, err := whole.train(t.Context(), 9, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newTrained(t)
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(t.Context())
		rounds := 0
		_, out, err := h.train(ctx, 9, func(*run.Plan, node.RoundDone) {
			if rounds++; rounds == 2 {
				cancel()
			}
		})
		cancel()
		if err == nil {
			if out.Model != want.Model || stop < 4 {
				t.Errorf("after %d stops the model is %s, want %s", stop-1, out.Model, want.Model)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		h.open()
	}
}

// TestHomeStaysSmall: beside the corpus, the logs and the checkpoints, a run never has
// more than 12 times the model's bytes in the home, however long it is. Of the
// checkpoints those stay that an audit needs, or all if they are asked for, also in a later
// process that sweeps.
func TestHomeStaysSmall(t *testing.T) {
	for _, epochs := range []uint32{5, 15} {
		h := newTrained(t)
		h.dim, h.all = 48, epochs == 5 // a dim so that batches and texts are small beside the model
		worst, kept, rounds := int64(0), int64(0), 0
		plan, out, err := h.train(t.Context(), epochs, func(plan *run.Plan, _ node.RoundDone) {
			rounds++
			_, all, err := h.store.Size()
			if err != nil {
				t.Error(err)
			}
			// The run's own blocks are the corpus, the logs and the checkpoints.
			worst = max(worst, all-h.owned(func(o string) bool {
				return o == run.Owner(plan.Link) || o == run.Owner(plan.Link)+"/checkpoints" || o == "run/new"
			}))
			kept = h.owned(func(o string) bool { return o == run.Owner(plan.Link)+"/checkpoints" })
		})
		if err != nil {
			t.Fatal(err)
		}
		most := 12 * 4 * int64(plan.Run.Model().Elements())
		t.Logf("%d rounds: at most %d bytes beside the corpus, the logs and the checkpoints; 12 models have %d", rounds, worst, most)
		if worst > most {
			t.Errorf("%d rounds left %d bytes, more than %d", rounds, worst, most)
		}
		// A checkpoint has the parameters and two moments; the run takes less than ten minutes.
		if one := 3 * 4 * int64(plan.Run.Model().Elements()); !h.all && (kept < one || kept >= 2*one) {
			t.Errorf("%d rounds keep checkpoints of %d bytes, want one of %d", rounds, kept, one)
		}
		h.open()
		for r, log := range history(t, h.store, out.Head) {
			checkpoint := r == 3 || h.all && r%4 == 3
			_, err := model.Load(t.Context(), h.store, out.Model)
			if missing, merr := run.Missing(t.Context(), h.store, []block.Link{log.After.Params, log.After.M, log.After.V}); err != nil || merr != nil ||
				(len(missing) == 0) != checkpoint && r < rounds-1 {
				t.Errorf("round %d of %d lacks %d sets of its state, %v, %v", r, rounds, len(missing), err, merr)
			}
		}
	}
}

func history(t *testing.T, b block.Blocks, head block.Link) []run.Round {
	t.Helper()
	all, err := run.History(t.Context(), b, head)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// owned is the bytes of the stored blocks that have an owner who matches.
func (h *trained) owned(match func(string) bool) (sum int64) {
	h.t.Helper()
	reader, err := block.OpenReadOnly(h.dir.Blocks())
	if err != nil {
		h.t.Fatal(err)
	}
	all := map[cid.Cid]struct{}{}
	for _, dir := range must(os.ReadDir(h.dir.Blocks()))(h.t) {
		files, err := os.ReadDir(h.dir.Blocks() + "/" + dir.Name())
		if err != nil {
			continue // a file, such as the lock
		}
		for _, f := range files {
			if l, err := block.ParseLink(f.Name()); err == nil && h.store.OwnedBy(l.Cid, match) {
				all[l.Cid] = struct{}{}
			}
		}
	}
	sum, err = reader.Bytes(all)
	if err != nil {
		h.t.Fatal(err)
	}
	return sum
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestTornRecord: a power cut before the first head of a run has damaged the run's
// record. The home opens, and the run begins again.
func TestTornRecord(t *testing.T) {
	h := newTrained(t)
	c, cfg := tiny(t)
	plan, err := run.New(t.Context(), run.Fresh(h.store), c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(h.dir.Run(plan.Link), 0o755); err != nil {
		t.Fatal(err)
	}
	name := plan.Link.String()
	if err := os.Truncate(filepath.Join(h.dir.Blocks(), name[len(name)-2:], name), 0); err != nil {
		t.Fatal(err)
	}
	h.open()
	if again, err := run.New(t.Context(), run.Fresh(h.store), c, cfg); err != nil || again.Link != plan.Link {
		t.Errorf("the run begins again as %v, %v", again, err)
	}
}
