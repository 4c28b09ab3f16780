package fit

import (
	"errors"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/mesh"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/train"
)

// phrasebook is the sizing of a run on the built-in corpus.
func phrasebook(t *testing.T, preset string) *Sizing {
	t.Helper()
	cfg, err := train.Preset(preset)
	if err != nil {
		t.Fatal(err)
	}
	data := corpus.Phrasebook()
	data.Clean()
	data.Train = data.Train[:300]
	cfg.Source, cfg.Target, cfg.Pieces, cfg.BatchTokens = data.Source, data.Target, 300, 256
	return &Sizing{Config: cfg, Preset: preset, Corpus: data}
}

// TestTrainingMemory: the estimate grows with batch, sentence and model.
func TestTrainingMemory(t *testing.T) {
	size := func(preset string, tokens, sentence int) uint64 {
		c, err := train.Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		return TrainingMemory(c.Model(int(c.Pieces)), tokens, sentence)
	}
	small := size("demo", 1024, 16)
	for name, large := range map[string]uint64{"batch": size("demo", 2048, 16), "sentence": size("demo", 1024, 64), "model": size("tiny", 1024, 16)} {
		if large <= small {
			t.Errorf("with a larger %s: %d bytes, before %d", name, large, small)
		}
	}
	if n := size("tiny", 1024, 16); n < 400<<20 || n > 600<<20 {
		t.Errorf("preset tiny with batches of 1,024 tokens: %d MiB, 427 MiB were measured", n>>20)
	}
}

func TestCheckMemory(t *testing.T) {
	s := phrasebook(t, "demo")
	if err := s.CheckMemory(64 << 30); err != nil {
		t.Error(err)
	}
	err := s.CheckMemory(1 << 20)
	if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "--batch-tokens") {
		t.Errorf("with 1 MiB: %v, want ErrMemory and what to do", err)
	}
}

// TestChooseBatch: more memory gives larger batches, until an epoch would have
// too few.
func TestChooseBatch(t *testing.T) {
	s := phrasebook(t, "demo")
	if _, err := s.ChooseBatch(1 << 20); !errors.Is(err, ErrMemory) {
		t.Errorf("with 1 MiB: %v, want ErrMemory", err)
	}
	why, err := s.ChooseBatch(64 << 30)
	if err != nil || s.Config.BatchTokens != leastBatch || !strings.Contains(why, "batch_tokens = 1024") {
		t.Errorf("for a small corpus: %d tokens, %q, %v", s.Config.BatchTokens, why, err)
	}
	for range 7 { // 128 times the corpus
		s.Corpus.Train = append(s.Corpus.Train, s.Corpus.Train...)
		s.lengths = append(s.lengths, s.lengths...)
	}
	if _, err := s.ChooseBatch(64 << 30); err != nil {
		t.Fatal(err)
	}
	large := s.Config.BatchTokens
	if large <= leastBatch {
		t.Errorf("for a large corpus: batches of %d tokens", large)
	}
	model := s.Config.Model(s.tokenizer.Pieces())
	if _, err := s.ChooseBatch(TrainingMemory(model, int(large/2), s.sentence())); err != nil || s.Config.BatchTokens != large/2 {
		t.Errorf("with memory for half: batches of %d tokens, %v, want %d", s.Config.BatchTokens, err, large/2)
	}
}

// TestChooseLocalSteps: the reason names what was measured.
func TestChooseLocalSteps(t *testing.T) {
	s := phrasebook(t, "demo")
	why, err := s.ChooseLocalSteps(nil, mesh.LinkSpeed{}, 0)
	if err != nil || s.Config.LocalSteps != 1 || len(why) != 1 || !strings.Contains(why[0], "no peer") {
		t.Errorf("without a peer: %d steps, %q, %v", s.Config.LocalSteps, why, err)
	}
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		t.Fatal(err)
	}
	why, err = s.ChooseLocalSteps(dev, mesh.LinkSpeed{Up: 1, Down: 1}, 3)
	if err != nil || s.Config.LocalSteps != 100 || len(why) != 2 || !strings.Contains(why[0], "local_steps = 100") || !strings.Contains(why[0], "peers: 3") {
		t.Errorf("over a link of a byte a second: %d steps, %q, %v", s.Config.LocalSteps, why, err)
	}
	if _, err := s.ChooseLocalSteps(dev, mesh.LinkSpeed{Up: 1e12, Down: 1e12}, 1); err != nil || s.Config.LocalSteps != 1 {
		t.Errorf("over a fast link: %d steps, %v", s.Config.LocalSteps, err)
	}
}

// TestSpread: units take more local steps where transfers are slower, and with
// several steps the options that were left open change.
func TestSpread(t *testing.T) {
	preset, err := train.Preset("tiny")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		megabytes float64 // a second, each way
		want      uint32
	}{{1e9, 1}, {22, 1}, {20, 10}, {1, 10}, {0.8, 20}, {0.4, 50}, {0.1, 100}, {0.001, 100}} {
		s := Sizing{Config: preset, Preset: "tiny"}
		s.Config.WarmUp = 77
		if _, _, err := s.spread(2_000_000, 1, mesh.LinkSpeed{Up: c.megabytes * 1e6, Down: c.megabytes * 1e6}); err != nil {
			t.Fatal(err)
		}
		got := s.Config
		if got.LocalSteps != c.want || got.WarmUp != 77 {
			t.Errorf("%v MB/s: %d steps, want %d", c.megabytes, got.LocalSteps, c.want)
		}
		if several := c.want > 1; several != (got.DeltaBits == 2) || several != (got.UpdateBits == 4) || several != (got.RatePPM == preset.RatePPM*3/4) {
			t.Errorf("%d steps with deltas of %d bits, updates of %d, rate %d", got.LocalSteps, got.DeltaBits, got.UpdateBits, got.RatePPM)
		}
	}
	s := Sizing{Config: preset, Preset: "tiny"}
	s.Config.DeltaBits = 4
	if _, _, err := s.spread(2_000_000, 1, mesh.LinkSpeed{Up: 1e6, Down: 1e6}); err != nil || s.Config.DeltaBits != 4 || s.Config.UpdateBits != 4 {
		t.Errorf("%v: deltas of %d bits, set to 4; updates of %d", err, s.Config.DeltaBits, s.Config.UpdateBits)
	}
}
