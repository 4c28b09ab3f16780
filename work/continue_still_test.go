package work_test

import (
	"math"
	"slices"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
)

// TestContinueStill: a run that continues a model of Marian leaves the embedding that begins
// targets as it is, with gradients and with local steps.
func TestContinueStill(t *testing.T) {
	store := &block.MemoryStore{}
	base, _ := imported(t, store, nil)
	m := base.Model
	m.Form.Positions, m.Form.NormEps = nmt.Timescales, 1e-6 // as in Marian
	params := base.Params.Clone()
	pad, dim := int(m.Vocab)-1, int(m.Dim)
	row := func(link block.Link) []float32 {
		set, err := state.GetSet(t.Context(), store, link)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := set.Get("embedding.weight")
		return x.F[pad*dim : (pad+1)*dim]
	}
	x, _ := params.Get("embedding.weight")
	clear(x.F[pad*dim:])
	bias, _ := params.Get("output.bias")
	bias.F[pad] = -1e9
	begin, err := model.NewTranslator(m, params, base.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	link, err := begin.Put(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	zeros := func(f []float32) bool { return !slices.ContainsFunc(f, func(x float32) bool { return x != 0 }) }
	for _, c := range []struct{ steps, bits uint32 }{{1, 8}, {2, 2}} {
		cfg := config()
		cfg.Epochs, cfg.LocalSteps, cfg.DeltaBits, cfg.UpdateBits = 1, c.steps, c.bits, c.bits
		text := numbers()
		text.Target = "deu"
		plan, err := run.Continue(t.Context(), store, text, cfg, link)
		if err != nil {
			t.Fatal(err)
		}
		last, rounds := trained(t, store, "portable", plan)
		// With the bias of the model the loss would be that of the token that has no probability.
		line := rounds[0].Lines[0]
		if each := math.Float32frombits(line.Loss) / float32(line.Tokens); each >= 20 {
			t.Errorf("%+v: the loss is %v nats a token", c, each)
		}
		if got := row(last.Result); !zeros(got) {
			t.Errorf("%+v: the embedding that begins targets is %v", c, got)
		}
	}
}
