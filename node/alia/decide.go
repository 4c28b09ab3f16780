package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alia-network/alia/node"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
)

// course is a corpus and the configuration it is learnt by.
type course struct {
	data      *corpus.Corpus
	cfg       train.Config
	preset    string
	undecided map[string]bool // keys of the configuration on auto

	tok     *text.BPE // nil until it is needed
	lengths []corpus.Length
}

// Bounds of what auto decides.
const (
	mostBatch   = 1 << 16 // tokens of a batch
	leastBatch  = 1 << 10
	fewBatches  = 50 // batches that an epoch is to have at least
	patientLink = 5  // times as long as its transfers a unit is to take
)

// probeBytes is what goes each way over a link that is measured: enough to
// get over a connection's slow start, little enough for a slow line.
const probeBytes = 1 << 20

// stepsTried are the steps of a unit that auto chooses from, which are those
// that have been compared with one another.
var stepsTried = []uint32{1, 10, 20, 50, 100}

// decide settles what is on auto, once: a run that goes on finds in the home
// what was decided when it began, and the configuration that results is the
// run's. It refuses batches that this machine has no memory for. dev is not
// asked, and peer is nil, for a run without a network; share is the processes
// that share this machine's memory.
func (c *course) decide(ctx context.Context, a *app, dir string, dev kernel.Device, peer *node.Peer, share int) error {
	if len(c.undecided) > 0 {
		path := c.decisionFile(dir)
		if err := c.recall(a, path); err == nil {
			return c.fits(share)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if c.undecided["batch_tokens"] {
			if err := c.chooseBatch(a, share); err != nil {
				return err
			}
		}
		if c.undecided["steps"] {
			if err := c.chooseSteps(ctx, a, dev, peer); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("decisions: %w", err)
		}
		if err := node.WriteFile(path, []byte(printConfig(c.cfg, c.preset, nil))); err != nil {
			return err
		}
		c.undecided = nil
		return c.cfg.Validate()
	}
	return c.fits(share)
}

// decided says what was set and why.
func (a *app) decided(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.event(node.Event{Kind: node.EventDecided, Text: text})
	a.note("%s", text)
}

// decisionFile is where, below dir, what was decided for a corpus and a
// configuration with something undecided is kept.
func (c *course) decisionFile(dir string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", c.data.Source, c.data.Target, printConfig(c.cfg, "", c.undecided))
	h.Write(corpus.Marshal(c.data.Train))
	return filepath.Join(dir, fmt.Sprintf("%x.toml", h.Sum(nil)[:16]))
}

// recall takes what was decided before.
func (c *course) recall(a *app, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	_, all, err := readConfig(path)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s setting) bool { return !c.undecided[s.key] })
	if c.cfg, _, err = apply(c.cfg, all); err != nil {
		return err
	}
	for _, s := range all {
		a.decided("%s = %s, as decided before (%s)", s.key, s.text, path)
	}
	if c.undecided["steps"] {
		if err := c.apart(c.cfg.LocalSteps); err != nil {
			return err
		}
	}
	c.undecided = nil
	return c.cfg.Validate()
}

// measure trains the tokenizer and counts the tokens of the training pairs.
func (c *course) measure() error {
	if c.tok != nil {
		return nil
	}
	tok, err := text.Train(corpus.Lines(c.data.Train), int(c.cfg.Pieces))
	if err != nil {
		return fmt.Errorf("train tokenizer: %w", err)
	}
	for _, p := range c.data.Train {
		c.lengths = append(c.lengths, corpus.Length{Source: len(tok.Encode(p.Source)) + 1, Target: len(tok.Encode(p.Target)) + 1})
	}
	c.tok = tok
	return nil
}

// sentence is the tokens of a sentence that an average token is in.
func (c *course) sentence() int {
	tokens, squares := 0, 0
	for _, l := range c.lengths {
		n := max(l.Source, l.Target)
		tokens, squares = tokens+n, squares+n*n
	}
	return (squares + tokens - 1) / max(tokens, 1)
}

// usualSentence is the tokens of a sentence where nobody has counted.
const usualSentence = 32

// fits refuses batches that do not fit into the memory that is free.
func (c *course) fits(share int) error {
	free, err := freeMemory()
	if err != nil {
		return nil // this system does not say; it will when it has no more
	}
	free /= uint64(share)
	need := trainingMemory(c.cfg.Model(int(c.cfg.Pieces)), int(c.cfg.BatchTokens), usualSentence)
	if need > free {
		return usagef("batches of %d tokens need about %s of memory, and %s are free: take smaller batches (--batch-tokens, or auto) and more of them a step (--accumulate)",
			c.cfg.BatchTokens, mib(need), mib(free))
	}
	return nil
}

// chooseBatch takes the largest batch of 1,024 tokens times a power of two
// that leaves half of the free memory to others, and of which an epoch has
// enough for a step to be a small part of it.
func (c *course) chooseBatch(a *app, share int) error {
	free, err := freeMemory()
	if err != nil {
		return fmt.Errorf("batch_tokens = auto: %w: give a number", err)
	}
	if err := c.measure(); err != nil {
		return err
	}
	free /= uint64(2 * share)
	model := c.cfg.Model(c.tok.Pieces())
	need := func(tokens uint32) uint64 { return trainingMemory(model, int(tokens), c.sentence()) }
	batches := func(tokens uint32) int { return len(corpus.Batches(c.lengths, int(tokens), c.cfg.Seed, 0)) }
	if need(leastBatch) > free {
		return usagef("batch_tokens = auto: batches of %d tokens need about %s of memory, and only %s may be taken: give a smaller number, or a smaller model", leastBatch, mib(need(leastBatch)), mib(free))
	}
	tokens := uint32(leastBatch)
	for tokens < mostBatch && need(2*tokens) <= free && batches(2*tokens) >= fewBatches {
		tokens *= 2
	}
	c.cfg.BatchTokens = tokens
	a.decided("batch_tokens = %d: %d batches an epoch, about %s of memory of %s that may be taken", tokens, batches(tokens), mib(need(tokens)), mib(free))
	return nil
}

// chooseSteps takes the fewest steps with which computing a unit takes several
// times as long as moving what it needs and gives.
func (c *course) chooseSteps(ctx context.Context, a *app, dev kernel.Device, peer *node.Peer) error {
	c.cfg.LocalSteps = 1
	if peer == nil {
		a.decided("steps = 1: nothing is moved in a run on one machine")
		return nil
	}
	if err := c.measure(); err != nil {
		return err
	}
	step, err := c.timeStep(dev)
	if err != nil {
		return err
	}
	link, asked := speedOf(ctx, a, peer)
	if asked == 0 {
		a.decided("steps = 1: no peer is there whose link could be measured")
		return nil
	}
	up, down, err := c.spread(parameters(c.cfg.Model(c.tok.Pieces())), step, link)
	if err != nil {
		return err
	}
	a.decided("steps = %d: a step takes %.2f s here, and to move a unit %.2f s: %.2f MB up at %.2f MB/s, %.2f MB down at %.2f MB/s (median, peers: %d)",
		c.cfg.LocalSteps, step, up/link.Up+down/link.Down, up/1e6, link.Up/1e6, down/1e6, link.Down/1e6, asked)
	if c.cfg.LocalSteps > 1 {
		a.decided("with several steps, unless you say otherwise: delta_bits = %d, update_bits = %d, learning_rate = %v, decay = %s",
			c.cfg.DeltaBits, c.cfg.UpdateBits, float64(c.cfg.RatePPM)/1e6, c.cfg.Decay)
	}
	return c.cfg.Validate()
}

// spread takes the fewest steps of those tried that take patientLink times as
// long as moving a unit of so many parameters, or the most. A step is in
// seconds; up and down are the bytes that a unit then moves.
func (c *course) spread(parameters int, step float64, link mesh.LinkSpeed) (up, down float64, err error) {
	for _, steps := range stepsTried {
		if err := c.apart(steps); err != nil {
			return 0, 0, err
		}
		up, down = float64(parameters)*perNumber(c.cfg.DeltaBits), float64(parameters)*perNumber(c.cfg.UpdateBits)
		if float64(steps)*step >= patientLink*(up/link.Up+down/link.Down) {
			break
		}
	}
	return up, down, nil
}

// apart gives units so many steps, and what goes with them.
func (c *course) apart(steps uint32) error {
	base, err := train.Preset(c.preset)
	c.cfg = c.cfg.WithLocalSteps(base, steps)
	return err
}

// perNumber is the bytes in which a number travels, with its part of the scale
// of its block, by the bits it is quantised to.
func perNumber(bits uint32) float64 {
	block := map[uint32]float64{8: 1024, 4: 64, 2: 128}[bits]
	return float64(bits)/8 + 4/block
}

// timeStep is the seconds of a step's gradients on this machine, warm.
func (c *course) timeStep(dev kernel.Device) (float64, error) {
	cfg := c.cfg.Model(c.tok.Pieces())
	params, e := nmt.Init(cfg, c.cfg.Seed).On(dev), nmt.NewEngine(dev, cfg)
	all := corpus.Batches(c.lengths, int(c.cfg.BatchTokens), c.cfg.Seed, 0)
	if len(all) == 0 {
		return 0, fmt.Errorf("steps = auto: no pair fits into a batch of %d tokens", c.cfg.BatchTokens)
	}
	var batch nmt.Batch
	for _, i := range all[0] {
		p := c.data.Train[i]
		batch.Source, batch.Target = append(batch.Source, c.tok.Encode(p.Source)), append(batch.Target, c.tok.Encode(p.Target))
	}
	var took time.Duration
	for range 2 { // the first one finds the memory cold
		began := time.Now()
		if _, err := e.Gradient(params, []nmt.Batch{batch}, nmt.Key{Seed: c.cfg.Seed}); err != nil {
			return 0, fmt.Errorf("steps = auto: %w", err)
		}
		took = time.Since(began)
	}
	return took.Seconds() * float64(c.cfg.Accumulate), nil
}

// Of the peers of a run that is planned.
const (
	mostProbed  = 8
	peersWithin = 10 * time.Second // to be met
)

// speedOf is the median link to the peers that are there, each way, and of how
// many.
func speedOf(ctx context.Context, a *app, peer *node.Peer) (mesh.LinkSpeed, int) {
	for begin := time.Now(); len(peer.Mesh.Peers()) == 0 && time.Since(begin) < peersWithin && ctx.Err() == nil; {
		time.Sleep(peersWithin / 50)
	}
	var up, down []float64
	for _, p := range peer.Mesh.Peers() {
		if len(up) == mostProbed {
			break
		}
		l, err := peer.Mesh.Probe(ctx, p.ID, probeBytes)
		if err != nil {
			a.log.Info("link not measured", "peer", p.ID, "err", err)
			continue
		}
		up, down = append(up, l.Up), append(down, l.Down)
	}
	if len(up) == 0 {
		return mesh.LinkSpeed{}, 0
	}
	slices.Sort(up)
	slices.Sort(down)
	return mesh.LinkSpeed{Up: up[len(up)/2], Down: down[len(down)/2]}, len(up)
}
