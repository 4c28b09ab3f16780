package nmt

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/tensor"
)

// The special tokens of our vocabularies; a [Form] may name others. The sentences that
// callers pass to this package must not contain them. The Engine itself puts EOS behind
// sources, and BOS before and EOS behind targets.
const (
	Pad = 0 // padding; no model reads or writes it
	BOS = 1 // beginning of a sentence
	EOS = 2 // end of a sentence
)

// MaxLength is the largest number of tokens of a sentence, BOS or EOS included. It bounds
// the memory of attention, which grows with the square of the length.
const MaxLength = 1024

// Shape is the size of a Transformer in the form that records and configurations store.
type Shape struct {
	Dim     uint32 `json:"d_model"`         // width of the residual stream
	FFN     uint32 `json:"ffn_dim"`         // width inside the feed-forward sub-layer
	Heads   uint32 `json:"attention_heads"` // of every attention; each has Dim/Heads columns
	Encoder uint32 `json:"encoder_layers"`  // number of encoder layers
	Decoder uint32 `json:"decoder_layers"`  // number of decoder layers
}

// Transformer returns the configuration of this size for a vocabulary of vocab tokens,
// without dropout or label smoothing.
func (s Shape) Transformer(vocab uint32) Config {
	return Config{
		Vocab: int(vocab), Dim: int(s.Dim), FFN: int(s.FFN), Heads: int(s.Heads),
		Encoder: int(s.Encoder), Decoder: int(s.Decoder),
	}
}

// Config is the shape of a model and the constants of its loss.
type Config struct {
	Vocab     int     // number of tokens, Pad, BOS and EOS included
	Dim       int     // width of the residual stream
	FFN       int     // width inside the feed-forward sub-layer
	Heads     int     // of every attention; each has Dim/Heads columns
	Encoder   int     // number of encoder layers
	Decoder   int     // number of decoder layers
	Dropout   float32 // probability that training sets an element to zero
	Smoothing float32 // label smoothing: the share of the probability that is spread over all tokens

	// Still leaves the embedding of BOS as it is in training: its gradient is zero, and the bias
	// of BOS counts as -64 where it is less. In models of Marian the embedding is zeros, and
	// stands for no token: Marian has no place for another.
	Still bool

	// Int8 computes losses and gradients with products of 8-bit codes: NUMERICS.md in package
	// kernel, section 8.6. Parameters and gradients stay in binary32. Translations do not
	// depend on it: see [Prepare].
	Int8 bool

	Form // the zero Form for our own models
}

// Shape returns the size of the Transformer.
func (c Config) Shape() Shape {
	return Shape{
		Dim: uint32(c.Dim), FFN: uint32(c.FFN), Heads: uint32(c.Heads),
		Encoder: uint32(c.Encoder), Decoder: uint32(c.Decoder),
	}
}

// maxVocab is the largest number of tokens of a vocabulary.
const maxVocab = 1 << 18

// Validate returns an error that names the first field of c that is out of bounds, its value
// and the bounds. The bounds keep every tensor of a stranger's model below 2^31 elements.
func (c Config) Validate() error {
	for _, f := range []struct {
		name        string
		value, most int
	}{
		{"vocab", c.Vocab, maxVocab}, {"dim", c.Dim, 1 << 13}, {"ffn", c.FFN, 1 << 15},
		{"heads", c.Heads, 1 << 7}, {"encoder", c.Encoder, 1 << 7}, {"decoder", c.Decoder, 1 << 7},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("nmt: %s is %d, want 1 to %d", f.name, f.value, f.most)
		}
	}
	switch {
	case c.Vocab <= EOS+1:
		return fmt.Errorf("nmt: vocab is %d, want at least one token beside Pad, BOS and EOS", c.Vocab)
	case c.Dim%2 != 0 || c.Dim%c.Heads != 0:
		return fmt.Errorf("nmt: dim is %d, want an even number and a multiple of heads, which is %d", c.Dim, c.Heads)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("nmt: dropout is %v, want at least 0 and less than 1", c.Dropout)
	case !(c.Smoothing >= 0 && c.Smoothing < 1):
		return fmt.Errorf("nmt: smoothing is %v, want at least 0 and less than 1", c.Smoothing)
	}
	return c.validateForm()
}

// The parameters of models whose embeddings are not one matrix.
const (
	unembedding     = "unembedding.weight"
	sourceEmbedding = "encoder.embedding.weight"
)

// ParamShape is a parameter's name, dimensions and type.
type ParamShape struct {
	Name string
	Dims []int
	Type kernel.DType
}

// Shapes lists the model's parameters, ascending by name. The weight of a projection is
// [in, out], an embedding [Vocab, Dim], and all others are vectors.
func (c Config) Shapes() []ParamShape {
	var s []ParamShape
	add := func(name string, dims ...int) { s = append(s, ParamShape{name, dims, kernel.F32}) }
	// The parts of a layer, each under its name.
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
	// An SSRU has the candidate x for its next cell, and the gate that keeps its last one.
	recurrence := func(name string) {
		norm(name + ".norm")
		linear(name+".x", c.Dim, c.Dim)
		linear(name+".keep", c.Dim, c.Dim)
	}
	stack := func(name string, layers int, attentions ...string) {
		for i := range layers {
			layer := fmt.Sprintf("%s.%d", name, i)
			for _, a := range attentions {
				if c.Recurrent && a == ".self" && name == "decoder" {
					recurrence(layer + a)
					continue
				}
				attention(layer + a)
			}
			norm(layer + ".ffn.norm")
			linear(layer+".ffn.up", c.Dim, c.FFN)
			linear(layer+".ffn.down", c.FFN, c.Dim)
		}
		if !c.PostNorm { // then no norm follows the last layer
			norm(name + ".norm")
		}
	}
	// The whole model. The output projection is the embedding transposed, unless it is its own.
	add("embedding.weight", c.Vocab, c.Dim)
	if c.OwnOutput {
		add(unembedding, c.Vocab, c.Dim)
	}
	if c.SourceVocab > 0 {
		add(sourceEmbedding, c.SourceVocab, c.Dim)
	}
	if c.OutputBias {
		add("output.bias", c.Vocab)
	}
	stack("encoder", c.Encoder, ".self")
	stack("decoder", c.Decoder, ".self", ".cross")
	// Sets of tensors are ascending by name.
	slices.SortFunc(s, func(a, b ParamShape) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Skeleton returns a set of the parameters' names, types and shapes. Its tensors have no
// storage.
func (c Config) Skeleton() *tensor.Set { return skeleton(c.Shapes()) }

func skeleton(shapes []ParamShape) *tensor.Set {
	items := make([]tensor.Named, len(shapes))
	for i, s := range shapes {
		items[i] = tensor.Named{Name: s.Name, Tensor: kernel.Tensor{Type: s.Type, Shape: s.Dims}}
	}
	return set(items)
}

// Elements returns the number of elements of all parameters together.
func (c Config) Elements() uint64 { return elements(c.Shapes()) }

// Check returns an error unless p has the names, shapes and types that [Config.Shapes] lists.
func (c Config) Check(p *tensor.Set) error { return checkShapes(c.Shapes(), p) }

func checkShapes(shapes []ParamShape, p *tensor.Set) error {
	if p.Len() != len(shapes) {
		return fmt.Errorf("nmt: there are %d parameters, the configuration has %d", p.Len(), len(shapes))
	}
	for i, s := range shapes {
		t := p.At(i)
		if t.Name != s.Name || t.Type != s.Type || !slices.Equal(t.Shape, s.Dims) {
			return fmt.Errorf("nmt: parameter %s is %v %v, the configuration has %s as %v %v",
				t.Name, t.Type, t.Shape, s.Name, s.Type, s.Dims)
		}
	}
	return nil
}

// root is the square root of n, computed in binary64 and rounded to binary32. Both steps are
// correctly rounded on every machine.
func root(n int) float32 { return float32(math.Sqrt(float64(n))) }
