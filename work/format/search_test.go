package format

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// travels puts a model in blocks and in a directory, reads it back, and translates with it.
func travels(t *testing.T, what string, tr *model.Translator) {
	t.Helper()
	ctx, blocks := context.Background(), &block.MemoryStore{}
	link, err := tr.Put(ctx, blocks)
	if err != nil || link != tr.ID() {
		t.Fatalf("%s: stored as %v (%v), is %v", what, link, err, tr.ID())
	}
	back, err := model.Load(ctx, blocks, link)
	if err != nil || back.ID() != link || back.Model.Form != tr.Model.Form {
		t.Fatalf("%s: read back: %v", what, err)
	}
	again, err := model.Parse(dir("", back.Files()))
	if err != nil || again.ID() != link || again.Model.Form != tr.Model.Form {
		t.Fatalf("%s: from its directory: %v", what, err)
	}
	lines := []string{"The old miller.", "", "Ein rotes Boot."}
	want, err := tr.Translate(tr.Model.NewEngine(device(t)), lines, unit.Greedy)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := again.Prepare(device(t), false); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got, err := again.Translate(again.Model.NewEngine(device(t)), lines, unit.Greedy)
	if err != nil || !slices.Equal(got, want) || got[1] != "" {
		t.Errorf("%s: prepared it translates %q (%v), want %q", what, got, err, want)
	}
	if err := again.Prepare(device(t), true); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// searches compares what greedy search and a beam write with the reference, which gives the
// log-probabilities of a target and its end. Every device writes the same, from parameters as
// they are and prepared, at the cost that the meter says.
func searches(t *testing.T, what string, c nmt.Config, p *tensor.Set, e *nmt.Engine, source []int32, reference func(source, target []int32) []float64) {
	t.Helper()
	limit := func(int) int { return 6 }
	greedy, cost, err := e.Greedy(p, [][]int32{source}, limit)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	beam, _, err := e.Beam(p, [][]int32{{6}, source}, limit, 3, 1)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	meter := nmt.NewMeter(c)
	if least, most := nmt.Steps(len(greedy[0]), 6, 0); meter.Translation(len(source)+1, least, 0) != cost || least != most {
		t.Errorf("%s: greedy search costs %d, the meter says %d", what, cost, meter.Translation(len(source)+1, least, 0))
	}
	b := nmt.Batch{Source: [][]int32{source, {6}}, Target: [][]int32{greedy[0], {4, 5}}}
	loss, err := e.Loss(p, b)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	sizes, err := nmt.SizesOf(c, b)
	if err != nil || meter.Loss(sizes) != loss.Cost {
		t.Errorf("%s: a loss costs %d, the meter says %d, %v", what, loss.Cost, meter.Loss(sizes), err)
	}
	// Each token of the greedy output is the most likely one.
	vocab := int32(c.Vocab - 1)
	for at := range greedy[0] {
		best, most := int32(-1), math.Inf(-1)
		for token := range vocab {
			if token == c.Tokens().EOS || token == c.Tokens().BOS {
				continue
			}
			if l := reference(source, append(slices.Clone(greedy[0][:at]), token))[at]; l > most {
				best, most = token, l
			}
		}
		if best != greedy[0][at] {
			t.Errorf("%s: greedy search writes %v, the reference %d in place of token %d", what, greedy[0], best, at)
			break
		}
	}
	for _, name := range kernel.Names() {
		dev, err := kernel.Open(name, 2)
		if err != nil {
			continue // not this processor's
		}
		for _, int8 := range []bool{false, true} {
			prepared, err := nmt.Prepare(c, p, int8)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			other := nmt.NewEngine(dev, c)
			g, _, err := other.Greedy(prepared, [][]int32{{6, 4}, source}, limit)
			if err != nil || !int8 && !slices.Equal(g[1], greedy[0]) {
				t.Errorf("%s on %s: greedy search writes %v (%v), want %v", what, name, g, err, greedy)
			}
			w, _, err := other.Beam(prepared, [][]int32{source}, limit, 3, 1)
			if err != nil || !int8 && !slices.Equal(w[0], beam[1]) {
				t.Errorf("%s on %s: a beam writes %v (%v), want %v", what, name, w, err, beam)
			}
		}
	}
}
