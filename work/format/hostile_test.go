package format

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/tensor"
)

// TestConfigJSON: a config.json with a value of another kind, or with a key twice, is refused, and
// the key is named.
func TestConfigJSON(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(marianDir, hfConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string][3]string{
		"a text":     {`"d_model": 8`, `"d_model": "8"`, `config.json: "d_model" is of the kind "string", want a whole number`},
		"a fraction": {`"d_model": 8`, `"d_model": 8.5`, `"d_model" is of the kind "number 8.5", want a whole number`},
		"too large":  {`"d_model": 8`, `"d_model": 1e30`, `"d_model" is of the kind "number 1e30", want a whole number`},
		"a list":     {`"scale_embedding": true`, `"scale_embedding": []`, `"scale_embedding" is of the kind "array", want true or false`},
		"twice":      {`"d_model": 8`, `"d_model": 8, "d_model": 16`, `config.json: the key "d_model" is there twice`},
		"in capitals": {`"scale_embedding": true`, `"scale_embedding": true, "Scale_Embedding": false`,
			`the key "scale_embedding" is there twice`},
		"heads of nothing":  {`"encoder_attention_heads": 2`, `"encoder_attention_heads": 0`, "attention_heads"},
		"an open list":      {`"encoder_attention_heads": 2,`, `"encoder_attention_heads": 2, "x": [`, "cut short"},
		"a list of objects": {string(config), `[` + string(config) + `]`, "is of the kind|not an object"},
	} { // order-free: independent cases
		changed := bytes.Replace(config, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(changed, config) {
			t.Fatalf("%s: no %s in %s", what, c[0], config)
		}
		_, err := Import("huggingface", dir(marianDir, map[string][]byte{hfConfigFile: changed}))
		if err == nil || !slices.ContainsFunc(strings.Split(c[2], "|"), func(s string) bool { return strings.Contains(err.Error(), s) }) {
			t.Errorf("%s: %v, want it to say %s", what, err, c[2])
		}
	}
}

// TestWholeNumbers: tensors of whole numbers in a checkpoint, where the model has numbers of F32,
// are refused by name.
func TestWholeNumbers(t *testing.T) {
	weights, err := os.ReadFile(filepath.Join(marianDir, hfWeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	set, err := state.DecodeSafetensorsWidened(weights)
	if err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		hfEncoderPositions: "want rows of 8 numbers of F32", hfBias: "has whole numbers", hfEmbedding: "has whole numbers",
		"model.encoder.layers.0.fc1.weight": "has whole numbers",
	} { // order-free: independent cases
		items := []tensor.Named{{Name: name, Tensor: kernel.New(kernel.I32, 4, 8)}}
		for i := range set.Len() {
			if x := set.At(i); x.Name != name {
				items = append(items, x)
			} else {
				items[0].Tensor = kernel.New(kernel.I32, x.Shape...)
			}
		}
		_, err := Import("huggingface", dir(marianDir, map[string][]byte{hfWeightsFile: nil, hfPickleFile: torchSave(t, items)}))
		if err == nil || !strings.Contains(err.Error(), hfPickleFile+": tensor") || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %s", name, err, says)
		}
	}
	c := nmt.Config{Dim: 8, FFN: 12, Heads: 2, Encoder: 1, Decoder: 1, Form: nmt.Form{FirstPosition: 2}}
	files, set := m2mDir(t, c, false)
	items := []tensor.Named{{Name: "model.encoder.embed_positions.weights", Tensor: kernel.New(kernel.I32, 4, 8)}}
	for i := range set.Len() {
		items = append(items, set.At(i))
	}
	delete(files, hfWeightsFile)
	files[hfPickleFile] = torchSave(t, items)
	if _, err := ImportPair("huggingface", dir("", files), "eng_Latn", "deu_Latn"); err == nil || !strings.Contains(err.Error(), "numbers of F32") {
		t.Errorf("positions of whole numbers: %v", err)
	}
}

// TestViews: a small file whose tensors are all views of the same numbers is no large model. Each
// parameter would get memory of its own.
func TestViews(t *testing.T) {
	c := nmt.Config{Vocab: 8, Dim: 64, FFN: 64, Heads: 2, Encoder: 128, Decoder: 128, Form: nmt.Form{PostNorm: true, OutputBias: true}}
	one := kernel.New(kernel.F32, 64, 64)
	var items []tensor.Named
	for _, s := range c.Shapes() {
		p := hfParam(s)
		shape := p.foreign(s)
		n := (&kernel.Tensor{Shape: shape}).Len()
		items = append(items, named(p.name, one.F[:n], shape...))
	}
	set, err := tensor.NewSet(items)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gather(c, set, hfParam); err == nil || !strings.Contains(err.Error(), "the file only 4096 numbers") {
		t.Errorf("views: %v", err)
	}
	// Aliases of CTranslate2 are views too.
	m := &foreignCT{ctFile: &ctFile{vars: map[string]ctData{}, used: map[string]bool{}}, Config: c}
	v := ctData{name: "a", dims: []int{64, 64}, data: make([]byte, 4*64*64)}
	for _, name := range []string{"a", "b", "c"} {
		m.vars[name] = v
	}
	if _, err := m.params(); err == nil || !strings.Contains(err.Error(), "the file only 4096 numbers") {
		t.Errorf("aliases: %v", err)
	}
}

// TestOwnCTranslate2Config: the config.json beside a model that this program exported must be its
// own.
func TestOwnCTranslate2Config(t *testing.T) {
	files, err := Export("ctranslate2", ours(t))
	if err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{
		"cut": files[ctConfigFile][:20], "missing": nil,
		"of another": bytes.Replace(files[ctConfigFile], []byte(`"add_source_eos": true`), []byte(`"add_source_eos": false`), 1),
	} {
		if _, err := Import("ctranslate2", dir("", with(files, ctConfigFile, data))); err == nil || !strings.Contains(err.Error(), ctConfigFile) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// with is files with another one, or without one where data is nil.
func with(files map[string][]byte, name string, data []byte) map[string][]byte {
	files = maps.Clone(files)
	if files[name] = data; data == nil {
		delete(files, name)
	}
	return files
}

// TestLongNames: a name of megabytes in a file does not become an error of megabytes.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	vocab, err := os.ReadFile(filepath.Join(marianDir, "vocab.json"))
	if err != nil {
		t.Fatal(err)
	}
	weights := state.EncodeSafetensors(func() *tensor.Set {
		s, err := tensor.NewSet([]tensor.Named{{Name: long, Tensor: tensor.Zeros(kernel.F32, 1)}, {Name: hfEmbedding, Tensor: tensor.Zeros(kernel.F32, 570, 8)}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}())
	for what, changes := range map[string]map[string][]byte{
		"an id":            {"vocab.json": append([]byte(`{"`+long+`": -5,`), vocab[1:]...)},
		"an id too high":   {"vocab.json": append([]byte(`{"`+long+`": 9999999,`), vocab[1:]...)},
		"a tensor":         {hfWeightsFile: weights},
		"an architecture":  {hfConfigFile: []byte(`{"model_type": "` + long + `"}`)},
		"an activation":    {hfConfigFile: []byte(`{"model_type": "marian", "activation_function": "` + long + `"}`)},
		"a key of a value": {hfConfigFile: []byte(`{"d_model": "` + long + `"}`)},
	} { // order-free: independent cases
		if _, err := Import("huggingface", dir(marianDir, changes)); err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", what, len(fmt.Sprint(err)))
		}
	}
	if err := yamlVocab([]byte(long+": 99999\n"), make([]string, 3)); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a vocabulary of Marian: an error of %d bytes", len(fmt.Sprint(err)))
	}
}
