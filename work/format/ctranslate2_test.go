package format

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/text"
)

// TestCTranslate2 exports both kinds of models, reads ours back, and its
// parts of the other one.
func TestCTranslate2(t *testing.T) {
	tr := ours(t)
	files, err := Export("ctranslate2", tr)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Import("ctranslate2", dir("", files))
	if err != nil {
		t.Fatal(err)
	}
	back.Model.Source, back.Model.Target = tr.Model.Source, tr.Model.Target // its files do not say
	if back.ID() != tr.ID() {
		t.Errorf("%+v became %+v", tr.Model, back.Model)
	}
	mt, err := Import("huggingface", dir(marianDir, nil))
	if err != nil {
		t.Fatal(err)
	}
	if files, err = Export("ctranslate2", mt); err != nil {
		t.Fatal(err)
	}
	all, err := decodeCT(files[ctModelFile])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(ctScalars(mt.Model.Config()), ctVariable{name: ctPositions}) {
		if got := all[want.name]; got.i != want.i {
			t.Errorf("%s is %d, want %d", want.name, got.i, want.i)
		}
		delete(all, want.name)
	}
	params, err := ctParams(mt.Model.Config(), all)
	if err != nil {
		t.Fatal(err)
	}
	if name, differ := params.Difference(mt.Params); name != "" {
		t.Errorf("%s differs: %v", name, differ)
	}
}

// TestBadCTranslate2 refuses model.bin cut anywhere, and what is not ours.
func TestBadCTranslate2(t *testing.T) {
	good, err := Export("ctranslate2", ours(t))
	if err != nil {
		t.Fatal(err)
	}
	m := good[ctModelFile]
	for cut := 0; cut < len(m); cut += 1 + cut/50 {
		if _, err := decodeCT(m[:cut]); err == nil {
			t.Errorf("cut to %d bytes it is read", cut)
		}
	}
	for what, c := range map[string]struct {
		file string
		data []byte
		says string
	}{
		"no model":           {ctModelFile, nil, ctModelFile},
		"version":            {ctModelFile, append([]byte{7}, m[1:]...), "binary version 7"},
		"another model":      {ctModelFile, bytes.Replace(m, []byte(ctSpec), []byte("WhisperSpeechXX"), 1), "WhisperSpeechXX"},
		"more after it":      {ctModelFile, append(slices.Clone(m), 0), "1 bytes after"},
		"unknown variable":   {ctModelFile, bytes.Replace(m, []byte("decoder/layer_norm/beta"), []byte("decoder/layer_norm/btea"), 1), "decoder/layer_norm"},
		"other vocabulary":   {ctVocabFile, []byte(`["<pad>"]`), ctVocabFile},
		"no tokenizer":       {text.TokenizerFile, nil, "source.spm"},
		"another embeddings": {ctModelFile, bytes.Replace(m, []byte("decoder/projection/weight"), []byte("decoder/projection/weighs"), 1), "aliases"},
	} {
		files := maps.Clone(good)
		if files[c.file] = c.data; c.data == nil {
			delete(files, c.file)
		}
		if _, err := Import("ctranslate2", dir("", files)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %s", what, err, c.says)
		}
	}
}

// FuzzCTranslate2: model.bin is refused or is what encodeCT would write.
func FuzzCTranslate2(f *testing.F) {
	f.Add(encodeCT([]ctVariable{{name: "a", dims: []int{1, 2}, f: []float32{3, 4}}, {name: "b", kind: ctInt16, i: -5}, {name: "c", kind: ctInt8, i: -6}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := decodeCT(data)
		if err != nil {
			return
		}
		var list []ctVariable
		for _, name := range slices.Sorted(maps.Keys(all)) {
			list = append(list, all[name])
		}
		again, err := decodeCT(encodeCT(list))
		if err != nil || len(again) != len(all) {
			t.Errorf("read, written and read again: %v, %d and %d variables", err, len(all), len(again))
		}
	})
}
