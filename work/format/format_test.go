package format

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// dir gives the files of a directory, changed or taken away (nil) by changes.
func dir(path string, changes map[string][]byte) ReadFile {
	return func(name string) ([]byte, error) {
		if data, ok := changes[name]; ok {
			if data == nil {
				return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
			}
			return data, nil
		}
		if path == "" {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return os.ReadFile(filepath.Join(path, name))
	}
}

const marianDir = "testdata/marian"

// published is an answer of other programs: tokens of the SentencePiece library
// (0.1.97), and what a forward pass in PyTorch, written after modeling_marian.py,
// makes of them with the random weights beside it.
type published struct {
	Source, Target, Translation string
	SourceIDs                   []int32 `json:"source_ids"`
	TargetIDs                   []int32 `json:"target_ids"`
	LogProbs                    []float32
	Greedy                      []int32
}

func vectors(t *testing.T) (all []published) {
	t.Helper()
	f, err := os.Open(filepath.Join(marianDir, "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v published
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if len(all) < 40 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

func device(t *testing.T) kernel.Device {
	t.Helper()
	dev, err := kernel.Open("", 1)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// worst is the largest difference of log-probabilities from the published ones.
func worst(t *testing.T, tr *model.Translator, all []published) float64 {
	t.Helper()
	e := nmt.NewEngine(device(t), tr.Model.Config())
	most := 0.0
	for _, v := range all {
		if len(v.SourceIDs) == 0 {
			continue
		}
		probs, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{v.SourceIDs}, Target: [][]int32{v.TargetIDs}})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range probs[0] {
			most = max(most, math.Abs(float64(p-v.LogProbs[i])))
		}
	}
	return most
}

// TestMarianMT imports a model in the layout of the public OPUS-MT models:
// tokens and translations are those of other programs, and log-probabilities
// too, but for the rounding of sums in another order.
func TestMarianMT(t *testing.T) {
	tr, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	if m := tr.Model; m.Version != 2 || m.Source != "en" || m.Target != "de" {
		t.Errorf("model %+v", m)
	}
	all := vectors(t)
	for _, v := range all {
		if got := tr.Tokenizer.Source(v.Source); !slices.Equal(got, v.SourceIDs) {
			t.Errorf("source %q: %v, want %v", v.Source, got, v.SourceIDs)
		}
		if got := tr.Tokenizer.Target(v.Target); !slices.Equal(got, v.TargetIDs) {
			t.Errorf("target %q: %v, want %v", v.Target, got, v.TargetIDs)
		}
		got, err := tr.Translate(tr.Model.NewEngine(device(t)), []string{v.Source}, unit.Greedy)
		if err != nil || got[0] != v.Translation {
			t.Errorf("%q becomes %q (%v), want %q", v.Source, got, err, v.Translation)
		}
	}
	if d := worst(t, tr, all); d > 2e-5 {
		t.Errorf("a log-probability differs by %v", d)
	}
}

// TestMarianMTGolden holds the CID of an imported model: files become the same
// model on every machine.
func TestMarianMTGolden(t *testing.T) {
	tr, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = "bafyreigl33p7fxnrr2qadzgi7gd3i2jrd5ovjmapfpxp4ccpwlzs4a2yu4"
	if got := tr.ID().String(); got != want {
		t.Errorf("model %s, want %s", got, want)
	}
}

// TestMarianMTPrepared translates with parameters laid out for speed, which
// changes no bit, and in int8, which is another function of the same model.
func TestMarianMTPrepared(t *testing.T) {
	tr, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	var lines, want []string
	for _, v := range vectors(t) {
		lines, want = append(lines, v.Source), append(want, v.Translation)
	}
	var digests []string
	for _, name := range kernel.Names() {
		dev, err := kernel.Open(name, 2)
		if err != nil {
			continue // not this processor's
		}
		for _, int8 := range []bool{false, true} {
			if err := tr.Prepare(dev, int8); err != nil {
				t.Fatal(err)
			}
			got, err := tr.Translate(tr.Model.NewEngine(dev), lines, unit.Greedy)
			if err != nil {
				t.Fatal(err)
			}
			if !int8 && !slices.Equal(got, want) {
				t.Errorf("%s: prepared it translates otherwise", name)
			}
			if int8 {
				digests = append(digests, strings.Join(got, "\n"))
			}
		}
	}
	if len(slices.Compact(digests)) != 1 {
		t.Error("in int8 devices translate differently")
	}
}

// TestTravels puts an imported model in blocks, reads it back, and has a unit of
// work translate with it.
func TestTravels(t *testing.T) {
	ctx, blocks := context.Background(), &block.MemoryStore{}
	tr, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	link, err := tr.Put(ctx, blocks)
	if err != nil || link != tr.ID() {
		t.Fatalf("stored as %v (%v), is %v", link, err, tr.ID())
	}
	back, err := model.Load(ctx, blocks, link)
	if err != nil || back.ID() != link || back.Model.Form != tr.Model.Form {
		t.Fatalf("read back: %v", err)
	}
	files := back.Files()
	again, err := model.Parse(dir("", files))
	if err != nil || again.ID() != link {
		t.Fatalf("from its directory: %v", err)
	}
	segments := []string{"Where is the station?", "", "It is a quarter to seven."}
	units, err := model.Translations(ctx, blocks, link, link, back.Tokenizer, segments, nil, unit.Greedy)
	if err != nil {
		t.Fatal(err)
	}
	r, err := work.NewWorker(device(t)).Do(ctx, blocks, units[0])
	if err != nil {
		t.Fatal(err)
	}
	var out unit.Text
	if err := block.GetNode(ctx, blocks, r.Outputs[0], &out); err != nil {
		t.Fatal(err)
	}
	want, err := tr.Translate(tr.Model.NewEngine(device(t)), segments, unit.Greedy)
	if err != nil || !slices.Equal(out.Segments, want) {
		t.Errorf("a worker gives %q, the translator %q, %v", out.Segments, want, err)
	}
}

// ours is a small model of this program's.
func ours(t *testing.T) *model.Translator {
	t.Helper()
	tok, err := text.Train(slices.Values([]string{"one two three four", "eins zwei drei vier"}), 280)
	if err != nil {
		t.Fatal(err)
	}
	m := model.Model{Source: "en", Target: "de", Vocab: uint32(tok.Pieces()), Shape: nmt.Shape{Dim: 8, FFN: 12, Heads: 2, Encoder: 2, Decoder: 1}}
	p := nmt.Init(m.Config(), 3)
	for i := range p.Len() { // no bias is zero
		for j := range p.At(i).F {
			p.At(i).F[j] += float32((7*i+j)%11-5) / 32
		}
	}
	tr, err := model.NewTranslator(m, p, tok)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestHuggingFaceAndBack exports both kinds of models and imports what was written.
func TestHuggingFaceAndBack(t *testing.T) {
	foreign, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range []*model.Translator{ours(t), foreign} {
		files, err := Export("huggingface", tr)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(files[hfTokenizerFile], []byte(`"split_special_tokens": true`)) {
			t.Errorf("transformers would take text for marks: %s", files[hfTokenizerFile])
		}
		back, err := Import("huggingface", dir("", files))
		if err != nil {
			t.Fatal(err)
		}
		if back.ID() != tr.ID() {
			name, _ := back.Params.Difference(tr.Params)
			t.Errorf("exported %s, imported %s: %s differs, %+v, %+v", tr.ID(), back.ID(), name, tr.Model, back.Model)
		}
	}
}

// TestExchange translates with the columns of the residual stream exchanged and
// the positions likewise: the same function.
func TestExchange(t *testing.T) {
	tr := ours(t)
	there := *tr
	there.Params = exchange(tr.Model.Config(), tr.Params, false)
	there.Model.Form.Positions = nmt.Halves
	b := nmt.Batch{Source: [][]int32{{9, 20, 40}}, Target: [][]int32{{50, 60, 7, 8}}}
	var probs [2][]float32
	for i, m := range []*model.Translator{tr, &there} {
		p, err := nmt.NewEngine(device(t), m.Model.Config()).LogProbs(m.Params, b)
		if err != nil {
			t.Fatal(err)
		}
		probs[i] = p[0]
	}
	for i := range probs[0] {
		if d := math.Abs(float64(probs[0][i] - probs[1][i])); d > 2e-6 {
			t.Errorf("token %d: %v and %v", i, probs[0][i], probs[1][i])
		}
	}
	if back := exchange(tr.Model.Config(), there.Params, true); state.SumSet(back) != state.SumSet(tr.Params) {
		t.Error("back again they are not the same")
	}
}

// TestBadHuggingFace: what is damaged, hostile or of another architecture is
// refused by name.
func TestBadHuggingFace(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(marianDir, hfConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(marianDir, hfWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	set, err := state.DecodeSafetensorsWidened(weights)
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(old, with string) []byte {
		if !bytes.Contains(config, []byte(old)) {
			t.Fatalf("no %s in config.json", old)
		}
		return bytes.Replace(config, []byte(old), []byte(with), 1)
	}
	with := func(change func(items []tensor.Named) []tensor.Named) []byte {
		var items []tensor.Named
		for i := range set.Len() {
			items = append(items, set.At(i))
		}
		s, err := tensor.NewSet(change(items))
		if err != nil {
			t.Fatal(err)
		}
		return state.EncodeSafetensors(s)
	}
	more := func(name string, shape ...int) []byte {
		return with(func(items []tensor.Named) []tensor.Named {
			return append(items, tensor.Named{Name: name, Tensor: tensor.Zeros(kernel.F32, shape...)})
		})
	}
	for what, c := range map[string]struct {
		file string
		data []byte
		says string
	}{
		"no config":           {hfConfigFile, nil, hfConfigFile},
		"config is no JSON":   {hfConfigFile, []byte("{"), hfConfigFile},
		"another model":       {hfConfigFile, replaced(`"marian"`, `"t5"`), `model_type "t5"`},
		"gelu":                {hfConfigFile, replaced(`"swish"`, `"gelu"`), `activation_function "gelu"`},
		"learned positions":   {hfConfigFile, replaced(`"static_position_embeddings": true`, `"static_position_embeddings": false`), "learned"},
		"norms before":        {hfConfigFile, replaced(`"normalize_before": false`, `"normalize_before": true`), "normalize_before"},
		"norm of embeddings":  {hfConfigFile, replaced(`"normalize_embedding": false`, `"normalize_embedding": true`), "normalize_embedding"},
		"two embeddings":      {hfConfigFile, replaced(`"share_encoder_decoder_embeddings": true`, `"share_encoder_decoder_embeddings": false`), text.TargetVocabFile},
		"heads":               {hfConfigFile, replaced(`"decoder_attention_heads": 2`, `"decoder_attention_heads": 4`), "attention_heads"},
		"huge":                {hfConfigFile, replaced(`"d_model": 8`, `"d_model": 1000000000`), "dim"},
		"wider":               {hfConfigFile, replaced(`"d_model": 8`, `"d_model": 16`), "final_logits_bias|model."},
		"more layers":         {hfConfigFile, replaced(`"encoder_layers": 2`, `"encoder_layers": 3`), "model.encoder.layers.2"},
		"fewer layers":        {hfConfigFile, replaced(`"encoder_layers": 2`, `"encoder_layers": 1`), "model.encoder.layers.1"},
		"other start":         {hfConfigFile, replaced(`"decoder_start_token_id": 569`, `"decoder_start_token_id": 3`), "marks"},
		"two vocabularies":    {hfTokenizerFile, []byte(`{"separate_vocabs": true}`), "separate_vocabs"},
		"no weights":          {hfWeightsFile, nil, hfWeightsFile},
		"weights cut":         {hfWeightsFile, weights[:len(weights)-1], hfWeightsFile},
		"header cut":          {hfWeightsFile, weights[:9], hfWeightsFile},
		"header of exabytes":  {hfWeightsFile, append([]byte{255, 255, 255, 255, 255, 255, 255, 255}, weights...), hfWeightsFile},
		"unknown tensor":      {hfWeightsFile, more("model.encoder.extra", 3), "model.encoder.extra"},
		"another embedding":   {hfWeightsFile, more("lm_head.weight", 570, 8), "not one matrix"},
		"positions in a file": {hfWeightsFile, more(hfEncoderPositions, 4, 8), "learned"},
		"positions too wide":  {hfWeightsFile, more(hfEncoderPositions, 4, 9), hfEncoderPositions},
		"embedding of another": {hfWeightsFile, with(func(items []tensor.Named) []tensor.Named {
			return slices.DeleteFunc(items, func(x tensor.Named) bool { return x.Name == hfEmbedding })
		}), hfEmbedding},
		"not a number": {hfWeightsFile, with(func(items []tensor.Named) []tensor.Named {
			x := tensor.Zeros(kernel.F32, items[0].Shape...)
			x.F[0] = float32(math.NaN())
			return append(items[1:], tensor.Named{Name: items[0].Name, Tensor: x})
		}), "not a finite number"},
		"no tokenizer":    {text.SourceFile, nil, text.SourceFile},
		"tokenizer cut":   {text.TargetFile, []byte{10, 200, 1}, text.TargetFile},
		"other tokenizer": {text.VocabFile, []byte(`{"</s>":0,"<unk>":1,"<pad>":2}`), "3 pieces"},
	} {
		_, err := Import("huggingface", dir(marianDir, map[string][]byte{c.file: c.data}))
		if err == nil || !slices.ContainsFunc(strings.Split(c.says, "|"), func(s string) bool { return strings.Contains(err.Error(), s) }) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
	_, err = Import("huggingface", dir(marianDir, map[string][]byte{hfWeightsFile: nil, hfPickleFile: {1}}))
	if err == nil || !strings.Contains(err.Error(), "pytorch_model.bin: torch checkpoint") {
		t.Errorf("a pickle: %v", err)
	}
	if _, err := Import("onnx", dir(marianDir, nil)); err == nil {
		t.Error("an unknown format is read")
	}
	if _, err := Export("onnx", ours(t)); err == nil {
		t.Error("an unknown format is written")
	}
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("a pickle is said not to exist")
	}
}

// FuzzHuggingFace reads hostile configurations and weights: refused, or a model
// whose parts fit.
func FuzzHuggingFace(f *testing.F) {
	config, err := os.ReadFile(filepath.Join(marianDir, hfConfigFile))
	if err != nil {
		f.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(marianDir, hfWeightsFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(config, weights)
	f.Add([]byte(strings.Replace(string(config), "marian", "pegasus", 1)), weights[:100])
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		tr, err := Import("huggingface", dir(marianDir, map[string][]byte{hfConfigFile: config, hfWeightsFile: weights}))
		if err == nil && tr.Model.Config().Check(tr.Params) != nil {
			t.Error("parameters of another shape were taken")
		}
	})
}
