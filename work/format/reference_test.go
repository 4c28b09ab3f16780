package format

import (
	"math"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// reference is a slow forward pass of an encoder-decoder model of transformers, in binary64, by its
// names of parameters: written after modeling_marian.py and modeling_m2m_100.py, and not after
// this program.
type reference struct {
	w                      map[string]kernel.Tensor
	dim, heads             int
	encoder, decoder       int
	before                 bool // norms stand before sub-layers, and behind the stacks
	swish                  bool
	scaled                 bool
	position               func(pos, column int) float64
	source, target, output string // the embeddings, and the output's matrix
}

// marianPosition is MarianSinusoidalPositionalEmbedding.
func marianPosition(dim int) func(pos, column int) float64 {
	return func(pos, column int) float64 {
		j, f := 2*column, math.Sin
		if column >= dim/2 {
			j, f = 2*(column-dim/2)+1, math.Cos
		}
		return f(float64(pos) / math.Pow(10000, 2*float64(j/2)/float64(dim)))
	}
}

// m2mPosition is M2M100SinusoidalPositionalEmbedding with padding_idx 1.
func m2mPosition(dim int) func(pos, column int) float64 {
	half := dim / 2
	return func(pos, column int) float64 {
		i, f := column, math.Sin
		if column >= half {
			i, f = column-half, math.Cos
		}
		return f(float64(pos+2) * math.Exp(-math.Log(10000)/float64(half-1)*float64(i)))
	}
}

func newReference(s *tensor.Set, r reference) *reference {
	r.w = map[string]kernel.Tensor{}
	for i := range s.Len() {
		r.w[s.At(i).Name] = s.At(i).Tensor
	}
	return &r
}

func (r *reference) linear(name string, x rows) (y rows) {
	w, b := r.w[name+".weight"], r.w[name+".bias"]
	out, in := w.Shape[0], w.Shape[1]
	for _, row := range x {
		z := make([]float64, out)
		for o := range z {
			z[o] = float64(b.F[o])
			for i := range in {
				z[o] += float64(w.F[o*in+i]) * row[i]
			}
		}
		y = append(y, z)
	}
	return y
}

func (r *reference) norm(name string, x rows) (y rows) {
	w, b := r.w[name+".weight"], r.w[name+".bias"]
	for _, row := range x {
		mean, variance := 0.0, 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(len(row))
		}
		z := make([]float64, len(row))
		for i, v := range row {
			z[i] = (v-mean)/math.Sqrt(variance+1e-5)*float64(w.F[i]) + float64(b.F[i])
		}
		y = append(y, z)
	}
	return y
}

func softmax(x []float64) {
	most, sum := math.Inf(-1), 0.0
	for _, v := range x {
		most = math.Max(most, v)
	}
	for i := range x {
		x[i] = math.Exp(x[i] - most)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

func (r *reference) attention(name string, x, memory rows, causal bool) rows {
	q, k, v := r.linear(name+".q_proj", x), r.linear(name+".k_proj", memory), r.linear(name+".v_proj", memory)
	width := r.dim / r.heads
	var mixed rows
	for i := range q {
		row := make([]float64, r.dim)
		for h := range r.heads {
			n := len(k)
			if causal {
				n = i + 1
			}
			p := make([]float64, n)
			for j := range p {
				for c := h * width; c < (h+1)*width; c++ {
					p[j] += q[i][c] * k[j][c] / math.Sqrt(float64(width))
				}
			}
			softmax(p)
			for j := range p {
				for c := h * width; c < (h+1)*width; c++ {
					row[c] += p[j] * v[j][c]
				}
			}
		}
		mixed = append(mixed, row)
	}
	return r.linear(name+".out_proj", mixed)
}

// sub is a sub-layer with its residual sum and norm.
func (r *reference) sub(norm string, x rows, f func(rows) rows) rows {
	in := x
	if r.before {
		in = r.norm(norm, x)
	}
	y := f(in)
	for i := range y {
		for j := range y[i] {
			y[i][j] += x[i][j]
		}
	}
	if !r.before {
		y = r.norm(norm, y)
	}
	return y
}

func (r *reference) stack(name string, ids []int32, memory rows) rows {
	table, layers := r.w[r.source], r.encoder
	if memory != nil {
		table, layers = r.w[r.target], r.decoder
	}
	scale := 1.0
	if r.scaled {
		scale = math.Sqrt(float64(r.dim))
	}
	var x rows
	for pos, id := range ids {
		row := make([]float64, r.dim)
		for c := range row {
			row[c] = float64(table.F[int(id)*r.dim+c])*scale + r.position(pos, c)
		}
		x = append(x, row)
	}
	for l := range layers {
		layer := "model." + name + ".layers." + string(rune('0'+l)) + "."
		x = r.sub(layer+"self_attn_layer_norm", x, func(z rows) rows { return r.attention(layer+"self_attn", z, z, memory != nil) })
		if memory != nil {
			x = r.sub(layer+"encoder_attn_layer_norm", x, func(z rows) rows { return r.attention(layer+"encoder_attn", z, memory, false) })
		}
		x = r.sub(layer+"final_layer_norm", x, func(z rows) rows {
			z = r.linear(layer+"fc1", z)
			for i := range z {
				for j, v := range z[i] {
					z[i][j] = math.Max(v, 0)
					if r.swish {
						z[i][j] = v / (1 + math.Exp(-v))
					}
				}
			}
			return r.linear(layer+"fc2", z)
		})
	}
	if r.before {
		x = r.norm("model."+name+".layer_norm", x)
	}
	return x
}

// logProbs is, for each place of the decoder's input, the log-probabilities of all tokens behind it.
func (r *reference) logProbs(source, input []int32) (all rows) {
	out, bias := r.w[r.output], r.w[hfBias]
	for _, h := range r.stack("decoder", input, r.stack("encoder", source, nil)) {
		p := make([]float64, out.Shape[0])
		for id := range p {
			for c, v := range h {
				p[id] += v * float64(out.F[id*r.dim+c])
			}
			if len(bias.F) > 0 {
				p[id] += float64(bias.F[id])
			}
		}
		softmax(p)
		for id := range p {
			p[id] = math.Log(p[id])
		}
		all = append(all, p)
	}
	return all
}
