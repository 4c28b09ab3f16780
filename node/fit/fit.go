// Package fit sizes a training run: its batches to the memory of the machine,
// its local steps to the speed of the network.
//
//	s := fit.Sizing{Config: cfg, Preset: "tiny", Corpus: data}
//	why, err := s.ChooseBatch(free)            // sets s.Config.BatchTokens
//	link, peers := fit.Measure(ctx, peer.Mesh, log)
//	why, err := s.ChooseLocalSteps(dev, link, peers)  // sets s.Config.LocalSteps and the options that depend on it
package fit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alia-network/alia/node/machine"
	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/train"
)

// ErrMemory is returned, wrapped, when batches do not fit into the memory.
var ErrMemory = errors.New("not enough memory")

// Bounds of what ChooseBatch takes.
const (
	mostBatch  = 1 << 16 // tokens of a batch
	leastBatch = 1 << 10
	fewBatches = 50 // an epoch is to have at least as many batches
)

// usualSentence is the tokens of a sentence where no corpus was measured.
const usualSentence = 32

// Sizing is a run whose batches and local steps may still change.
type Sizing struct {
	Config train.Config
	Preset string // of the configuration
	Corpus *corpus.Corpus
	// Base is the model that the run begins with; nil for new parameters.
	Base *model.Translator

	tokenizer model.Tokenizer // nil until measure
	lengths   []corpus.Length // of the training pairs
}

// transformer is the model that the run trains, for a vocabulary of some pieces.
func (s *Sizing) transformer(vocab int) nmt.Config {
	c := s.Config.Model(vocab)
	if s.Base != nil {
		c.Form = s.Base.Model.Form
	}
	return c
}

// trained is the number of elements that the run trains, and so sends.
func (s *Sizing) trained() int {
	c := s.transformer(s.tokenizer.Pieces())
	if s.Config.LoRA > 0 {
		return int(nmt.Adapters{Model: c, Rank: int(s.Config.LoRA)}.Elements())
	}
	return parameters(c)
}

// CheckMemory refuses batches that need more than free bytes of memory.
func (s *Sizing) CheckMemory(free uint64) error {
	need := TrainingMemory(s.transformer(int(s.Config.Pieces)), int(s.Config.BatchTokens), usualSentence)
	if need > free {
		return fmt.Errorf("%w: batches of %d tokens need about %s, and %s are free: make the batches smaller (--batch-tokens NUMBER or auto) and take more of them for a step (--accumulate)",
			ErrMemory, s.Config.BatchTokens, machine.MiB(need), machine.MiB(free))
	}
	return nil
}

// ChooseBatch takes the largest batch of 1,024 tokens times a power of two that
// meets two conditions: training needs at most free bytes, and a step is a small
// part of an epoch. It returns the reason of the choice, for people.
func (s *Sizing) ChooseBatch(free uint64) (why string, err error) {
	if err := s.measure(); err != nil {
		return "", err
	}
	model, sentence := s.transformer(s.tokenizer.Pieces()), s.sentence()
	need := func(tokens uint32) uint64 { return TrainingMemory(model, int(tokens), sentence) }
	batches := func(tokens uint32) int { return len(corpus.Batches(s.lengths, int(tokens), s.Config.Seed, 0)) }
	if need(leastBatch) > free {
		return "", fmt.Errorf("%w: batch_tokens = auto: batches of %d tokens need about %s, and %s may be taken: give a smaller number, or choose a smaller model",
			ErrMemory, leastBatch, machine.MiB(need(leastBatch)), machine.MiB(free))
	}
	tokens := uint32(leastBatch)
	for tokens < mostBatch && need(2*tokens) <= free && batches(2*tokens) >= fewBatches {
		tokens *= 2
	}
	s.Config.BatchTokens = tokens
	return fmt.Sprintf("batch_tokens = %d: %d batches an epoch, about %s of memory of %s that may be taken",
		tokens, batches(tokens), machine.MiB(need(tokens)), machine.MiB(free)), nil
}

// measure trains the tokenizer and counts the tokens of the training pairs.
func (s *Sizing) measure() error {
	if s.tokenizer != nil {
		return nil
	}
	var t model.Tokenizer
	if s.Base != nil {
		t = s.Base.Tokenizer
	} else {
		var err error
		if t, err = s.Corpus.Tokenizer(int(s.Config.Pieces)); err != nil {
			return err
		}
	}
	s.lengths = make([]corpus.Length, 0, s.Corpus.Len())
	for p, err := range s.Corpus.Pairs() {
		if err != nil {
			return err
		}
		s.lengths = append(s.lengths, corpus.Length{Source: len(t.Source(p.Source)) + 1, Target: len(t.Target(p.Target)) + 1})
	}
	s.tokenizer = t
	return nil
}

// sentence is the length, in tokens, of the sentence that an average token
// stands in.
func (s *Sizing) sentence() int {
	tokens, squares := 0, 0
	for _, l := range s.lengths {
		n := max(l.Source, l.Target)
		tokens, squares = tokens+n, squares+n*n
	}
	return (squares + tokens - 1) / max(tokens, 1)
}

// localStepsTried are the local steps that ChooseLocalSteps takes one of: those
// that were compared with one another.
var localStepsTried = []uint32{1, 10, 20, 50, 100}

// transferShare is how many times as long as its transfers a unit is to compute.
const transferShare = 5

// ChooseLocalSteps takes the fewest local steps with which a unit computes
// several times as long as its transfers take. It returns the reasons for a
// person. Without peers that were measured, units have one step.
func (s *Sizing) ChooseLocalSteps(dev kernel.Device, link mesh.LinkSpeed, peers int) (why []string, err error) {
	s.Config.LocalSteps = 1
	if peers == 0 {
		return []string{"local_steps = 1: no peer is connected whose link could be measured"}, nil
	}
	if err := s.measure(); err != nil {
		return nil, err
	}
	step, err := s.timeStep(dev)
	if err != nil {
		return nil, err
	}
	up, down, err := s.spread(s.trained(), step, link)
	if err != nil {
		return nil, err
	}
	c := s.Config
	why = append(why, fmt.Sprintf("local_steps = %d: a step takes %.2f s here, and the transfers of a unit %.2f s: %.2f MB up at %.2f MB/s, %.2f MB down at %.2f MB/s (median, peers: %d)",
		c.LocalSteps, step, up/link.Up+down/link.Down, up/1e6, link.Up/1e6, down/1e6, link.Down/1e6, peers))
	if c.LocalSteps > 1 {
		why = append(why, fmt.Sprintf("with several local steps, unless you set them: delta_bits = %d, update_bits = %d, learning_rate = %v, decay = %s",
			c.DeltaBits, c.UpdateBits, float64(c.RatePPM)/1e6, c.Decay))
	}
	return why, s.Config.Validate()
}

// spread sets the number of local steps: the fewest that compute for transferShare
// times the duration of a unit's transfers, or the most that are tried. step is
// the duration of a step in seconds. up and down are the bytes that a unit then
// transfers.
func (s *Sizing) spread(parameters int, step float64, link mesh.LinkSpeed) (up, down float64, err error) {
	for _, steps := range localStepsTried {
		if err := s.SetLocalSteps(steps); err != nil {
			return 0, 0, err
		}
		up, down = float64(parameters)*bytesEach(s.Config.DeltaBits), float64(parameters)*bytesEach(s.Config.UpdateBits)
		if float64(steps)*step >= transferShare*(up/link.Up+down/link.Down) {
			break
		}
	}
	return up, down, nil
}

// SetLocalSteps sets the local steps of a unit, and of the other options those
// that the preset leaves open for several steps.
func (s *Sizing) SetLocalSteps(steps uint32) error {
	base, err := train.Preset(s.Preset)
	s.Config = s.Config.WithLocalSteps(base, steps)
	return err
}

// bytesEach is the bytes in which a number travels that is quantised to bits:
// its own, and its part of the scale of its block.
func bytesEach(bits uint32) float64 {
	block := map[uint32]float64{8: 1024, 4: 64, 2: 128}[bits]
	return float64(bits)/8 + 4/block
}

// timeStep is the seconds of a step's gradients on dev, with warm caches.
func (s *Sizing) timeStep(dev kernel.Device) (float64, error) {
	cfg := s.transformer(s.tokenizer.Pieces())
	params, e := nmt.Init(cfg, s.Config.Seed).On(dev), nmt.NewEngine(dev, cfg)
	all := corpus.Batches(s.lengths, int(s.Config.BatchTokens), s.Config.Seed, 0)
	if len(all) == 0 {
		return 0, fmt.Errorf("local_steps = auto: no pair fits into a batch of %d tokens", s.Config.BatchTokens)
	}
	var batch nmt.Batch
	i := -1
	for p, err := range s.Corpus.Pairs() {
		if err != nil {
			return 0, err
		}
		if i++; slices.Contains(all[0], i) {
			batch.Source, batch.Target = append(batch.Source, s.tokenizer.Source(p.Source)), append(batch.Target, s.tokenizer.Target(p.Target))
		}
	}
	var took time.Duration
	for range 2 { // the first one finds the memory cold
		began := time.Now()
		if _, err := e.Gradient(params, []nmt.Batch{batch}, nmt.DropoutKey{Seed: s.Config.Seed}); err != nil {
			return 0, fmt.Errorf("local_steps = auto: %w", err)
		}
		took = time.Since(began)
	}
	return took.Seconds() * float64(s.Config.Accumulate), nil
}
