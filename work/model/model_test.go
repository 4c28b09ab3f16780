package model_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// small is a model that has learnt nothing.
func small(t testing.TB) *model.Translator {
	t.Helper()
	tok, err := text.Train(slices.Values([]string{"one two three", "eins zwei drei"}), 262)
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{
		Source: "en", Target: "de", Vocab: uint32(tok.Pieces()),
		Shape: nmt.Shape{Dim: 8, FFN: 16, Heads: 2, Encoder: 1, Decoder: 1},
	}
	tr, err := model.NewTranslator(m, nmt.Init(m.Config(), 1), tok)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// without is blocks that fail the test when one of the parameters is asked for.
type without struct {
	block.Blocks
	t      *testing.T
	params block.Link
}

func (w without) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if c == w.params.Cid {
		w.t.Errorf("the parameters are asked for")
	}
	return w.Blocks.Get(ctx, c)
}

func TestHeadNeedsNoParameters(t *testing.T) {
	tr, blocks := small(t), &block.MemoryStore{}
	link, err := tr.Put(t.Context(), blocks)
	if err != nil {
		t.Fatal(err)
	}
	h, err := model.ReadHead(t.Context(), without{blocks, t, tr.Model.Params}, link)
	if err != nil {
		t.Fatal(err)
	}
	if h.Elements() != uint64(tr.Params.Elements()) || !reflect.DeepEqual(h.Model, tr.Model) {
		t.Errorf("the head has %d elements and is %+v, want %d, %+v", h.Elements(), h.Model, tr.Params.Elements(), tr.Model)
	}
	if err := blocks.Delete(tr.Model.Tokenizer.Cid); err != nil {
		t.Fatal(err)
	}
	if _, err := model.ReadHead(t.Context(), blocks, link); err == nil || !strings.Contains(err.Error(), "tokenizer") {
		t.Errorf("without a tokenizer: %v", err)
	}
}

func TestEstimate(t *testing.T) {
	tr := small(t)
	one := tr.Estimate(unit.NewText([]string{"one two three"}, nil), unit.Greedy)
	if one != 1 {
		t.Errorf("a sentence of a tiny model is estimated at %d MFLOP, want 1", one)
	}
	many := slices.Repeat([]string{"one two three"}, 1000)
	tokens := uint64(len(many) * (len(tr.Tokenizer.Source("one two three")) + 1))
	if got, want := tr.Estimate(unit.NewText(many, nil), unit.Greedy), 4*tr.Elements()*tokens/1_000_000; got != want {
		t.Errorf("%d sentences are estimated at %d MFLOP, want %d", len(many), got, want)
	}
	if got, want := tr.Estimate(unit.NewText(many, nil), unit.Decoding{Beam: 4}), 4*4*tr.Elements()*tokens/1_000_000; got != want {
		t.Errorf("with a beam of 4: %d MFLOP, want %d", got, want)
	}
}

// TestReadRefuses: a record that a stranger wrote is read or refused with its reason.
func TestReadRefuses(t *testing.T) {
	tr, blocks := small(t), &block.MemoryStore{}
	if _, err := tr.Put(t.Context(), blocks); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*model.Model){
		"version 99":    func(m *model.Model) { m.Version = 99 },
		"version 0":     func(m *model.Model) { m.Version = 0 },
		"form":          func(m *model.Model) { m.Version = model.VersionMarian },
		"form: get":     func(m *model.Model) { m.Version = model.VersionTwo },
		"form: get n":   func(m *model.Model) { m.Version = model.VersionFairseq },
		"heads":         func(m *model.Model) { m.Heads = 3 },
		"pieces, the m": func(m *model.Model) { m.Vocab++ },
		"tokenizer":     func(m *model.Model) { m.Tokenizer = block.Link{} },
		"parameter":     func(m *model.Model) { m.Dim *= 2 },
		"set: ":         func(m *model.Model) { m.Params = m.Tokenizer },
	} {
		m := tr.Model
		change(&m)
		link, err := block.PutNode(t.Context(), blocks, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(t.Context(), blocks, link); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// TestNumericsAreChecked: a model of another specification would give other bits.
func TestNumericsAreChecked(t *testing.T) {
	files := small(t).Files()
	files[model.ConfigFile] = []byte(strings.Replace(string(files[model.ConfigFile]), kernel.Numerics, "ALIA-F16 v9", 1))
	_, err := model.Parse(func(name string) ([]byte, error) { return files[name], nil })
	if err == nil || !strings.Contains(err.Error(), "ALIA-F16 v9") {
		t.Errorf("a model of other numerics: %v", err)
	}
}

// TestParseNames: a number that is not finite is refused with its tensor, and a value of another
// kind with its key.
func TestParseNames(t *testing.T) {
	tr := small(t)
	read := func(files map[string][]byte) error {
		_, err := model.Parse(func(name string) ([]byte, error) { return files[name], nil })
		return err
	}
	files := tr.Files()
	if err := read(files); err != nil {
		t.Fatal(err)
	}
	config := files[model.ConfigFile]
	files[model.ConfigFile] = []byte(strings.Replace(string(config), `"d_model": 8`, `"d_model": "8"`, 1))
	if err := read(files); err == nil || !strings.Contains(err.Error(), `config.json: "d_model" is of the kind "string"`) {
		t.Errorf("a width that is a text: %v", err)
	}
	files[model.ConfigFile] = config
	for _, x := range []float64{math.NaN(), math.Inf(-1)} {
		tr.Params.At(2).F[1] = float32(x)
		files[model.ParamsFile] = tr.Files()[model.ParamsFile]
		want := fmt.Sprintf("model.safetensors: tensor %q has a number that is not finite", tr.Params.At(2).Name)
		if err := read(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// FuzzParse: whatever a config.json says, it is read or refused, and what is read is
// written again.
func FuzzParse(f *testing.F) {
	files := small(f).Files()
	f.Add(files[model.ConfigFile])
	f.Fuzz(func(t *testing.T, config []byte) {
		m, err := model.Parse(func(name string) ([]byte, error) {
			if name == model.ConfigFile {
				return config, nil
			}
			return files[name], nil
		})
		if err != nil {
			return
		}
		again := m.Files()
		n, err := model.Parse(func(name string) ([]byte, error) { return again[name], nil })
		if err != nil || n.ID() != m.ID() {
			t.Errorf("%v: a model came back changed from %s", err, again[model.ConfigFile])
		}
	})
}

func Example() {
	ctx, blocks := context.Background(), &block.MemoryStore{}
	// A model is a record, parameters and a tokenizer. This one has learnt nothing.
	tok, err := text.Train(slices.Values([]string{"good morning", "guten Morgen"}), 262)
	if err != nil {
		panic(err)
	}
	m := model.Model{
		Source: "en", Target: "de", Vocab: uint32(tok.Pieces()),
		Shape: nmt.Shape{Dim: 8, FFN: 16, Heads: 2, Encoder: 1, Decoder: 1},
	}
	made, err := model.NewTranslator(m, nmt.Init(m.Config(), 1), tok)
	if err != nil {
		panic(err)
	}
	link, err := made.Put(ctx, blocks)
	if err != nil {
		panic(err)
	}

	// Whoever has the model's CID can read it, and translate.
	t, err := model.Load(ctx, blocks, link)
	if err != nil {
		panic(err)
	}
	dev, err := kernel.Open("", 1)
	if err != nil {
		panic(err)
	}
	out, err := t.Translate(t.Model.NewEngine(dev), []string{"good morning"}, unit.Greedy)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(out), "segment from", t.Model.Source, "to", t.Model.Target)
	fmt.Println("the same model:", t.ID() == link && state.SumSet(t.Params) == made.Model.Params)

	// A customer who does not compute reads only the head.
	h, err := model.ReadHead(ctx, blocks, link)
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Elements(), "elements; a segment that fits:", h.Fits("good morning"))
	// Output:
	// 1 segment from en to de
	// the same model: true
	// 3632 elements; a segment that fits: true
}
