//go:build unix

package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/node/home"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/protocol/disk/powercut"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/train"
)

// stepping is a block store whose every use is a step at which the power may be cut.
type stepping struct {
	*block.Store
	disk *powercut.Disk
}

func (s stepping) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if err := s.disk.Step(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, c)
}

func (s stepping) Put(ctx context.Context, codec block.Codec, data []byte) (cid.Cid, error) {
	c, err := s.Store.Put(ctx, codec, data)
	return c, errors.Join(err, s.disk.Step())
}

func (s stepping) Sweep(ctx context.Context, spare int64) (block.Swept, error) {
	out, err := s.Store.Sweep(ctx, spare)
	return out, errors.Join(err, s.disk.Step())
}

// slowDisk is a disk that takes some time for a sync, so that not every round is due.
type slowDisk struct{ *powercut.Disk }

func (s slowDisk) Sync(f *os.File) error {
	// Several files are synced at the same time: the shared generator may be used so.
	time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
	return s.Disk.Sync(f)
}

// cutter trains the tiny run, alone, on a disk whose power is cut again and again.
type cutter struct {
	t       *testing.T
	rand    *rand.Rand
	rank    uint32 // of the adapters that are trained; 0 for the whole model
	dir     string // of the blocks, and of the run
	run     block.Link
	model   block.Link // which every run ends in; zero before the first
	safe    int        // rounds that the ledger was told of: they are durable
	rounds  int        // done, in the attempt
	resumed []node.Resumed

	pinned   int     // attempts that began with a sweep
	unpinned []error // why others did not
}

// attempt trains until the power is cut, or to the end. What is left is in c.dir.
func (c *cutter) attempt(steps int) (finished bool, err error) {
	disk, err := powercut.New(c.dir, c.rand.Uint64())
	if err != nil {
		return false, err
	}
	defer disk.Close()
	into := c.t.TempDir()
	if steps > 0 {
		disk.CutAt(steps, into)
	}
	blocks, err := block.OpenOn(slowDisk{disk}, filepath.Join(c.dir, "blocks"))
	if err != nil {
		return false, err
	}
	defer blocks.Close()
	// What the files of the home do not say that it needs is deleted.
	err = node.PinHome(c.t.Context(), home.Dir(c.dir), protocol.Net{}, blocks, slog.New(slog.DiscardHandler))
	if err == nil {
		c.pinned++
		_, err = blocks.Sweep(c.t.Context(), 0)
	}
	if err != nil && len(c.resumed) == 0 {
		c.unpinned = append(c.unpinned, err)
	}
	store := stepping{blocks, disk}
	err = c.train(store, disk)
	if errors.Is(err, powercut.ErrPower) {
		return false, c.left(into)
	}
	return err == nil, err
}

func (c *cutter) train(store stepping, disk *powercut.Disk) error {
	corpus, cfg := tiny(c.t)
	cfg.Epochs, cfg.Average, cfg.Validation = 6, 2, 3
	plan, err := run.New(c.t.Context(), store, corpus, cfg)
	if err == nil && c.rank > 0 {
		cfg.LoRA = c.rank
		plan, err = adapting(c.t.Context(), store, plan, corpus, cfg)
	}
	if err != nil {
		return err
	}
	dir := c.home(plan.Link)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		return err
	}
	crew := &work.Local{Worker: work.NewWorker(dev), Blocks: plan.Working(store), Clock: clock}
	out, err := (&node.Coordinator{
		Dir: dir, Store: store, Plan: plan, Crew: crew, Home: crew, Disk: disk,
		Committed: func(r run.Round, _ block.Link) { c.safe = max(c.safe, int(r.Number)+1) },
		Report: func(n node.Notice) {
			switch n := n.(type) {
			case node.Planned:
				if n.Round < c.safe {
					c.t.Errorf("the run goes on after round %d; %d were durable", n.Round, c.safe)
				}
				c.rounds = n.Round
			case node.RoundDone:
				c.rounds = n.Round
			case node.Resumed:
				c.resumed = append(c.resumed, n)
			}
		},
	}).Run(c.t.Context())
	if err != nil {
		return err
	}
	if c.model.Defined() && out.Model != c.model {
		return fmt.Errorf("the model is %s, without a power cut %s", out.Model, c.model)
	}
	c.model = out.Model
	return nil
}

// home is the directory of the run.
func (c *cutter) home(run block.Link) string {
	c.run = run
	return home.Dir(c.dir).Run(run)
}

// adapting is the plan of a run that trains adapters of the model that another run begins with.
func adapting(ctx context.Context, store block.Keeper, first *run.Plan, c *corpus.Corpus, cfg train.Config) (*run.Plan, error) {
	begin, err := first.Begin(ctx, store)
	if err != nil {
		return nil, err
	}
	base, err := block.PutNode(ctx, store, first.Run.Result(begin.Params))
	if err != nil {
		return nil, err
	}
	return run.Continue(ctx, store, c, cfg, base)
}

// left goes on with what a cut has left, or begins again where nothing is.
func (c *cutter) left(dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) == 0 && c.safe > 0 {
		err = fmt.Errorf("nothing is left of %d durable rounds", c.safe)
	}
	c.dir = dir
	return err
}

func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ALIA_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ALIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestPowerCuts cuts the power 100 times in a row at random steps of a training run,
// with whatever that leaves of files that were not synced. Each time the run goes on
// without a hand, no durable round is lost, and it ends in the model of a run that
// was never cut.
func TestPowerCuts(t *testing.T) {
	cuts := 100
	if testing.Short() { // the race detector makes a round ten times as slow
		cuts = 10
	}
	if os.Getenv("ALIA_SOAK") != "" {
		cuts = 3000
	}
	r := seeded(t)
	t.Run("parameters", func(t *testing.T) { powerCuts(t, newCutter(t, r, 0), cuts) })
	t.Run("adapters", func(t *testing.T) { powerCuts(t, newCutter(t, r, 2), cuts/4) })
}

func powerCuts(t *testing.T, c *cutter, cuts int) {
	runs, rounds := 1, c.rounds
	for n := 0; n < cuts; {
		done, err := c.attempt(1 + c.rand.IntN(300))
		switch {
		case err != nil:
			t.Fatalf("after %d cuts: %v", n, err)
		case done: // the next run
			runs++
			c.dir, c.safe = t.TempDir(), 0
		default:
			n++
		}
	}
	if done, err := c.attempt(0); !done {
		t.Fatalf("after all cuts: %v", err)
	}
	t.Logf("%d cuts in %d runs of %d rounds", cuts, runs, rounds)
	if len(c.unpinned) > 0 {
		t.Errorf("%d attempts began without a sweep, %d with one: %v", len(c.unpinned), c.pinned, c.unpinned[0])
	}
	if len(c.resumed) > 0 {
		t.Errorf("%d heads were not whole: %v", len(c.resumed), c.resumed[0])
	}
	if cuts >= 25 && runs > cuts/3 { // fewer say nothing of most
		t.Errorf("%d cuts in %d runs: most runs were never cut", cuts, runs)
	}
}

// newCutter returns a cutter that has trained the run once without a cut.
func newCutter(t *testing.T, r *rand.Rand, rank uint32) *cutter {
	t.Helper()
	c := &cutter{t: t, rand: r, rank: rank, dir: t.TempDir()}
	if done, err := c.attempt(0); !done {
		t.Fatal(err)
	}
	c.dir, c.safe = t.TempDir(), 0
	return c
}

// TestDamagedHead damages what the heads of a stopped run name, although it was
// durable. The run says so, computes the state again or takes an older head, and ends
// in the same model.
func TestDamagedHead(t *testing.T) {
	r := seeded(t)
	c := newCutter(t, r, 0)
	for i := range 8 {
		c.dir, c.safe, c.resumed = t.TempDir(), 0, nil
		for c.safe < 2 {
			if done, err := c.attempt(100 + r.IntN(500)); done || err != nil {
				c.dir, c.safe = t.TempDir(), 0 // it came to its end before it was cut
			}
		}
		heads, err := node.Heads(c.home(c.run))
		if err != nil || len(heads) < 2 {
			t.Fatalf("heads %v, %v", heads, err)
		}
		damage := heads[0].Cid
		if i%4 > 0 {
			damage = neededBlock(t, c, heads[0])
		}
		c.spoil(damage)
		c.safe = 0 // a round whose log is damaged is done again
		if done, err := c.attempt(0); !done {
			t.Fatalf("run %d: %v", i, err)
		}
		if len(c.resumed) != 1 || !strings.Contains(c.resumed[0].Text, "damaged") {
			t.Errorf("run %d, with block %s damaged: notices %v", i, damage, c.resumed)
		}
	}
	// With all heads damaged, the error says what to do.
	c.dir, c.safe = t.TempDir(), 0
	for c.safe < 2 {
		if done, err := c.attempt(200); done || err != nil {
			t.Fatal(done, err)
		}
	}
	heads, err := node.Heads(c.home(c.run))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range heads {
		c.spoil(h.Cid)
	}
	if _, err := c.attempt(0); err == nil || !strings.Contains(err.Error(), "alia run delete") || !errors.Is(err, block.ErrNotFound) {
		t.Errorf("with all heads damaged: %v", err)
	}
}

// neededBlock picks a block of the sets that the run needs after a head.
func neededBlock(t *testing.T, c *cutter, head block.Link) cid.Cid {
	t.Helper()
	blocks, err := block.OpenReadOnly(filepath.Join(c.dir, "blocks"))
	if err != nil {
		t.Fatal(err)
	}
	last, err := run.ReadRound(t.Context(), blocks, head)
	if err != nil {
		t.Fatal(err)
	}
	record, err := run.Read(t.Context(), blocks, last.Run)
	if err != nil {
		t.Fatal(err)
	}
	needs := last.Needs(record.Config)
	set := needs[c.rand.IntN(len(needs))].Cid
	data, err := blocks.Get(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := block.Links(data)
	if err != nil {
		t.Fatal(err)
	}
	all := append(leaves, set)
	return all[c.rand.IntN(len(all))]
}

// spoil flips a bit of a block's file, empties it or deletes it.
func (c *cutter) spoil(damaged cid.Cid) {
	c.t.Helper()
	name := damaged.String()
	path := filepath.Join(c.dir, "blocks", name[len(name)-2:], name)
	data, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	switch c.rand.IntN(3) {
	case 0:
		data[c.rand.IntN(len(data))] ^= 1
		err = os.WriteFile(path, data, 0o644)
	case 1:
		err = os.Truncate(path, 0)
	case 2:
		err = os.Remove(path)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}
