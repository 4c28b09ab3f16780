package format

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/unit"
)

// TestMarianOptions compares each form of Marian's Transformer that is read with Marian's forward
// pass in binary64, in the steps of greedy search and in forced decoding, on each device.
func TestMarianOptions(t *testing.T) {
	base := map[string]string{
		"type": "transformer", "dim-emb": "8", "dim-vocabs": "13 13", "transformer-dim-ffn": "12", "transformer-heads": "2",
		"enc-depth": "2", "dec-depth": "2", "tied-embeddings-all": "true", "transformer-ffn-activation": "swish",
		"transformer-preprocess": "", "transformer-postprocess": "dan", "transformer-postprocess-top": "",
	}
	for what, change := range map[string]map[string]string{
		"as it is":               {},
		"norms before":           {"transformer-preprocess": "n", "transformer-postprocess": "da", "transformer-postprocess-top": "n"},
		"relu":                   {"transformer-ffn-activation": "relu"},
		"SSRU":                   {"transformer-decoder-autoreg": "rnn", "dec-cell": "ssru", "transformer-ffn-activation": "relu"},
		"SSRU, norms before":     {"transformer-decoder-autoreg": "rnn", "dec-cell": "ssru", "transformer-preprocess": "n", "transformer-postprocess": "da", "transformer-postprocess-top": "n"},
		"two vocabularies":       {"tied-embeddings-all": "false", "tied-embeddings": "true", "dim-vocabs": "9 14"},
		"three matrices":         {"tied-embeddings-all": "false", "dim-vocabs": "15 11"},
		"output's own":           {"tied-embeddings-all": "false", "tied-embeddings-src": "true"},
		"no positions":           {"transformer-disable-position-embeddings": "true"},
		"no projection":          {"transformer-no-projection": "true"},
		"tied layers":            {"transformer-tied-layers": "1 1"},
		"narrow decoder":         {"transformer-decoder-dim-ffn": "6"},
		"wide decoder":           {"transformer-decoder-dim-ffn": "20", "transformer-ffn-activation": "relu"},
		"no bias of the output":  {"output-omit-bias": "true"},
		"codes of 8 bits, SSRU":  {"transformer-decoder-autoreg": "rnn", "dec-cell": "ssru", "bin": "0x4101"},
		"codes, newer":           {"tied-embeddings-all": "false", "tied-embeddings": "true", "bin": "0x10001"},
		"nothing that matters":   {"transformer-depth-scaling": "true", "version": "v1.12", "ulr": "false", "lemma-dim-emb": "0", "skip": "true"},
		"dropout in other steps": {"transformer-preprocess": "d", "transformer-postprocess-emb": "d"},
	} {
		m := marianReference{opts: maps.Clone(base)}
		maps.Copy(m.opts, change)
		kind, _ := strconv.ParseUint(m.opts["bin"], 0, 64)
		delete(m.opts, "bin")
		m.invent(rand.New(rand.NewPCG(7, 7)))
		sizes := strings.Fields(m.opts["dim-vocabs"])
		from, _ := strconv.Atoi(sizes[0])
		to, _ := strconv.Atoi(sizes[1])
		files := map[string][]byte{"a.yml": vocabOf(from, "s"), "b.yml": vocabOf(to, "t")}
		vocabs := "vocabs: [b.yml, b.yml]\n"
		if !m.on("tied-embeddings-all") && !m.on("tied-embeddings-src") {
			vocabs = "vocabs: [a.yml, b.yml]\n"
		}
		if kind != 0 {
			files["m.bin"], m = m.bin(t, kind)
			vocabs = "models: [m.bin]\n" + vocabs
		} else {
			yaml := m.yaml()
			files["m.npz"] = npz(t, m.arrays, array{name: marianOptions, shape: []int{len(yaml)}, b: yaml})
			vocabs = "models: [m.npz]\n" + vocabs
		}
		files[marianDecoderFile] = []byte(vocabs)
		tr, err := Import("marian", dir(marianDir, files))
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		source, target := []int32{5, 2, 7}, []int32{3, 8, 1, 6}
		want := m.logProbs(source, target)
		e := nmt.NewEngine(device(t), tr.Model.Config())
		got, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{{4, 6}, source}, Target: [][]int32{{2, 9, 9, 3, 1}, target}})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for i, p := range got[1] {
			if d := math.Abs(float64(p) - want[i]); d > 1e-5 {
				t.Errorf("%s: token %d has log-probability %v, want %v", what, i, p, want[i])
			}
		}
		searches(t, what, tr.Model.Config(), tr.Params, e, source, m.logProbs)
		travels(t, what, tr)
		if _, err := tr.Translate(tr.Model.NewEngine(device(t)), []string{"It is a quarter to seven."}, unit.Greedy); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestMarianRefuses: an option that this program does not compute is refused by its name.
func TestMarianRefuses(t *testing.T) {
	good := map[string]string{
		"type": "transformer", "dim-emb": "8", "dim-vocabs": "13 13", "transformer-dim-ffn": "12", "transformer-heads": "2",
		"enc-depth": "2", "dec-depth": "2", "tied-embeddings-all": "true", "transformer-postprocess": "dan",
	}
	for _, change := range [][2]string{
		{"type", "s2s"}, {"transformer-train-position-embeddings", "true"}, {"transformer-train-positions", "true"},
		{"transformer-ffn-depth", "3"}, {"transformer-decoder-ffn-depth", "1"}, {"transformer-decoder-autoreg", "average-attention"},
		{"transformer-attention-mask", "alibi"}, {"transformer-alibi-shift", "true"}, {"transformer-alibi-trainable", "true"},
		{"transformer-no-bias", "true"}, {"transformer-no-affine", "true"}, {"transformer-rnn-projection", "true"},
		{"transformer-pool", "true"}, {"transformer-postprocess-emb", "dn"}, {"transformer-preprocess", "r"},
		{"transformer-postprocess", "dhn"}, {"transformer-postprocess-top", "n"}, {"transformer-ffn-activation", "gelu"},
		{"factors-combine", "concat"}, {"factors-dim-emb", "8"}, {"lemma-dim-emb", "4"}, {"lemma-dependency", "re-embedding"},
		{"right-left", "true"}, {"ulr", "true"}, {"input-types", "sequence sequence alignment"}, {"input-join-fields", "true"},
		{"transformer-flatten-everything", "true"}, {"output-approx-knn", "100 1024"}, {"dim-vocabs", "13 14"}, {"dim-vocabs", "13"},
		{"transformer-tied-layers", "1"}, {"transformer-tied-layers", "1 3"}, {"enc-depth", "-1"}, {"dec-depth", "1000000000"},
		{"embedding-normalization", "true"},
	} {
		opts := map[string][]string{}
		for name, value := range good {
			opts[name] = strings.Fields(value)
		}
		opts[change[0]] = strings.Fields(change[1])
		name := change[0]
		if name == "dec-depth" { // its bound is the model's
			name = "decoder"
		}
		if _, err := marianShape(opts); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(name, "transformer")) {
			t.Errorf("%s %s: %v, want an error that names it", change[0], change[1], err)
		}
	}
	for _, cell := range []string{"gru", ""} {
		opts := map[string][]string{"transformer-decoder-autoreg": {"rnn"}, "dec-cell": {cell}}
		for name, value := range good {
			opts[name] = strings.Fields(value)
		}
		if _, err := marianShape(opts); err == nil || !strings.Contains(err.Error(), "dec-cell") {
			t.Errorf("a decoder of %q: %v", cell, err)
		}
	}
}

// TestBadMarianBin: a binary file that is cut, or has another number in its headers, is refused.
func TestBadMarianBin(t *testing.T) {
	m := marianReference{opts: map[string]string{"dim-emb": "4", "dim-vocabs": "5 5", "transformer-dim-ffn": "4", "tied-embeddings-all": "true"}}
	m.invent(rand.New(rand.NewPCG(1, 1)))
	data, _ := m.bin(t, 0x4101)
	for n := range data {
		if _, err := readMarianBin(data[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes it is read", n, len(data))
		}
	}
	for what, at := range map[string]int{"version": 0, "number of arrays": 8, "name": 16, "type": 24, "dimensions": 32, "size": 40} {
		bad := slices.Clone(data)
		bad[at+3], bad[at] = 200, 9
		if _, err := readMarianBin(bad); err == nil {
			t.Errorf("with another %s it is read", what)
		}
	}
}

// FuzzMarianBin: a file is refused, or its arrays are no larger than four times the file.
func FuzzMarianBin(f *testing.F) {
	m := marianReference{opts: map[string]string{"dim-emb": "4", "dim-vocabs": "5 5", "transformer-dim-ffn": "4", "tied-embeddings-all": "true"}}
	m.invent(rand.New(rand.NewPCG(1, 1)))
	data, _ := m.bin(&testing.T{}, 0x4101)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		arrays, err := readMarianBin(data)
		if err != nil {
			return
		}
		n := 0
		for _, a := range arrays {
			n += 4*len(a.f) + len(a.b)
		}
		if n > 4*len(data) {
			t.Errorf("%d bytes of arrays in a file of %d", n, len(data))
		}
	})
}
