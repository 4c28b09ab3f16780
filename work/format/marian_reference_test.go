package format

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rows is a matrix of binary64.
type rows [][]float64

func matrixOf(f []float32, cols int) (m rows) {
	for r := range slices.Chunk(f, cols) {
		row := make([]float64, cols)
		for i, x := range r {
			row[i] = float64(x)
		}
		m = append(m, row)
	}
	return m
}

// times is x*w + b, where b may be nil.
func (x rows) times(w rows, b []float64) rows {
	y := make(rows, len(x))
	for i := range x {
		y[i] = make([]float64, len(w[0]))
		copy(y[i], b)
		for k, a := range x[i] {
			for j := range y[i] {
				y[i][j] += a * w[k][j]
			}
		}
	}
	return y
}

// each applies f to each element.
func (x rows) each(f func(float64) float64) rows {
	for _, r := range x {
		for i := range r {
			r[i] = f(r[i])
		}
	}
	return x
}

func (x rows) plus(y rows) rows {
	z := make(rows, len(x))
	for i := range x {
		z[i] = slices.Clone(x[i])
		for j := range z[i] {
			z[i][j] += y[i][j]
		}
	}
	return z
}

// norm is the layer norm of each row.
func (x rows) norm(gain, bias []float64, eps float64) rows {
	y := make(rows, len(x))
	for i, r := range x {
		mean, variance := 0.0, 0.0
		for _, v := range r {
			mean += v / float64(len(r))
		}
		for _, v := range r {
			variance += (v - mean) * (v - mean) / float64(len(r))
		}
		for j, v := range r {
			y[i] = append(y[i], (v-mean)/math.Sqrt(variance+eps)*gain[j]+bias[j])
		}
	}
	return y
}

// attend is scaled dot-product attention of heads; a query of a causal one sees no later key.
func attend(q, k, v rows, heads int, causal bool) rows {
	y, width := make(rows, len(q)), len(q[0])/heads
	for i := range q {
		y[i] = make([]float64, len(q[0]))
		for h := range heads {
			sum, share := 0.0, make([]float64, len(k))
			for j := range k {
				if causal && j > i {
					break
				}
				dot := 0.0
				for c := h * width; c < (h+1)*width; c++ {
					dot += q[i][c] * k[j][c]
				}
				share[j] = math.Exp(dot / math.Sqrt(float64(width)))
				sum += share[j]
			}
			for j := range k {
				for c := h * width; c < (h+1)*width; c++ {
					y[i][c] += share[j] / sum * v[j][c]
				}
			}
		}
	}
	return y
}

// logProbs are the logarithms of the probabilities of the given columns, one of each row.
func (x rows) logProbs(columns []int32) (out []float64) {
	for i, r := range x {
		sum := 0.0
		for _, v := range r {
			sum += math.Exp(v)
		}
		out = append(out, r[columns[i]]-math.Log(sum))
	}
	return out
}

// marianReference is Marian's own forward pass: src/models/transformer.h, in binary64, from the
// options and arrays as they stand in a file.
type marianReference struct {
	opts   map[string]string
	arrays map[string]array
}

func (m marianReference) on(option string) bool { return m.opts[option] == "true" }

func (m marianReference) n(option string) int {
	n, _ := strconv.Atoi(m.opts[option])
	return n
}

func (m marianReference) w(name string) rows {
	a := m.arrays[name]
	if a.f == nil {
		panic("no array " + name)
	}
	return matrixOf(a.f, a.shape[1])
}

// row is a vector; nil where it is not there.
func (m marianReference) row(name string) []float64 {
	if m.arrays[name].f == nil {
		return nil
	}
	return m.w(name)[0]
}

func (m marianReference) dense(x rows, prefix, suffix string) rows {
	return x.times(m.w(prefix+"_W"+suffix), m.row(prefix+"_b"+suffix))
}

func (m marianReference) pre(x rows, prefix string) rows {
	if strings.Contains(m.opts["transformer-preprocess"], "n") {
		return x.norm(m.row(prefix+"_ln_scale_pre"), m.row(prefix+"_ln_bias_pre"), 1e-6)
	}
	return x
}

func (m marianReference) post(ops string, y, x rows, prefix string) rows {
	for _, op := range ops {
		switch op {
		case 'a':
			y = y.plus(x)
		case 'n':
			y = y.norm(m.row(prefix+"_ln_scale"), m.row(prefix+"_ln_bias"), 1e-6)
		}
	}
	return y
}

func (m marianReference) embed(table rows, ids []int32) rows {
	dim := m.n("dim-emb")
	x := make(rows, len(ids))
	for t, id := range ids {
		x[t] = make([]float64, dim)
		if id >= 0 { // a decoder begins with zeros
			copy(x[t], table[id])
		}
		if m.on("transformer-disable-position-embeddings") {
			continue
		}
		for i := range x[t] {
			scales := dim / 2
			angle := float64(t) * math.Pow(1e-4, float64(i%scales)/float64(scales-1))
			x[t][i] = x[t][i]*math.Sqrt(float64(dim)) + math.Sin(angle+float64(i/scales)*math.Pi/2)
		}
	}
	return x
}

func (m marianReference) attention(x, keys rows, prefix string, causal bool) rows {
	z := m.pre(x, prefix+"_Wo")
	if keys == nil {
		keys = z
	}
	y := attend(m.dense(z, prefix, "q"), m.dense(keys, prefix, "k"), m.dense(keys, prefix, "v"), m.n("transformer-heads"), causal)
	if !m.on("transformer-no-projection") {
		y = m.dense(y, prefix, "o")
	}
	return m.post(m.opts["transformer-postprocess"], y, x, prefix+"_Wo")
}

func (m marianReference) ffn(x rows, prefix string) rows {
	act := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
	if m.opts["transformer-ffn-activation"] == "relu" {
		act = func(x float64) float64 { return max(0, x) }
	}
	y := m.dense(m.dense(m.pre(x, prefix+"_ffn"), prefix, "1").each(act), prefix, "2")
	return m.post(m.opts["transformer-postprocess"], y, x, prefix+"_ffn")
}

func (m marianReference) ssru(x rows, prefix string) rows {
	z := m.pre(x, prefix)
	in, keep := z.times(m.w(prefix+"_W"), nil), m.dense(z, prefix, "f")
	cell, y := make([]float64, len(x[0])), make(rows, len(x))
	for t := range x {
		for i := range cell {
			s := 1 / (1 + math.Exp(-keep[t][i]))
			cell[i] = s*cell[i] + (1-s)*in[t][i]
			y[t] = append(y[t], max(0, cell[i]))
		}
	}
	return m.post(m.opts["transformer-postprocess"], y, x, prefix+"_ffn")
}

// logProbs are those of a target and </s>, given a source.
func (m marianReference) logProbs(source, target []int32) []float64 {
	from, to, out := "encoder_Wemb", "decoder_Wemb", ""
	if m.on("tied-embeddings-all") || m.on("tied-embeddings-src") {
		from, to = "Wemb", "Wemb"
	}
	if m.on("tied-embeddings-all") || m.on("tied-embeddings") {
		out = to
	}
	x := m.embed(m.w(from), append(slices.Clone(source), 0))
	for i := range m.n("enc-depth") {
		x = m.attention(x, nil, fmt.Sprintf("encoder_l%d_self", i+1), false)
		x = m.ffn(x, fmt.Sprintf("encoder_l%d_ffn", i+1))
	}
	memory := m.post(m.opts["transformer-postprocess-top"], x, x, "encoder_top")
	x = m.embed(m.w(to), append([]int32{-1}, target...))
	for i := range m.n("dec-depth") {
		layer := fmt.Sprintf("decoder_l%d", i+1)
		if tied := strings.Fields(m.opts["transformer-tied-layers"]); len(tied) > 0 {
			layer = "decoder_l" + tied[i]
		}
		if m.opts["transformer-decoder-autoreg"] == "rnn" {
			x = m.ssru(x, layer+"_rnn")
		} else {
			x = m.attention(x, nil, layer+"_self", true)
		}
		x = m.attention(x, memory, layer+"_context", false)
		x = m.ffn(x, layer+"_ffn")
	}
	x = m.post(m.opts["transformer-postprocess-top"], x, x, "decoder_top")
	var table rows
	if out == "" {
		out = "decoder_ff_logit_out_Wt"
	}
	table = m.w(out)
	turned := make(rows, len(table[0]))
	for i := range turned {
		for j := range table {
			turned[i] = append(turned[i], table[j][i])
		}
	}
	return x.times(turned, m.row("decoder_ff_logit_out_b")).logProbs(append(slices.Clone(target), 0))
}

// invent makes arrays of random numbers for options, as Marian would.
func (m *marianReference) invent(r *rand.Rand) {
	m.arrays = map[string]array{}
	dim, sizes := m.n("dim-emb"), strings.Fields(m.opts["dim-vocabs"])
	source, _ := strconv.Atoi(sizes[0])
	target, _ := strconv.Atoi(sizes[1])
	put := func(name string, rows, cols int) {
		a := array{name: name, shape: []int{rows, cols}}
		for range rows * cols {
			x := r.NormFloat64() * 0.4
			if strings.Contains(name, "_ln_scale") {
				x++
			}
			a.f = append(a.f, float32(x))
		}
		m.arrays[name] = a
	}
	pre := strings.Contains(m.opts["transformer-preprocess"], "n")
	norm := func(name string) {
		end := ""
		if pre {
			end = "_pre"
		}
		put(name+"_ln_scale"+end, 1, dim)
		put(name+"_ln_bias"+end, 1, dim)
	}
	attention := func(name string) {
		norm(name + "_Wo")
		for _, part := range []string{"q", "k", "v", "o"} {
			if part != "o" || !m.on("transformer-no-projection") {
				put(name+"_W"+part, dim, dim)
				put(name+"_b"+part, 1, dim)
			}
		}
	}
	ffn := func(name string, width int) {
		norm(name + "_ffn")
		put(name+"_W1", dim, width)
		put(name+"_b1", 1, width)
		put(name+"_W2", width, dim)
		put(name+"_b2", 1, dim)
	}
	for i := range m.n("enc-depth") {
		attention(fmt.Sprintf("encoder_l%d_self", i+1))
		ffn(fmt.Sprintf("encoder_l%d_ffn", i+1), m.n("transformer-dim-ffn"))
	}
	for i := range m.n("dec-depth") {
		layer := fmt.Sprintf("decoder_l%d", i+1)
		if tied := strings.Fields(m.opts["transformer-tied-layers"]); len(tied) > 0 && tied[i] != strconv.Itoa(i+1) {
			continue
		}
		if m.opts["transformer-decoder-autoreg"] == "rnn" {
			if name := layer + "_rnn"; pre {
				norm(name)
			} else {
				norm(name + "_ffn")
			}
			put(layer+"_rnn_W", dim, dim)
			put(layer+"_rnn_Wf", dim, dim)
			put(layer+"_rnn_bf", 1, dim)
		} else {
			attention(layer + "_self")
		}
		attention(layer + "_context")
		width := m.n("transformer-decoder-dim-ffn")
		if width == 0 {
			width = m.n("transformer-dim-ffn")
		}
		ffn(layer+"_ffn", width)
	}
	if pre {
		for _, stack := range []string{"encoder", "decoder"} {
			put(stack+"_top_ln_scale", 1, dim)
			put(stack+"_top_ln_bias", 1, dim)
		}
	}
	if m.on("tied-embeddings-all") || m.on("tied-embeddings-src") {
		put("Wemb", target, dim)
	} else {
		put("encoder_Wemb", source, dim)
		put("decoder_Wemb", target, dim)
	}
	if !m.on("tied-embeddings-all") && !m.on("tied-embeddings") {
		put("decoder_ff_logit_out_Wt", target, dim)
	}
	if !m.on("output-omit-bias") {
		put("decoder_ff_logit_out_b", 1, target)
	}
}

// yaml is the options as Marian writes them.
func (m marianReference) yaml() []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.opts)) {
		if name == "dim-vocabs" || name == "transformer-tied-layers" {
			fmt.Fprintf(&b, "%s:\n", name)
			for _, v := range strings.Fields(m.opts[name]) {
				fmt.Fprintf(&b, "  - %s\n", v)
			}
			continue
		}
		fmt.Fprintf(&b, "%s: %q\n", name, m.opts[name])
	}
	return append([]byte(b.String()), 0)
}

// vocabOf is a vocabulary of n pieces.
func vocabOf(n int, piece string) []byte {
	var b strings.Builder
	b.WriteString("</s>: 0\n<unk>: 1\n")
	for id := 2; id < n; id++ {
		fmt.Fprintf(&b, "%s%d: %d\n", piece, id, id)
	}
	return []byte(b.String())
}

// bin is arrays as a binary file of Marian's, with matrices in codes of 8 bits; and the arrays with
// the numbers that the codes stand for.
func (m marianReference) bin(t *testing.T, kind uint64) ([]byte, marianReference) {
	t.Helper()
	le, seen := binary.LittleEndian, marianReference{m.opts, map[string]array{}}
	var headers, names, shapes, contents []byte
	list := slices.Sorted(maps.Keys(m.arrays))
	add := func(name string, kind uint64, shape []int, data []byte) {
		for len(data)%256 != 0 {
			data = append(data, 0)
		}
		for _, n := range []uint64{uint64(len(name) + 1), kind, uint64(len(shape)), uint64(len(data))} {
			headers = le.AppendUint64(headers, n)
		}
		names = append(append(names, name...), 0)
		for _, d := range shape {
			shapes = le.AppendUint32(shapes, uint32(d))
		}
		contents = append(contents, data...)
	}
	for _, name := range list {
		a := m.arrays[name]
		if i := strings.LastIndex(name, "_W"); !strings.Contains(name, "Wemb") && (i < 0 || len(name)-i > 3) {
			var data []byte
			for _, x := range a.f {
				data = le.AppendUint32(data, math.Float32bits(x))
			}
			add(name, marianFloat32, a.shape, data)
			seen.arrays[name] = a
			continue
		}
		most := float32(0)
		for _, x := range a.f {
			most = max(most, float32(math.Abs(float64(x))))
		}
		scale, data := 127/most, make([]byte, len(a.f))
		near := array{name: name, shape: a.shape, f: make([]float32, len(a.f))}
		for i, x := range a.f {
			code, at := int8(math.RoundToEven(float64(x*scale))), i
			if !strings.Contains(name, "Wemb") {
				at = i%a.shape[1]*a.shape[0] + i/a.shape[1]
			}
			data[at], near.f[i] = byte(code), float32(float64(code)/float64(scale))
		}
		add(name, kind, a.shape, le.AppendUint32(data, math.Float32bits(scale)))
		add(name+marianScale, marianFloat32, []int{1}, le.AppendUint32(nil, math.Float32bits(3)))
		seen.arrays[name] = near
	}
	yaml := m.yaml()
	add(marianOptions, marianInt8, []int{len(yaml)}, yaml)
	out := le.AppendUint64(le.AppendUint64(nil, 1), uint64(len(headers)/32))
	out = append(append(append(out, headers...), names...), shapes...)
	gap := 256 - (len(out)+8)%256
	out = append(le.AppendUint64(out, uint64(gap)), make([]byte, gap)...)
	return append(out, contents...), seen
}
