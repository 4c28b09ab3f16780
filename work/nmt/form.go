package nmt

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/work/kernel"
)

// Form lists the choices in which a model of another program may differ from our own models,
// whose Form is the zero value. The size of a model means the same in every form.
type Form struct {
	PostNorm   bool       // norms follow the residual sums, not the last layer (Vaswani et al., 2017)
	Activation Activation // in the feed-forward sub-layers
	OutputBias bool       // output.bias [Vocab] is added to the logits
	Unscaled   bool       // embeddings are not multiplied by the square root of Dim
	Positions  Positions  // the layout of the position table
	NormEps    float32    // added to the variance in every norm; 0 means 1e-5
	Marks      Marks      // the special tokens; zero means Pad, BOS and EOS
}

// Activation is a function that the feed-forward sub-layer applies to each element.
type Activation uint8

// The activations that models use.
const (
	ReLU  Activation = iota // x > 0 ? x : 0
	Swish                   // x times its sigmoid
)

// Positions is a layout of sinusoidal position embeddings.
type Positions uint8

// The layouts of the position table.
const (
	// Interleaved: columns 2i and 2i+1 are sine and cosine of the frequency
	// 10000**(-2i/Dim).
	Interleaved Positions = iota
	// Halves: the first half of the columns are the sines of these frequencies, the second
	// half the cosines, as in Hugging Face's MarianMT and Pegasus.
	Halves
	// Timescales: as Halves, with the frequencies 10000**(-i/(Dim/2-1)), as in Marian.
	Timescales
)

// Marks are the special tokens. BOS begins a target and EOS ends a sentence. No translation
// contains Pad or BOS, which may be the same token.
type Marks struct{ Pad, BOS, EOS int32 }

// Tokens returns the special tokens of c's vocabulary.
func (c Config) Tokens() Marks {
	if c.Marks == (Marks{}) {
		return Marks{Pad: Pad, BOS: BOS, EOS: EOS}
	}
	return c.Marks
}

// is reports whether a token is special.
func (m Marks) is(token int32) bool { return token == m.EOS || m.hidden(token) }

// hidden reports whether no translation may contain the token.
func (m Marks) hidden(token int32) bool { return token == m.Pad || token == m.BOS }

// validateForm returns an error that names the first field of c's form that is out of bounds.
func (c Config) validateForm() error {
	m := c.Tokens()
	switch {
	case c.Activation > Swish:
		return fmt.Errorf("nmt: activation %d is unknown", c.Activation)
	case c.Positions > Timescales:
		return fmt.Errorf("nmt: layout %d of positions is unknown", c.Positions)
	case c.Positions == Timescales && c.Dim < 4:
		return fmt.Errorf("nmt: dim is %d, want at least 4 for positions by timescales", c.Dim)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return fmt.Errorf("nmt: norm epsilon is %v, want at least 0 and less than 1", c.NormEps)
	case min(m.Pad, m.BOS, m.EOS) < 0 || int(max(m.Pad, m.BOS, m.EOS)) >= c.Vocab:
		return fmt.Errorf("nmt: special tokens %+v are not all in the vocabulary of %d", m, c.Vocab)
	case m.hidden(m.EOS):
		return fmt.Errorf("nmt: token %d is EOS, so it cannot be Pad or BOS too", m.EOS)
	}
	return nil
}

// eps is the constant that norms add to the variance.
func (c Config) eps() float32 {
	if c.NormEps == 0 {
		return normEps
	}
	return c.NormEps
}

// embedScale is the factor of the embeddings.
func (c Config) embedScale() float32 {
	if c.Unscaled {
		return 1
	}
	return root(c.Dim)
}

// activate is the operation of the activation.
func (c Config) activate() kernel.Op {
	if c.Activation == Swish {
		return kernel.Swish
	}
	return kernel.Relu
}

// PositionTable returns the position embeddings [n, Dim] in c's layout, row by row.
func (c Config) PositionTable(n int) []float32 {
	switch c.Positions {
	case Timescales:
		return halves(kernel.Sinusoids(n, c.Dim, c.Dim/2-1), c.Dim)
	case Halves:
		return halves(kernel.Sinusoids(n, c.Dim, c.Dim/2), c.Dim)
	}
	return kernel.Positions(n, c.Dim)
}

// halves moves the even columns of a table in front of the odd ones, in place.
func halves(table []float32, dim int) []float32 {
	// kernel.Sinusoids writes sine and cosine of a frequency side by side.
	for row := range slices.Chunk(table, dim) {
		old := slices.Clone(row)
		for i := range dim / 2 {
			row[i], row[dim/2+i] = old[2*i], old[2*i+1]
		}
	}
	return table
}
