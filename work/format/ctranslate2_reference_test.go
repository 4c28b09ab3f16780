package format

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alia-network/alia/work/nmt"
)

// ctReference is CTranslate2's forward pass in binary64 (src/layers/transformer.cc), from the
// variables of a model.
type ctReference struct {
	end     int32            // the token </s> of sources
	vars    map[string]array // matrices and vectors, as the codes in the file stand for them
	scalars map[string]float64
	alias   map[string]string
	eps     float64
	layers  int
	eos     bool // a source ends with the token end
}

func (m ctReference) get(name string) array {
	if to := m.alias[name]; to != "" {
		name = to
	}
	return m.vars[name]
}

func (m ctReference) row(name string) []float64 {
	a := m.get(name)
	if a.f == nil {
		return nil
	}
	return matrixOf(a.f, len(a.f))[0]
}

// linear is x*W^T + b, with the rows from to to of W.
func (m ctReference) linear(x rows, name string, from, to int) rows {
	a := m.get(name + "/weight")
	w := matrixOf(a.f, a.shape[1])
	if to == 0 {
		to = len(w)
	}
	turned, bias := make(rows, a.shape[1]), m.row(name+"/bias")
	for i := range turned {
		for j := from; j < to; j++ {
			turned[i] = append(turned[i], w[j][i])
		}
	}
	if bias != nil {
		bias = bias[from:to]
	}
	return x.times(turned, bias)
}

func (m ctReference) norm(x rows, name string) rows {
	return x.norm(m.row(name+"/gamma"), m.row(name+"/beta"), m.eps)
}

func (m ctReference) sub(x rows, name string, f func(z rows) rows) rows {
	if m.scalars["pre_norm"] != 0 {
		return x.plus(f(m.norm(x, name+"/layer_norm")))
	}
	return m.norm(x.plus(f(x)), name+"/layer_norm")
}

func (m ctReference) layer(x rows, name string, memory rows) rows {
	heads, dim := int(m.scalars["num_heads"]), len(x[0])
	x = m.sub(x, name+"/self_attention", func(z rows) rows {
		in := name + "/self_attention/linear_0"
		y := attend(m.linear(z, in, 0, dim), m.linear(z, in, dim, 2*dim), m.linear(z, in, 2*dim, 3*dim), heads, memory != nil)
		return m.linear(y, name+"/self_attention/linear_1", 0, 0)
	})
	if memory != nil {
		x = m.sub(x, name+"/attention", func(z rows) rows {
			in := name + "/attention/linear_1"
			y := attend(m.linear(z, name+"/attention/linear_0", 0, 0), m.linear(memory, in, 0, dim), m.linear(memory, in, dim, 2*dim), heads, false)
			return m.linear(y, name+"/attention/linear_2", 0, 0)
		})
	}
	return m.sub(x, name+"/ffn", func(z rows) rows {
		act := func(x float64) float64 { return max(0, x) }
		if m.scalars["activation"] == 2 {
			act = func(x float64) float64 { return x / (1 + math.Exp(-x)) }
		}
		return m.linear(m.linear(z, name+"/ffn/linear_0", 0, 0).each(act), name+"/ffn/linear_1", 0, 0)
	})
}

func (m ctReference) embed(stack, table string, ids []int32) rows {
	t, p := m.get(table), m.get(stack+"/position_encodings/encodings")
	e, pe, scale := matrixOf(t.f, t.shape[1]), matrixOf(p.f, p.shape[1]), 1.0
	if m.scalars["scale_embeddings"] != 0 {
		scale = math.Sqrt(float64(t.shape[1]))
	}
	x := make(rows, len(ids))
	for i, id := range ids {
		x[i] = make([]float64, t.shape[1])
		if id >= 0 {
			copy(x[i], e[id])
		}
		for j := range x[i] {
			x[i][j] = x[i][j]*scale + pe[i][j]
		}
	}
	return x
}

func (m ctReference) logProbs(source, target []int32) []float64 {
	start := int32(2)
	if m.scalars["start_from_zero_embedding"] != 0 {
		start = -1
	}
	if m.eos {
		source = append(slices.Clone(source), m.end)
	}
	x := m.embed("encoder", "encoder/embeddings_0/weight", source)
	for i := range m.layers {
		x = m.layer(x, fmt.Sprintf("encoder/layer_%d", i), nil)
	}
	y := m.embed("decoder", "decoder/embeddings/weight", append([]int32{start}, target...))
	memory := x
	if m.scalars["pre_norm"] != 0 {
		memory = m.norm(x, "encoder/layer_norm")
	}
	for i := range m.layers {
		y = m.layer(y, fmt.Sprintf("decoder/layer_%d", i), memory)
	}
	if m.scalars["pre_norm"] != 0 {
		y = m.norm(y, "decoder/layer_norm")
	}
	return m.linear(y, "decoder/projection", 0, 0).logProbs(append(slices.Clone(target), 3))
}

// ctForm is a model to invent.
type ctForm struct {
	version              int
	weight, other        int // types of matrices and of other numbers
	source, target       int // sizes of the vocabularies
	tied, shared, noBias bool
	positions            nmt.Positions
	scalars              map[string]float64
	eps                  float64
	eos                  bool
	end                  int // the token </s> of sources, if their vocabulary is another one
}

// invent makes a model of random numbers, and its model.bin.
func (c ctForm) invent(r *rand.Rand) (ctReference, []byte) {
	const dim, ffn, layers = 8, 12, 2
	m := ctReference{vars: map[string]array{}, scalars: c.scalars, alias: map[string]string{}, eps: c.eps, layers: layers, eos: c.eos, end: int32(cmp.Or(c.end, 3))}
	put := func(name string, shape ...int) {
		a := array{shape: shape}
		n := 1
		for _, d := range shape {
			n *= d
		}
		for range n {
			x := r.NormFloat64() * 0.4
			if strings.HasSuffix(name, "gamma") {
				x++
			}
			a.f = append(a.f, float32(x))
		}
		m.vars[name] = a
	}
	norm := func(name string) { put(name+"/layer_norm/gamma", dim); put(name+"/layer_norm/beta", dim) }
	linear := func(name string, out, in int) { put(name+"/weight", out, in); put(name+"/bias", out) }
	for i := range layers {
		for _, stack := range []string{"encoder", "decoder"} {
			l := fmt.Sprintf("%s/layer_%d", stack, i)
			norm(l + "/self_attention")
			linear(l+"/self_attention/linear_0", 3*dim, dim)
			linear(l+"/self_attention/linear_1", dim, dim)
			norm(l + "/ffn")
			linear(l+"/ffn/linear_0", ffn, dim)
			linear(l+"/ffn/linear_1", dim, ffn)
			if stack == "decoder" {
				norm(l + "/attention")
				linear(l+"/attention/linear_0", dim, dim)
				linear(l+"/attention/linear_1", 2*dim, dim)
				linear(l+"/attention/linear_2", dim, dim)
			}
		}
	}
	if c.scalars["pre_norm"] != 0 {
		norm("encoder")
		norm("decoder")
	}
	put("decoder/embeddings/weight", c.target, dim)
	if c.tied {
		m.alias["encoder/embeddings_0/weight"], m.alias["decoder/projection/weight"] = "decoder/embeddings/weight", "decoder/embeddings/weight"
	} else {
		put("encoder/embeddings_0/weight", c.source, dim)
		put("decoder/projection/weight", c.target, dim)
	}
	if !c.noBias {
		put("decoder/projection/bias", c.target)
	}
	table := nmt.Config{Dim: dim, Form: nmt.Form{Positions: c.positions}}.PositionTable(60)
	m.vars["decoder/position_encodings/encodings"] = array{shape: []int{60, dim}, f: table}
	m.alias["encoder/position_encodings/encodings"] = "decoder/position_encodings/encodings"
	return m, m.encode(c)
}

// encode writes model.bin, and makes the model's numbers those that its codes stand for.
func (m ctReference) encode(c ctForm) []byte {
	le := binary.LittleEndian
	str := func(out []byte, s string) []byte {
		return append(append(le.AppendUint16(out, uint16(len(s)+1)), s...), 0)
	}
	var body []byte
	count := 0
	add := func(name string, shape []int, kind int, data []byte) {
		count++
		body = append(str(body, name), byte(len(shape)))
		for _, d := range shape {
			body = le.AppendUint32(body, uint32(d))
		}
		if size := int(ctSizes[kind]); c.version < 4 {
			body = le.AppendUint32(append(body, byte(size)), uint32(len(data)/size))
		} else {
			body = le.AppendUint32(append(body, byte(kind)), uint32(len(data)))
		}
		body = append(body, data...)
	}
	for _, name := range slices.Sorted(maps.Keys(m.vars)) {
		a, kind, data := m.vars[name], c.other, []byte(nil)
		if strings.HasSuffix(name, "weight") {
			kind = c.weight
		}
		near := slices.Clone(a.f)
		switch kind {
		case 0:
			for _, x := range a.f {
				data = le.AppendUint32(data, math.Float32bits(x))
			}
		case 1, 2: // codes of 8 bits have a scale of each row, of 16 bits one
			rows, most := a.shape[0], 127.0
			if kind == 2 {
				rows, most = 1, 1024
			}
			var scales []byte
			width := len(a.f) / rows
			for i := range rows {
				peak := 0.0
				for _, x := range a.f[i*width : (i+1)*width] {
					peak = max(peak, math.Abs(float64(x)))
				}
				scale := float32(most / peak)
				scales = le.AppendUint32(scales, math.Float32bits(scale))
				for j := i * width; j < (i+1)*width; j++ {
					code := math.RoundToEven(float64(a.f[j]) * float64(scale))
					near[j] = float32(code / float64(scale))
					if kind == 1 {
						data = append(data, byte(int8(code)))
					} else {
						data = le.AppendUint16(data, uint16(int16(code)))
					}
				}
			}
			shape := []int{rows}
			if kind == 2 {
				shape = nil
			}
			add(name+"_scale", shape, 0, scales)
		case 5:
			for i, x := range a.f {
				bits := math.Float32bits(x) >> 16
				near[i] = math.Float32frombits(bits << 16)
				data = le.AppendUint16(data, uint16(bits))
			}
		case 4:
			for i, x := range a.f { // towards zero, to 10 bits
				bits := math.Float32bits(x)
				e := int(bits>>23&255) - 112
				if e <= 0 {
					near[i], data = 0, le.AppendUint16(data, uint16(bits>>31)<<15)
					continue
				}
				near[i] = math.Float32frombits(bits &^ 0x1fff)
				data = le.AppendUint16(data, uint16(bits>>31)<<15|uint16(e)<<10|uint16(bits>>13)&1023)
			}
		}
		add(name, a.shape, kind, data)
		if !strings.HasSuffix(name, "encodings") { // sinusoids are computed in binary32 anyway
			m.vars[name] = array{shape: a.shape, f: near}
		}
	}
	// Scalars have a stack's name since revision 5, and their types.
	for name, x := range m.scalars {
		switch name {
		case "num_heads":
			add("encoder/"+name, nil, 2, le.AppendUint16(nil, uint16(int16(x))))
			add("decoder/"+name, nil, 2, le.AppendUint16(nil, uint16(int16(x))))
		case "start_from_zero_embedding":
			add("decoder/"+name, nil, 1, []byte{byte(int8(x))})
		default:
			add("encoder/"+name, nil, 1, []byte{byte(int8(x))})
			add("decoder/"+name, nil, 1, []byte{byte(int8(x))})
		}
	}
	add("decoder/alignment_layer", nil, 2, []byte{255, 255})
	if c.version < 6 {
		add("with_source_eos", nil, 1, []byte{map[bool]byte{true: 1}[c.eos]})
	}
	out := le.AppendUint32(str(le.AppendUint32(nil, uint32(c.version)), ctSpec), 5)
	out = append(le.AppendUint32(out, uint32(count)), body...)
	out = le.AppendUint32(out, uint32(len(m.alias)))
	for _, alias := range slices.Sorted(maps.Keys(m.alias)) {
		out = str(str(out, alias), m.alias[alias])
	}
	return out
}

// ctNames is a vocabulary of OpenNMT.
func ctNames(n int, piece string) []string {
	names := []string{"<unk>", "<blank>", "<s>", "</s>"}
	for len(names) < n {
		names = append(names, fmt.Sprint(piece, len(names)))
	}
	return names
}

// directory is the model's files, with one SentencePiece model for both languages.
func (c ctForm) directory(t testing.TB, bin []byte) map[string][]byte {
	t.Helper()
	spm, err := os.ReadFile(filepath.Join(marianDir, "target.spm"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{ctModelFile: bin, "sentencepiece.model": spm, "metadata.json": []byte(`{"from_code": "en", "to_code": "et"}`)}
	if c.version == 6 {
		files[ctConfigFile] = fmt.Appendf(nil, `{"add_source_bos": false, "add_source_eos": %v, "bos_token": "<s>", "decoder_start_token": "<s>",
			"eos_token": "</s>", "layer_norm_epsilon": %v, "unk_token": "<unk>"}`, c.eos, c.eps)
	}
	if c.shared {
		list, _ := json.Marshal(ctNames(c.target, "p"))
		files["shared_vocabulary.json"] = list
	} else {
		names := ctNames(c.source, "s")
		if c.end != 0 {
			names[3], names[c.end] = names[c.end], names[3]
		}
		files["source_vocabulary.txt"] = []byte(strings.Join(names, "\n") + "\n")
		files["target_vocabulary.txt"] = []byte(strings.Join(ctNames(c.target, "t"), "\n") + "\n")
	}
	return files
}

var openNMT = map[string]float64{"num_heads": 2, "pre_norm": 1, "activation": 0, "scale_embeddings": 1}

// TestForeignCTranslate2 compares models of each binary version and type with CTranslate2's forward
// pass in binary64.
func TestForeignCTranslate2(t *testing.T) {
	post := map[string]float64{"num_heads": 2, "pre_norm": 0, "activation": 2, "scale_embeddings": 0}
	zero := map[string]float64{"num_heads": 4, "pre_norm": 0, "activation": 2, "scale_embeddings": 1, "start_from_zero_embedding": 1}
	for what, c := range map[string]ctForm{
		"Argos, codes of 8 bits": {version: 6, weight: 1, source: 14, target: 14, shared: true, scalars: openNMT, eps: 1e-6},
		"one matrix":             {version: 6, source: 14, target: 14, shared: true, tied: true, scalars: openNMT, eps: 1e-5, eos: true},
		"two vocabularies":       {version: 6, weight: 4, other: 4, source: 11, target: 15, scalars: openNMT, eps: 1e-5},
		"bfloat16":               {version: 6, weight: 5, other: 5, source: 11, target: 15, noBias: true, scalars: post, eps: 1e-5, positions: nmt.Halves, eos: true},
		"two ends":               {version: 6, source: 11, target: 15, scalars: post, eps: 1e-5, eos: true, end: 10},
		"version 3":              {version: 3, weight: 2, source: 11, target: 15, scalars: post, eps: 1e-5, eos: true},
		"version 4":              {version: 4, weight: 1, source: 14, target: 14, shared: true, tied: true, scalars: openNMT, eps: 1e-5},
		"version 5, from Marian": {version: 5, weight: 1, source: 14, target: 14, shared: true, tied: true, scalars: zero, eps: 1e-5, positions: nmt.Timescales, eos: true},
	} {
		m, bin := c.invent(rand.New(rand.NewPCG(3, 9)))
		files := c.directory(t, bin)
		tr, err := Import("ctranslate2", dir("", files), slices.Collect(maps.Keys(files))...)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if tr.Model.Source != "en" || tr.Model.Target != "et" {
			t.Errorf("%s: languages %s and %s", what, tr.Model.Source, tr.Model.Target)
		}
		source, target := []int32{5, 7, 9}, []int32{8, 4, 10, 6}
		want, e := m.logProbs(source, target), nmt.NewEngine(device(t), tr.Model.Config())
		got, err := e.LogProbs(tr.Params, nmt.Batch{Source: [][]int32{source}, Target: [][]int32{target}})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for i, p := range got[0] {
			if d := math.Abs(float64(p) - want[i]); d > 1e-5 {
				t.Errorf("%s: token %d has log-probability %v, want %v", what, i, p, want[i])
			}
		}
		travels(t, what, tr)
		searches(t, what, tr.Model.Config(), tr.Params, e, source, m.logProbs)
	}
}

// TestForeignCTranslate2Refuses: files that are cut, and models that this program does not compute,
// are refused by name.
func TestForeignCTranslate2Refuses(t *testing.T) {
	c := ctForm{version: 6, weight: 1, source: 14, target: 14, shared: true, scalars: openNMT, eps: 1e-6}
	m, bin := c.invent(rand.New(rand.NewPCG(3, 9)))
	for n := 0; n < len(bin); n += 1 + n/64 {
		if _, err := readCT(bin[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes it is read", n, len(bin))
		}
	}
	other := func(change func(m ctReference)) []byte {
		o := ctReference{vars: maps.Clone(m.vars), scalars: maps.Clone(m.scalars), alias: maps.Clone(m.alias)}
		change(o)
		return o.encode(c)
	}
	good := c.directory(t, bin)
	config := func(old, with string) []byte {
		return []byte(strings.Replace(string(good[ctConfigFile]), old, with, 1))
	}
	for what, b := range map[string]struct {
		file string
		data []byte
		says string
	}{
		"version 7":           {ctModelFile, append([]byte{7}, bin[1:]...), "binary version 7"},
		"another model":       {ctModelFile, []byte(strings.Replace(string(bin), ctSpec, "WhisperSpeechXX", 1)), "WhisperSpeechXX"},
		"begun and not ended": {ctModelFile, []byte("\x06\x00\x00\x00\x10\x00" + ctSpec + "\x00"), "cut short"},
		"norm of embeddings": {ctModelFile, other(func(m ctReference) {
			m.vars["encoder/layernorm_embedding/gamma"] = array{shape: []int{8}, f: make([]float32, 8)}
		}), "layernorm_embedding"},
		"relative positions": {ctModelFile, other(func(m ctReference) {
			m.vars["encoder/layer_0/self_attention/relative_position_keys"] = array{shape: []int{8}, f: make([]float32, 8)}
		}), "relative_position_keys"},
		"learned positions": {ctModelFile, other(func(m ctReference) {
			m.vars["decoder/position_encodings/encodings"] = m.vars["decoder/embeddings/weight"]
		}), "position_encodings"},
		"no positions": {ctModelFile, other(func(m ctReference) { delete(m.alias, "encoder/position_encodings/encodings") }), "position_encodings"},
		"gelu":         {ctModelFile, other(func(m ctReference) { m.scalars["activation"] = 3 }), "activation 3"},
		"no layer":     {ctModelFile, other(func(m ctReference) { delete(m.vars, "encoder/layer_0/ffn/linear_0/weight") }), "feed-forward"},
		"no norm":      {ctModelFile, other(func(m ctReference) { delete(m.vars, "encoder/layer_1/ffn/layer_norm/beta") }), "encoder/layer_1/ffn/layer_norm/beta"},
		"heads":        {ctModelFile, other(func(m ctReference) { m.scalars["num_heads"] = 3 }), "heads"},
		"shape": {ctModelFile, other(func(m ctReference) {
			m.vars["decoder/layer_0/attention/linear_0/bias"] = array{shape: []int{9}, f: make([]float32, 9)}
		}), "decoder/layer_0/attention/linear_0/bias"},
		"not a number": {ctModelFile, other(func(m ctReference) {
			m.vars["decoder/layer_0/ffn/linear_0/bias"] = array{shape: []int{12}, f: append(make([]float32, 11), float32(math.NaN()))}
		}), "finite"},
		"gated": {ctModelFile, other(func(m ctReference) {
			m.vars["encoder/layer_0/ffn/linear_0_noact/bias"] = array{shape: []int{12}, f: make([]float32, 12)}
		}), "linear_0_noact"},
		"source begins":     {ctConfigFile, config(`"add_source_bos": false`, `"add_source_bos": true`), "add_source_bos"},
		"start by the text": {ctConfigFile, config(`"decoder_start_token": "<s>"`, `"decoder_start_token": null`), "decoder_start_token"},
		"unknown start":     {ctConfigFile, config(`"decoder_start_token": "<s>"`, `"decoder_start_token": "<x>"`), "decoder_start_token"},
		"no configuration":  {ctConfigFile, nil, ctConfigFile},
		"broken":            {ctConfigFile, []byte("{"), ctConfigFile},
		"short vocabulary":  {"shared_vocabulary.json", []byte(`["<unk>"]`), "shared_vocabulary"},
		"no vocabulary":     {"shared_vocabulary.json", nil, "vocabulary"},
		"no tokenizer":      {"sentencepiece.model", nil, "source.spm"},
		"bad tokenizer":     {"sentencepiece.model", []byte{10, 200, 1}, "source.spm"},
		"bad package":       {"metadata.json", []byte("["), "metadata.json"},
	} {
		files := maps.Clone(good)
		if files[b.file] = b.data; b.data == nil {
			delete(files, b.file)
		}
		_, err := Import("ctranslate2", dir("", files))
		if err == nil || !strings.Contains(err.Error(), b.says) || strings.Contains(err.Error(), "tokenizer.json") {
			t.Errorf("%s: %v, want it to say %s", what, err, b.says)
		}
	}
}

// FuzzForeignCT: model.bin is refused, or its variables are in the file.
func FuzzForeignCT(f *testing.F) {
	for _, version := range []int{3, 6} {
		_, bin := ctForm{version: version, weight: 1, source: 5, target: 5, tied: true, scalars: openNMT}.invent(rand.New(rand.NewPCG(1, 1)))
		f.Add(bin)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readCT(data)
		if err != nil {
			return
		}
		for name := range m.vars {
			if x, _, err := m.values(name); err == nil && len(x) > len(data) {
				t.Errorf("%d numbers in %d bytes", len(x), len(data))
			}
		}
	})
}
