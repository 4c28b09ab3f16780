package format

import (
	"bytes"
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/model"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
)

// marianTranslator is a model of Marian's form: with the tokenizer of the MarianMT
// beside this test, whose parameters it has where it has those.
func marianTranslator(t testing.TB, postNorm bool) *model.Translator {
	t.Helper()
	mt, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	m := mt.Model
	m.Source, m.Target = "", "" // Marian's files do not say
	m.Form.PostNorm, m.Form.Positions, m.Form.NormEps = postNorm, nmt.Timescales, marianEps
	p := nmt.Init(m.Config(), 4)
	for i := range p.Len() {
		if x, ok := mt.Params.Get(p.At(i).Name); ok {
			copy(p.At(i).F, x.F)
		}
	}
	bias, _ := p.Get("output.bias")
	bias.F[len(bias.F)-1] = impossible
	tr, err := model.NewTranslator(m, p, mt.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestMarianAndBack exports models of Marian's form and imports what was written.
func TestMarianAndBack(t *testing.T) {
	for _, postNorm := range []bool{true, false} {
		tr := marianTranslator(t, postNorm)
		files, err := writeMarian(tr)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Import("marian", dir("", files))
		if err != nil {
			t.Fatal(err)
		}
		if same(t, tr, back); !bytes.Equal(state.EncodeSafetensors(back.Params), state.EncodeSafetensors(tr.Params)) {
			t.Error("other parameters")
		}
	}
}

// same compares two models but for the bytes of their vocabularies.
func same(t *testing.T, a, b *model.Translator) {
	t.Helper()
	x, y := a.Model, b.Model
	x.Tokenizer, y.Tokenizer = b.Model.Tokenizer, b.Model.Tokenizer
	if x != y || !slices.Equal(a.Tokenizer.Names(), b.Tokenizer.Names()) {
		t.Errorf("%+v became %+v", a.Model, b.Model)
	}
}

// TestMarianNoProbability: Marian has no token <pad>, and none of its
// probability goes to ours.
func TestMarianNoProbability(t *testing.T) {
	tr := marianTranslator(t, true)
	var sum float64
	e := nmt.NewEngine(device(t), tr.Model.Config())
	for token := int32(1); int(token) < int(tr.Model.Vocab)-1; token++ {
		p, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{{7, 8}}, Target: [][]int32{{token}}})
		if err != nil {
			t.Fatal(err)
		}
		sum += math.Exp(float64(p[0][0]))
	}
	p, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{{7, 8}}, Target: [][]int32{{}}})
	if err != nil {
		t.Fatal(err)
	}
	if sum += math.Exp(float64(p[0][0])); math.Abs(sum-1) > 1e-5 {
		t.Errorf("the probabilities of Marian's tokens add up to %v", sum)
	}
}

// TestOneModelForBoth imports a model whose vocabulary is one SentencePiece model.
func TestOneModelForBoth(t *testing.T) {
	tr := marianTranslator(t, true)
	files, err := Export("marian", tr)
	if err != nil {
		t.Fatal(err)
	}
	files["both.spm"] = files[text.TargetFile]
	files[marianDecoderFile] = []byte("models: [model.npz]\nvocabs:\n  - both.spm\n  - both.spm\n")
	delete(files, text.SourceFile)
	delete(files, text.TargetFile)
	_, err = Import("marian", dir("", files))
	if err == nil || !strings.Contains(err.Error(), "both.spm: 420 pieces") {
		t.Errorf("a model of other pieces: %v", err)
	}
	spm, err := text.ParseSentencePiece(files["both.spm"])
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, spm.Pieces())
	for id := range names {
		names[id] = spm.Piece(int32(id))
	}
	tok, err := marianTokenizer("both.spm", "both.spm", nmt.Config{Vocab: len(names) + 1}, dir("", map[string][]byte{"both.spm": files["both.spm"]}))
	if names[0] != text.MarianEOS {
		if err == nil || !strings.Contains(err.Error(), "piece 0 is") {
			t.Errorf("a model whose first piece is %q: %v", names[0], err)
		}
	} else if err != nil || !slices.Equal(tok.Names(), append(names, text.MarianPad)) {
		t.Errorf("pieces %v, %v", tok, err)
	}
}

// TestNotForMarian: what Marian cannot compute is refused with the reason.
func TestNotForMarian(t *testing.T) {
	mt, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	start := marianTranslator(t, true)
	e, _ := start.Params.Get("embedding.weight")
	e.F[len(e.F)-1] = 1
	for says, tr := range map[string]*model.Translator{
		"this model's decoder begins with the token <s>":   ours(t),
		"sinusoids have timescales":                        mt,
		"its norms precede the attentions":                 marianTranslator(t, false),
		"this model's decoder begins with the token <pad>": start,
	} {
		if _, err := Export("marian", tr); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want it to say %s", err, says)
		}
	}
	if _, err := Export("huggingface", marianTranslator(t, true)); err == nil || !strings.Contains(err.Error(), "no architecture") {
		t.Errorf("Marian's positions for huggingface: %v", err)
	}
}

// TestNotForOthers: a form that this program writes for no other program is refused by its name.
func TestNotForOthers(t *testing.T) {
	for says, change := range map[string]func(f *nmt.Form){
		"its decoder has SSRUs":                      func(f *nmt.Form) { f.Recurrent = true },
		"its output projection is not the embedding": func(f *nmt.Form) { f.OwnOutput = true },
		"its sources do not end with </s>":           func(f *nmt.Form) { f.BareSource = true },
		"it has no positions":                        func(f *nmt.Form) { f.Positions = nmt.Unplaced },
	} {
		tr := marianTranslator(t, true)
		change(&tr.Model.Form)
		for _, to := range Exports {
			if _, err := Export(to, tr); err == nil || !strings.Contains(err.Error(), "export to "+to) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want it to say %s", to, err, says)
			}
		}
	}
}

// TestBadMarian: hostile files and other Transformers are refused by name.
func TestBadMarian(t *testing.T) {
	good, err := Export("marian", marianTranslator(t, true))
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := readNPZ(good[marianModelFile])
	if err != nil {
		t.Fatal(err)
	}
	option := func(old, with string) []byte {
		yaml := string(arrays[marianOptions].b)
		if !strings.Contains(yaml, old) {
			t.Fatalf("no %s in %s", old, yaml)
		}
		yaml = strings.Replace(yaml, old, with, 1)
		return npz(t, arrays, array{name: marianOptions, shape: []int{len(yaml)}, b: []byte(yaml)})
	}
	for what, c := range map[string]struct {
		file string
		data []byte
		says string
	}{
		"no model":          {marianModelFile, nil, marianModelFile},
		"model cut":         {marianModelFile, good[marianModelFile][:len(good[marianModelFile])/2], "npz"},
		"rnn":               {marianModelFile, option("type: transformer", "type: s2s"), "option type"},
		"two embeddings":    {marianModelFile, option("tied-embeddings-all: true", "tied-embeddings-all: false"), "decoder_Wemb"},
		"average attention": {marianModelFile, option("self-attention", "average-attention"), "transformer-decoder-autoreg"},
		"learned positions": {marianModelFile, option("embeddings: false", "embeddings: true"), "transformer-train-position-embeddings"},
		"gelu":              {marianModelFile, option("swish", "gelu"), "transformer-ffn-activation"},
		"norms":             {marianModelFile, option(`"dan"`, `"da"`), "transformer-preprocess"},
		"heads":             {marianModelFile, option("heads: 2", "heads: two"), "transformer-heads"},
		"huge":              {marianModelFile, option("dim-emb: 8", "dim-emb: 1000000000"), "dim"},
		"wider":             {marianModelFile, option("dim-emb: 8", "dim-emb: 16"), "shape"},
		"more layers":       {marianModelFile, option("enc-depth: 2", "enc-depth: 3"), "encoder_l3_"},
		"fewer layers":      {marianModelFile, option("enc-depth: 2", "enc-depth: 1"), "encoder_l2_"},
		"option twice":      {marianModelFile, option("dim-emb: 8", "dim-emb: 8\ndim-emb: 8"), "twice"},
		"more arrays":       {marianModelFile, npz(t, arrays, array{name: "x", shape: []int{1}, f: []float32{1}}), `"x"`},
		"vocabulary":        {marianVocabFile, []byte("\"</s>\": 0\n\"<unk>\": 1\n"), "no piece 2"},
		"vocabulary open":   {marianVocabFile, []byte("\"</s: 0\n"), "line 1"},
		"vocabulary's ids":  {marianVocabFile, []byte("\"</s>\": -1\n"), `piece "</s>"`},
		"two vocabularies":  {marianDecoderFile, []byte("models: [model.npz]\nvocabs: [a.yml, b.yml]\n"), "b.yml"},
		"another directory": {marianDecoderFile, []byte("models: [../model.npz]\nvocabs: [a.yml, a.yml]\n"), "beside it"},
		"no tokenizer":      {text.SourceFile, nil, text.SourceFile},
	} {
		files := maps.Clone(good)
		if files[c.file] = c.data; c.data == nil {
			delete(files, c.file)
		}
		if _, err := Import("marian", dir("", files)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
}

// npz is arrays with one put in.
func npz(t *testing.T, arrays map[string]array, change array) []byte {
	t.Helper()
	all := maps.Clone(arrays)
	all[change.name] = change
	var list []array
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	data, err := writeNPZ(list)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fromNumPy is a file of numpy.savez (1.24): Wemb, b and special:model.yml.
const fromNumPy = "UEsDBBQAAAAAAAAAIQAKnACkmAAAAJgAAAAIABQAV2VtYi5ucHkBABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNC" +
	"csICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg" +
	"ICAgICAgICAgICAgICAgICAgICAKAAAAAAAAgD4AAAA/AABAPwAAgD8AAKA/UEsDBBQAAAAAAAAAIQD9z6UIiAAAAIgAAAAFABQAYi5ucHkBAB" +
	"AAiAAAAAAAAACIAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgxLCAy" +
	"KSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAADAPwAAAMBQSwMEFAAAAAAAAA" +
	"AhAFtj0IuTAAAAkwAAABUAFABzcGVjaWFsOm1vZGVsLnltbC5ucHkBABAAkwAAAAAAAACTAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xp" +
	"MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgxOSwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC" +
	"AgICAgICAgICAgICAgICAgICAgICAKdHlwZTogdHJhbnNmb3JtZXIKAFBLAQIUAxQAAAAAAAAAIQAKnACkmAAAAJgAAAAIAAAAAAAAAAAAAACA" +
	"AQAAAABXZW1iLm5weVBLAQIUAxQAAAAAAAAAIQD9z6UIiAAAAIgAAAAFAAAAAAAAAAAAAACAAdIAAABiLm5weVBLAQIUAxQAAAAAAAAAIQBbY9" +
	"CLkwAAAJMAAAAVAAAAAAAAAAAAAACAAZEBAABzcGVjaWFsOm1vZGVsLnltbC5ucHlQSwUGAAAAAAMAAwCsAAAAawIAAAAA"

// TestNumPy reads a file of NumPy's, and refuses damaged ones.
func TestNumPy(t *testing.T) {
	data, err := base64.StdEncoding.DecodeString(fromNumPy)
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := readNPZ(data)
	if err != nil {
		t.Fatal(err)
	}
	if a := arrays["Wemb"]; !slices.Equal(a.shape, []int{2, 3}) || !slices.Equal(a.f, []float32{0, 0.25, 0.5, 0.75, 1, 1.25}) {
		t.Errorf("Wemb is %+v", a)
	}
	if a := arrays["b"]; !slices.Equal(a.shape, []int{1, 2}) || !slices.Equal(a.f, []float32{1.5, -2}) {
		t.Errorf("b is %+v", a)
	}
	if a := arrays[marianOptions]; string(a.b) != "type: transformer\n\x00" {
		t.Errorf("%s is %q", marianOptions, a.b)
	}
	for cut := range data {
		if _, err := readNPZ(data[:cut]); err == nil {
			t.Errorf("cut to %d bytes it is read", cut)
		}
	}
	for at := range bytes.Index(data, []byte("PK\x01\x02")) { // not the list of files at its end: dates and such may be any
		bad := slices.Clone(data)
		bad[at] ^= 4
		if got, err := readNPZ(bad); err == nil && !slices.Equal(got["Wemb"].f, arrays["Wemb"].f) {
			t.Errorf("with byte %d changed other numbers are read", at)
		}
	}
	compressed := slices.Clone(data)
	at := bytes.Index(compressed, []byte("PK\x01\x02"))
	compressed[at+10] = 8
	if _, err := readNPZ(compressed); err == nil || !strings.Contains(err.Error(), "compressed") {
		t.Errorf("a compressed file: %v", err)
	}
}

func TestYAML(t *testing.T) {
	got, err := readYAML([]byte("a: 1\n\"b \\\"\\u2581\\x41\": 'it''s'\n'c: d':\n  - 2\n  - \"3\"\nlist: [4, 5]\nempty: []\nnone:\n  {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"a": {"1"}, "b \"\u2581A": {"it's"}, "c: d": {"2", "3"}, "list": {"4", "5"}, "empty": nil, "none": nil}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, bad := range []string{"a", "a: 'b", `"a: 1`, `"\q": 1`, `"\u12": 1`, "- 1", "a: 1\n  - 2", "a: 1\na: 2", "a: \"b\" c"} {
		if got, err := readYAML([]byte(bad)); err == nil {
			t.Errorf("%q is read as %q", bad, got)
		}
	}
}

// FuzzNPZ: a file is refused, or its arrays are those of the file that writeNPZ
// makes of them.
func FuzzNPZ(f *testing.F) {
	data, err := base64.StdEncoding.DecodeString(fromNumPy)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	if data, err = writeNPZ([]array{{name: "a", shape: []int{1}, f: []float32{1}}, {name: "b", shape: []int{2}, b: []byte("yz")}}); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		arrays, err := readNPZ(data)
		if err != nil {
			return
		}
		var list []array
		size := 0
		for _, name := range slices.Sorted(maps.Keys(arrays)) {
			list, size = append(list, arrays[name]), size+4*len(arrays[name].f)+len(arrays[name].b)
		}
		if size > len(data) {
			t.Fatalf("%d bytes of arrays in a file of %d", size, len(data))
		}
		again, err := writeNPZ(list)
		if err != nil {
			return // a name that a zip cannot have
		}
		if _, err := readNPZ(again); err != nil {
			t.Errorf("read, written and not read again: %v", err)
		}
	})
}

// FuzzYAML reads hostile options and vocabularies: refused, or an object.
func FuzzYAML(f *testing.F) {
	f.Add([]byte("a: 1\n\"b \\\"\\u2581\\x41\": 'it''s'\n'c: d':\n  - 2\nlist: [4, 5]\n"))
	f.Add([]byte(marianYAML(nmt.Config{}, 5)))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := readYAML(data)
		if err != nil {
			return
		}
		n := 0
		for key, values := range all {
			n += len(key)
			for _, v := range values {
				n += len(v)
			}
		}
		if n > 3*len(data) { // an escape of two bytes is at most three
			t.Errorf("%d bytes of %d", n, len(data))
		}
		if _, err := marianShape(all); err == nil && len(all) < 7 {
			t.Errorf("a model of %d options", len(all))
		}
	})
}
