package work_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/run"
	"github.com/alia-network/alia/work/state"
)

// TestContinueStill: a run that continues a model of Marian leaves the embedding that begins
// targets as it is, with gradients and with local steps. A run of version 1 trains it, as such
// runs did before there was version 2, and its work is other work.
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
	for _, c := range []struct{ steps, bits, version uint32 }{{1, 8, run.Still}, {2, 2, run.Still}, {1, 8, run.Plain}} {
		cfg := config()
		cfg.Epochs, cfg.LocalSteps, cfg.DeltaBits, cfg.UpdateBits = 1, c.steps, c.bits, c.bits
		text := numbers()
		text.Target = "deu"
		made, err := run.Continue(t.Context(), store, text, cfg, link)
		if err != nil {
			t.Fatal(err)
		}
		if made.Run.Version != run.Still {
			t.Fatalf("the run has version %d, want %d", made.Run.Version, run.Still)
		}
		record := made.Run
		record.Version = uint16(c.version)
		at, err := block.PutNode(t.Context(), store, record)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := run.Open(t.Context(), store, at)
		if err != nil {
			t.Fatal(err)
		}
		last, rounds := trained(t, store, "portable", plan)
		// In a run of version 1 the loss is that of the token that has no probability.
		line := rounds[0].Lines[0]
		if each := math.Float32frombits(line.Loss) / float32(line.Tokens); (each < 20) != (c.version == run.Still) {
			t.Errorf("%+v: the loss is %v nats a token", c, each)
		}
		if got := row(last.Result); zeros(got) != (c.version == run.Still) {
			t.Errorf("%+v: the embedding that begins targets is %v", c, got)
		}
		still, err := made.Function()
		if err != nil {
			t.Fatal(err)
		}
		if other, err := plan.Function(); err != nil || (other == still) != (c.version == run.Still) {
			t.Errorf("%+v: functions %s and %s, %v", c, still, other, err)
		}
	}
	// The version needs a model to begin with, and there is none after it.
	for version, want := range map[uint16]string{run.Still: "without such a model", 3: "version 3"} {
		plan, err := run.New(t.Context(), store, numbers(), config())
		if err != nil {
			t.Fatal(err)
		}
		record := plan.Run
		record.Version = version
		at, err := block.PutNode(t.Context(), store, record)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Read(t.Context(), store, at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
