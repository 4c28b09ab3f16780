// Package nmt is the Transformer: forward pass, loss, greedy and beam search.
//
// The model is the encoder-decoder of Vaswani et al., "Attention is all you
// need", 2017, with the norm before each sub-layer and after the last (Xiong
// et al., "On layer normalization in the Transformer architecture", 2020),
// sinusoidal positions, one embedding matrix for source, target and output
// (Press and Wolf, 2017), ReLU, a bias on every projection, dropout on the
// embeddings and on what each sub-layer adds, and label smoothing. A [Form]
// names what models from other programs do otherwise.
//
// Sentences are packed end to end, without padding: a batch of T tokens is one
// matrix [T, Dim], and tables of segments say where sentences begin. So no
// result depends on what else is in the batch beyond the sums over it, and a
// sentence's translation not at all.
//
// An [Engine] computes, on one device:
//
//	e := nmt.NewEngine(dev, config)
//	p := nmt.Init(config, seed)
//	g, err := e.Gradient(p, []nmt.Batch{{Source: src, Target: tgt}}, nmt.Key{Seed: seed, Step: 1})
//	out, cost, err := e.Greedy(p, src, nmt.TwicePlusTen)
package nmt

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// Tokens that every vocabulary of ours has; a [Form] may name others. A
// sentence handed to this package holds none of them: Engine puts EOS after
// sources, and BOS before and EOS after targets.
const (
	Pad = 0 // never read, never written
	BOS = 1
	EOS = 2
)

// MaxLength is the largest number of tokens of a sentence, BOS or EOS
// included. It bounds the memory of attention, which is quadratic.
const MaxLength = 1024

// Shape is the size of a Transformer, as records and configurations have it.
type Shape struct {
	Dim     uint32 `json:"d_model"`         // width of the residual stream
	FFN     uint32 `json:"ffn_dim"`         // width inside the feed-forward sub-layer
	Heads   uint32 `json:"attention_heads"` // of every attention; Dim/Heads columns each
	Encoder uint32 `json:"encoder_layers"`
	Decoder uint32 `json:"decoder_layers"`
}

// Transformer is the configuration of this size with vocab tokens, without
// dropout or smoothing.
func (s Shape) Transformer(vocab uint32) Config {
	return Config{
		Vocab: int(vocab), Dim: int(s.Dim), FFN: int(s.FFN), Heads: int(s.Heads),
		Encoder: int(s.Encoder), Decoder: int(s.Decoder),
	}
}

// Config is the shape of a model and the constants of its loss.
type Config struct {
	Vocab     int     // tokens, Pad, BOS and EOS included
	Dim       int     // width of the residual stream
	FFN       int     // width inside the feed-forward sub-layer
	Heads     int     // of every attention; Dim/Heads columns each
	Encoder   int     // layers
	Decoder   int     // layers
	Dropout   float32 // probability of a zero, in training
	Smoothing float32 // label smoothing: the share of the target spread over all tokens

	Form // zero for a model of ours
}

// Shape is the size of the Transformer.
func (c Config) Shape() Shape {
	return Shape{
		Dim: uint32(c.Dim), FFN: uint32(c.FFN), Heads: uint32(c.Heads),
		Encoder: uint32(c.Encoder), Decoder: uint32(c.Decoder),
	}
}

// Validate says what is wrong with c, if anything. The bounds keep a model of
// a stranger's making within 2^31 elements per tensor.
func (c Config) Validate() error {
	for _, f := range []struct {
		name        string
		value, most int
	}{
		{"vocab", c.Vocab, 1 << 18}, {"dim", c.Dim, 1 << 13}, {"ffn", c.FFN, 1 << 15},
		{"heads", c.Heads, 1 << 7}, {"encoder", c.Encoder, 1 << 7}, {"decoder", c.Decoder, 1 << 7},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("nmt: %s is %d, not in 1..%d", f.name, f.value, f.most)
		}
	}
	switch {
	case c.Vocab <= EOS+1:
		return fmt.Errorf("nmt: vocab is %d: no token but the special ones", c.Vocab)
	case c.Dim%2 != 0 || c.Dim%c.Heads != 0:
		return fmt.Errorf("nmt: dim %d is not even or not a multiple of heads %d", c.Dim, c.Heads)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("nmt: dropout is %v, not in [0, 1)", c.Dropout)
	case !(c.Smoothing >= 0 && c.Smoothing < 1):
		return fmt.Errorf("nmt: smoothing is %v, not in [0, 1)", c.Smoothing)
	}
	return c.validateForm()
}

// ParamShape is a parameter's name, dimensions and type.
type ParamShape struct {
	Name string
	Dims []int
	Type kernel.DType
}

// Shapes lists the model's parameters by ascending name. A projection's
// weight is [in, out], the embedding [Vocab, Dim], the rest vectors.
func (c Config) Shapes() []ParamShape {
	var s []ParamShape
	add := func(name string, dims ...int) { s = append(s, ParamShape{name, dims, kernel.F32}) }
	linear := func(name string, in, out int) {
		add(name+".weight", in, out)
		add(name+".bias", out)
	}
	norm := func(name string) {
		add(name+".weight", c.Dim)
		add(name+".bias", c.Dim)
	}
	attention := func(name string) {
		norm(name + ".norm")
		for _, part := range []string{".q", ".k", ".v", ".out"} {
			linear(name+part, c.Dim, c.Dim)
		}
	}
	stack := func(name string, layers int, attentions ...string) {
		for i := range layers {
			layer := fmt.Sprintf("%s.%d", name, i)
			for _, a := range attentions {
				attention(layer + a)
			}
			norm(layer + ".ffn.norm")
			linear(layer+".ffn.up", c.Dim, c.FFN)
			linear(layer+".ffn.down", c.FFN, c.Dim)
		}
		if !c.PostNorm {
			norm(name + ".norm")
		}
	}
	add("embedding.weight", c.Vocab, c.Dim)
	if c.OutputBias {
		add("output.bias", c.Vocab)
	}
	stack("encoder", c.Encoder, ".self")
	stack("decoder", c.Decoder, ".self", ".cross")
	slices.SortFunc(s, func(a, b ParamShape) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Skeleton is a set of the parameters' names, types and shapes. Its tensors have no
// storage.
func (c Config) Skeleton() *tensor.Set { return skeleton(c.Shapes()) }

func skeleton(shapes []ParamShape) *tensor.Set {
	items := make([]tensor.Named, len(shapes))
	for i, s := range shapes {
		items[i] = tensor.Named{Name: s.Name, Tensor: kernel.Tensor{Type: s.Type, Shape: s.Dims}}
	}
	return set(items)
}

// Elements is the number of elements of all parameters together.
func (c Config) Elements() uint64 { return elements(c.Shapes()) }

// Check reports whether p is a set of parameters of c: the names and shapes of
// Shapes, all F32.
func (c Config) Check(p *tensor.Set) error { return checkShapes(c.Shapes(), p) }

func checkShapes(shapes []ParamShape, p *tensor.Set) error {
	if p.Len() != len(shapes) {
		return fmt.Errorf("nmt: %d parameters, the configuration has %d", p.Len(), len(shapes))
	}
	for i, s := range shapes {
		t := p.At(i)
		if t.Name != s.Name || t.Type != s.Type || !slices.Equal(t.Shape, s.Dims) {
			return fmt.Errorf("nmt: parameter %s %v of type %d, the configuration has %s %v of type %d", t.Name, t.Shape, t.Type, s.Name, s.Dims, s.Type)
		}
	}
	return nil
}

// root is the square root of n as a binary32, through binary64; both steps
// are correctly rounded everywhere.
func root(n int) float32 { return float32(math.Sqrt(float64(n))) }
