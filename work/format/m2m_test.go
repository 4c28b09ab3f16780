package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/text"
)

// randomWeights is parameters of a configuration by transformers' names and shapes, none of them
// zero, and further tensors.
func randomWeights(t testing.TB, c nmt.Config, at func(nmt.ParamShape) foreignParam, more ...tensor.Named) *tensor.Set {
	t.Helper()
	seed := uint32(7)
	next := func() float32 { // from -1 to 1, by a linear congruence (Numerical Recipes, section 7.1)
		seed = 1664525*seed + 1013904223
		return float32(int32(seed>>8)-1<<23) / (1 << 23)
	}
	items := more
	for _, s := range c.Shapes() {
		p := at(s)
		x := kernel.New(kernel.F32, p.foreign(s)...)
		spread := float32(1.5 / math.Sqrt(float64(x.Shape[len(x.Shape)-1])))
		for i := range x.F {
			x.F[i] = float32(spread * next())
			if strings.HasSuffix(s.Name, "norm.weight") {
				x.F[i]++
			}
		}
		items = append(items, tensor.Named{Name: p.name, Tensor: x})
	}
	s, err := tensor.NewSet(items)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// m2mDir is the directory of a model of NLLB, or with a vocab.json of M2M-100, with random
// parameters: by shape and names of files.
func m2mDir(t testing.TB, c nmt.Config, m2m bool) (map[string][]byte, *tensor.Set) {
	t.Helper()
	spm, err := os.ReadFile("../text/testdata/types/bpe.model")
	if err != nil {
		t.Fatal(err)
	}
	pieces, err := text.ParseSentencePiece(spm)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"<s>", "<pad>", "</s>", "<unk>"}
	for id := 3; id < pieces.Pieces(); id++ {
		names = append(names, pieces.Piece(int32(id)))
	}
	files := map[string][]byte{text.FairseqFile: spm}
	languages := []string{"ace_Latn", "deu_Latn", "eng_Latn", "fra_Latn"}
	class := "NllbTokenizer"
	if m2m { // other ids: nothing but the file says them
		slices.Reverse(names[4:])
		files[text.VocabFile], class = vocabJSON(names), "M2M100Tokenizer"
		languages = []string{"__af__", "__de__", "__en__", "__fr__"}
	}
	files[hfTokenizerFile] = pretty(map[string]any{"tokenizer_class": class})
	files[hfSpecialFile] = pretty(map[string]any{"additional_special_tokens": languages})
	c.Vocab = len(names) + len(languages) + 3 // rows that no piece has
	files[hfConfigFile] = pretty(map[string]any{
		"model_type": hfM2M, "vocab_size": c.Vocab, "d_model": c.Dim, "encoder_layers": c.Encoder, "decoder_layers": c.Decoder,
		"encoder_ffn_dim": c.FFN, "decoder_ffn_dim": c.FFN, "encoder_attention_heads": c.Heads, "decoder_attention_heads": c.Heads,
		"activation_function": "relu", "scale_embedding": true, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
		"decoder_start_token_id": 2, "max_position_embeddings": 1024, "is_encoder_decoder": true,
	})
	s := randomWeights(t, c, hfParam)
	files[hfWeightsFile] = state.EncodeSafetensors(s)
	return files, s
}

// TestM2M imports models of NLLB and of M2M-100 and compares tokens, log-probabilities and greedy
// translations with an independent forward pass. One is as wide as the published ones.
func TestM2M(t *testing.T) {
	for _, c := range []struct {
		shape              nmt.Config
		m2m                bool
		src, tgt, from, to string
	}{
		{nmt.Config{Dim: 16, FFN: 24, Heads: 2, Encoder: 2, Decoder: 3}, false, "eng_Latn", "deu_Latn", "eng_Latn", "deu_Latn"},
		{nmt.Config{Dim: 16, FFN: 24, Heads: 4, Encoder: 1, Decoder: 1}, true, "en", "fr", "__en__", "__fr__"},
		{nmt.Config{Dim: 1024, FFN: 8, Heads: 16, Encoder: 1, Decoder: 1}, false, "deu_Latn", "eng_Latn", "deu_Latn", "eng_Latn"},
	} {
		files, weights := m2mDir(t, c.shape, c.m2m)
		tr, err := ImportPair("huggingface", dir("", files), c.src, c.tgt)
		if err != nil {
			t.Fatal(err)
		}
		if m := tr.Model; m.Source != c.src || m.Target != c.tgt || m.Version != model.VersionFairseq {
			t.Errorf("model %+v", m)
		}
		names := tr.Tokenizer.Names()
		from, to := int32(slices.Index(names, c.from)), int32(slices.Index(names, c.to))
		r := newReference(weights, reference{
			dim: c.shape.Dim, heads: c.shape.Heads, encoder: c.shape.Encoder, decoder: c.shape.Decoder,
			before: true, scaled: true, position: m2mPosition(c.shape.Dim),
			source: hfEmbedding, target: hfEmbedding, output: hfEmbedding,
		})
		e := nmt.NewEngine(device(t), tr.Model.Config())
		for _, line := range []string{"The miller.", "The old miller sells warm bread.", "Ein rotes Boot <s> eng_Latn __en__ 日本"} {
			ids := tr.Tokenizer.Source(line)
			if ids[0] != from || slices.Contains(ids[1:], from) || slices.Contains(ids, 0) {
				t.Errorf("%q has the tokens %v; %d is the language, 0 the mark <s>", line, ids, from)
			}
			target := tr.Tokenizer.Target("Ein alter Müller.")
			probs, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{ids}, Target: [][]int32{target}})
			if err != nil {
				t.Fatal(err)
			}
			source := append(slices.Clone(ids), 2)
			want := r.logProbs(source, append([]int32{2, to}, target...))
			for i, p := range probs[0] {
				next := append(slices.Clone(target), 2)[i]
				if d := math.Abs(float64(p) - want[i+1][next]); d > 5e-5 {
					t.Errorf("%q: the log-probability of token %d is %v, want %v", line, i, p, want[i+1][next])
				}
			}
			if c.shape.Dim > 64 {
				break // one line of a wide model takes the reference long enough
			}
			sameGreedy(t, e, tr, r, ids, []int32{2, to}, source)
		}
		if c.shape.Dim <= 64 {
			travels(t, "", tr)
			exported, err := Export("huggingface", tr)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Import("huggingface", dir("", exported)) // its tokenizer names the pair
			if err != nil {
				t.Fatal(err)
			}
			if back.ID() != tr.ID() || !bytes.Contains(exported[hfTokenizerFile], []byte(c.tgt)) {
				t.Errorf("exported %s, imported %s: %s", tr.ID(), back.ID(), exported[hfTokenizerFile])
			}
		}
	}
}

// sameGreedy compares a greedy translation with that by the reference.
func sameGreedy(t *testing.T, e *nmt.Engine, tr *model.Translator, r *reference, ids, input, source []int32) {
	t.Helper()
	const limit = 4
	out, _, err := e.Greedy(tr.Params, [][]int32{ids}, func(int) int { return limit })
	if err != nil {
		t.Fatal(err)
	}
	beam, _, err := e.Beam(tr.Params, [][]int32{ids}, func(int) int { return limit }, 3, 1)
	if err != nil || len(beam) != 1 {
		t.Fatal(err)
	}
	marks := tr.Model.Config().Tokens()
	var want []int32
	for len(want) < limit {
		p := r.logProbs(source, append(slices.Clone(input), want...))
		last := p[len(p)-1]
		last[marks.Pad], last[marks.BOS] = math.Inf(-1), math.Inf(-1)
		best := int32(slices.Index(last, slices.Max(last)))
		if best == marks.EOS {
			break
		}
		want = append(want, best)
	}
	if !slices.Equal(out[0], want) {
		t.Errorf("greedy gives %v, the reference %v", out[0], want)
	}
}

// TestM2MGolden holds the CID of an imported model: files become the same model on every machine.
func TestM2MGolden(t *testing.T) {
	files, _ := m2mDir(t, nmt.Config{Dim: 16, FFN: 24, Heads: 2, Encoder: 2, Decoder: 3}, false)
	tr, err := ImportPair("huggingface", dir("", files), "eng_Latn", "deu_Latn")
	if err != nil {
		t.Fatal(err)
	}
	const want = "bafyreibo3fvia77wn4dj6lluhxwld7foyawroomqjgxx2j3kdwaiauwv6m"
	if got := tr.ID().String(); got != want {
		t.Errorf("model %s, want %s", got, want)
	}
}

// TestBadM2M: what is damaged, or computed otherwise here, is refused by name.
func TestBadM2M(t *testing.T) {
	files, _ := m2mDir(t, nmt.Config{Dim: 8, FFN: 8, Heads: 2, Encoder: 1, Decoder: 1}, false)
	config := string(files[hfConfigFile])
	replaced := func(old, with string) []byte {
		if !strings.Contains(config, old) {
			t.Fatalf("no %s in config.json", old)
		}
		return []byte(strings.Replace(config, old, with, 1))
	}
	for what, c := range map[string]struct {
		file, src, tgt string
		data           []byte
		says           string
	}{
		"no pair":                         {file: hfSpecialFile, data: files[hfSpecialFile], says: "name the source (--src) of the pair to import, one of ace_Latn deu_Latn"},
		"no target":                       {file: hfSpecialFile, data: files[hfSpecialFile], src: "eng_Latn", says: "name the target (--tgt)"},
		"an unknown one":                  {file: hfSpecialFile, data: files[hfSpecialFile], src: "eng_Latn", tgt: "de", says: `"de" is no language of this model`},
		"a mark":                          {file: hfSpecialFile, data: files[hfSpecialFile], src: "eng_Latn", tgt: "</s>", says: `"</s>" is no language`},
		"no languages":                    {file: hfSpecialFile, data: nil, says: "no languages"},
		"gelu":                            {file: hfConfigFile, data: replaced(`"relu"`, `"gelu"`), says: `activation_function "gelu"`},
		"two matrices":                    {file: hfConfigFile, data: replaced(`"relu"`, `"relu", "tie_word_embeddings": false`), says: "tied: false"},
		"another start":                   {file: hfConfigFile, data: replaced(`"decoder_start_token_id": 2`, `"decoder_start_token_id": 0`), src: "eng_Latn", tgt: "deu_Latn", says: "decoder_start_token_id 0"},
		"a huge vocabulary":               {file: hfConfigFile, data: replaced(`"vocab_size": `, `"vocab_size": 99999`), says: "vocab_size"},
		"a small vocabulary":              {file: hfConfigFile, data: replaced(`"vocab_size": `, `"vocab_size": 9, "x": `), says: "do not fit"},
		"sources end with their language": {file: hfTokenizerFile, data: []byte(`{"tokenizer_class": "NllbTokenizer", "legacy_behaviour": true}`), says: "legacy_behaviour"},
		"another tokenizer":               {file: hfTokenizerFile, data: []byte(`{"tokenizer_class": "SMALL100Tokenizer"}`), says: "SMALL100Tokenizer"},
		"no pieces":                       {file: text.FairseqFile, data: nil, says: text.FairseqFile},
		"a language twice":                {file: hfTokenizerFile, data: []byte(`{"added_tokens_decoder": {"900": {"content": "a"}, "00900": {"content": "b"}}}`), says: "added token"},
		"an id far away":                  {file: hfTokenizerFile, data: []byte(`{"added_tokens_decoder": {"99999999": {"content": "a"}}}`), says: "added token"},
	} { // order-free: independent cases
		changed := map[string][]byte{c.file: c.data}
		for name, data := range files { // order-free: a copy
			if name != c.file {
				changed[name] = data
			}
		}
		if _, err := ImportPair("huggingface", dir("", changed), c.src, c.tgt); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
	tr, err := ImportPair("huggingface", dir("", files), "eng_Latn", "deu_Latn")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"ctranslate2", "marian"} { // what cannot be written is refused, and not written wrongly
		if _, err := Export(to, tr); err == nil || !strings.Contains(err.Error(), "whose languages have tokens") {
			t.Errorf("an export to %s: %v", to, err)
		}
	}
}

// TestTwoVocabularies imports a MarianMT whose languages have a vocabulary and an embedding each,
// compares it with an independent forward pass, exports it and imports it again.
func TestTwoVocabularies(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{text.SourceFile, text.TargetFile} {
		data, err := os.ReadFile(marianDir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	// The source's vocabulary has its marks elsewhere, and fewer pieces.
	data, err := os.ReadFile(marianDir + "/" + text.VocabFile)
	if err != nil {
		t.Fatal(err)
	}
	names, err := text.ParseVocab(data)
	if err != nil {
		t.Fatal(err)
	}
	files[text.TargetVocabFile] = data
	few := append([]string{"<pad>", "<unk>", "</s>"}, slices.DeleteFunc(slices.Clone(names[:300]), func(s string) bool { return s == "</s>" || s == "<unk>" })...)
	files[text.VocabFile] = vocabJSON(few)
	pad := slices.Index(names, "<pad>")
	shape := nmt.Config{Vocab: len(names), Dim: 8, FFN: 12, Heads: 2, Encoder: 2, Decoder: 2, Form: nmt.Form{
		PostNorm: true, OutputBias: true, Activation: nmt.Swish, Positions: nmt.Halves,
		Marks: nmt.Marks{Pad: int32(pad), BOS: int32(pad), EOS: 0}, SourceVocab: len(few), SourceEOS: 2,
	}}
	config := map[string]any{
		"model_type": "marian", "vocab_size": len(few), "decoder_vocab_size": len(names), "share_encoder_decoder_embeddings": false,
		"d_model": 8, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 12, "decoder_ffn_dim": 12,
		"encoder_attention_heads": 2, "decoder_attention_heads": 2, "activation_function": "swish", "scale_embedding": true,
		"pad_token_id": pad, "eos_token_id": 0, "decoder_start_token_id": pad, "static_position_embeddings": true,
	}
	files[hfConfigFile] = pretty(config)
	files[hfTokenizerFile] = []byte(`{"separate_vocabs": true, "source_lang": "en", "target_lang": "de"}`)
	weights := randomWeights(t, shape, twoParam)
	files[hfWeightsFile] = state.EncodeSafetensors(weights)
	tr, err := Import("huggingface", dir("", files))
	if err != nil {
		t.Fatal(err)
	}
	if tr.Model.Form != shape.Form || tr.Model.Version != model.VersionTwo {
		t.Errorf("model %+v", tr.Model)
	}
	r := newReference(weights, reference{
		dim: 8, heads: 2, encoder: 2, decoder: 2, swish: true, scaled: true, position: marianPosition(8),
		source: hfEncoderEmbedding, target: hfDecoderEmbedding, output: hfDecoderEmbedding,
	})
	e := nmt.NewEngine(device(t), tr.Model.Config())
	ids, target := tr.Tokenizer.Source("Where is the station?"), tr.Tokenizer.Target("Wo ist der Bahnhof?")
	probs, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{ids}, Target: [][]int32{target}})
	if err != nil {
		t.Fatal(err)
	}
	source := append(slices.Clone(ids), 2)
	want := r.logProbs(source, append([]int32{int32(pad)}, target...))
	for i, p := range probs[0] {
		next := append(slices.Clone(target), 0)[i]
		if d := math.Abs(float64(p) - want[i][next]); d > 5e-5 {
			t.Errorf("the log-probability of token %d is %v, want %v", i, p, want[i][next])
		}
	}
	sameGreedy(t, e, tr, r, ids, []int32{int32(pad)}, source)
	travels(t, "", tr)
	exported, err := Export("huggingface", tr)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Import("huggingface", dir("", exported))
	if err != nil || back.ID() != tr.ID() {
		t.Errorf("exported and imported it is another model: %v", err)
	}
	// Refused: one vocabulary where there should be two, and an output of its own.
	without := func(change func(map[string]any)) map[string][]byte {
		var c map[string]any
		if err := json.Unmarshal(files[hfConfigFile], &c); err != nil {
			t.Fatal(err)
		}
		change(c)
		out := map[string][]byte{hfConfigFile: pretty(c)}
		for name, data := range files { // order-free: a copy
			if name != hfConfigFile {
				out[name] = data
			}
		}
		return out
	}
	for says, change := range map[string]func(map[string]any){
		"separate_vocabs is true|not one matrix": func(c map[string]any) { c["share_encoder_decoder_embeddings"] = true },
		"tie_word_embeddings":                    func(c map[string]any) { c["tie_word_embeddings"] = false },
		"auto_map":                               func(c map[string]any) { c["auto_map"] = map[string]any{} },
		"do_blenderbot_90_layernorm":             func(c map[string]any) { c["do_blenderbot_90_layernorm"] = true },
		"quantization_config":                    func(c map[string]any) { c["quantization_config"] = map[string]any{"bits": 4} },
		"are not all in the vocabulary of 301":   func(c map[string]any) { c["decoder_vocab_size"] = len(few) },
	} { // order-free: independent cases
		_, err := Import("huggingface", dir("", without(change)))
		if err == nil || !slices.ContainsFunc(strings.Split(says, "|"), func(s string) bool { return strings.Contains(fmt.Sprint(err), s) }) {
			t.Errorf("%v, want it to say %s", err, says)
		}
	}
	for _, to := range []string{"ctranslate2", "marian"} {
		if _, err := Export(to, tr); err == nil || !strings.Contains(err.Error(), "two vocabularies") {
			t.Errorf("an export to %s: %v", to, err)
		}
	}
}

// FuzzM2M reads hostile configurations, tokenizers and lists of languages: refused, or a model whose
// parts fit.
func FuzzM2M(f *testing.F) {
	files, _ := m2mDir(f, nmt.Config{Dim: 8, FFN: 8, Heads: 2, Encoder: 1, Decoder: 1}, true)
	f.Add(files[hfConfigFile], files[hfTokenizerFile], files[hfSpecialFile], files[text.VocabFile])
	f.Add(files[hfConfigFile], []byte(`{"added_tokens_decoder": {"170": {"content": "__en__"}, "171": {"content": "__fr__"}}}`), []byte("{}"), files[text.VocabFile])
	f.Fuzz(func(t *testing.T, config, tokenizer, special, vocab []byte) {
		changed := map[string][]byte{hfConfigFile: config, hfTokenizerFile: tokenizer, hfSpecialFile: special, text.VocabFile: vocab}
		for name, data := range files { // order-free: a copy
			if changed[name] == nil {
				changed[name] = data
			}
		}
		tr, err := ImportPair("huggingface", dir("", changed), "en", "fr")
		if err != nil {
			return
		}
		if tr.Model.Config().Check(tr.Params) != nil {
			t.Error("parameters of another shape were taken")
		}
		tr.Tokenizer.Decode(tr.Tokenizer.Source("The miller sells __en__ <s> bread."))
		if _, err := Export("huggingface", tr); err != nil && !strings.Contains(err.Error(), "export to huggingface") {
			t.Error(err)
		}
	})
}
