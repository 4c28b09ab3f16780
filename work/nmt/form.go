package nmt

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Form is how a model from another program differs from the one this package
// describes, whose Form is the zero value. A shape means the same in every form.
type Form struct {
	PostNorm   bool       // norms follow what a sub-layer adds, and none the last layer (Vaswani et al., 2017)
	Activation Activation // inside the feed-forward sub-layers
	OutputBias bool       // output.bias [Vocab] is added to the logits
	Unscaled   bool       // embeddings are not multiplied by the root of Dim
	Positions  Positions  // the sinusoids added to embeddings
	NormEps    float32    // added to the variance in every norm; 0 for 1e-5
	Marks      Marks      // the special tokens; zero for Pad, BOS and EOS
}

// Activation is a function of each element.
type Activation uint8

// The activations.
const (
	ReLU  Activation = iota // x > 0 ? x : 0
	Swish                   // x times its sigmoid
)

// Positions is a layout of sinusoidal position embeddings.
type Positions uint8

// The layouts. Column 2i is a sine and 2i+1 a cosine of the frequency
// 10000**(-2i/Dim); or the first half of the columns are all sines, the second
// all cosines, of these frequencies, as in Hugging Face's MarianMT and Pegasus;
// or of 10000**(-i/(Dim/2-1)), as in Marian.
const (
	Interleaved Positions = iota
	Halves
	Timescales
)

// Marks are the tokens with a meaning of their own. Pad and BOS are never
// written, and may be one token; BOS begins a target and EOS ends a sentence.
type Marks struct{ Pad, BOS, EOS int32 }

// Tokens is the marks of c's vocabulary.
func (c Config) Tokens() Marks {
	if c.Marks == (Marks{}) {
		return Marks{Pad: Pad, BOS: BOS, EOS: EOS}
	}
	return c.Marks
}

// is reports whether a token is a mark.
func (m Marks) is(token int32) bool { return token == m.EOS || m.hidden(token) }

// hidden reports whether a token is never written.
func (m Marks) hidden(token int32) bool { return token == m.Pad || token == m.BOS }

// validate says what is wrong with c's form, if anything.
func (c Config) validateForm() error {
	m := c.Tokens()
	switch {
	case c.Activation > Swish:
		return fmt.Errorf("nmt: activation %d is unknown", c.Activation)
	case c.Positions > Timescales:
		return fmt.Errorf("nmt: positions of layout %d are unknown", c.Positions)
	case c.Positions == Timescales && c.Dim < 4:
		return fmt.Errorf("nmt: dim %d has one timescale", c.Dim)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return fmt.Errorf("nmt: norm epsilon is %v, not in [0, 1)", c.NormEps)
	case min(m.Pad, m.BOS, m.EOS) < 0 || int(max(m.Pad, m.BOS, m.EOS)) >= c.Vocab:
		return fmt.Errorf("nmt: marks %+v are not all in a vocabulary of %d", m, c.Vocab)
	case m.hidden(m.EOS):
		return fmt.Errorf("nmt: token %d ends a sentence and is never written", m.EOS)
	}
	return nil
}

// eps is what norms add to the variance.
func (c Config) eps() float32 {
	if c.NormEps == 0 {
		return normEps
	}
	return c.NormEps
}

// embedScale is what embeddings are multiplied by.
func (c Config) embedScale() float32 {
	if c.Unscaled {
		return 1
	}
	return root(c.Dim)
}

// activate is the row of the activation.
func (c Config) activate() kernel.Op {
	if c.Activation == Swish {
		return kernel.Swish
	}
	return kernel.Relu
}

// PositionTable is the position embeddings [n, Dim] of c's layout.
func (c Config) PositionTable(n int) []float32 {
	switch c.Positions {
	case Timescales:
		return halves(kernel.Sinusoids(n, c.Dim, c.Dim/2-1), c.Dim)
	case Halves:
		return halves(kernel.Sinusoids(n, c.Dim, c.Dim/2), c.Dim)
	}
	return kernel.Positions(n, c.Dim)
}

// halves moves the even columns before the odd ones, in place.
func halves(table []float32, dim int) []float32 {
	for row := range slices.Chunk(table, dim) {
		old := slices.Clone(row)
		for i := range dim / 2 {
			row[i], row[dim/2+i] = old[2*i], old[2*i+1]
		}
	}
	return table
}
