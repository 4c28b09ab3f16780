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

	// SourceVocab is the number of tokens of sources, where these have a vocabulary and an
	// embedding of their own, encoder.embedding.weight [SourceVocab, Dim]; 0 where they share
	// the target's. SourceEOS then ends a source.
	SourceVocab int
	SourceEOS   int32
	// FirstPosition is the row of the position table that the first token gets: 2 in models
	// that come from fairseq.
	FirstPosition int
	// Start stands in front of BOS in every target, if it is not 0: in multilingual models
	// BOS is the token of the target's language.
	Start int32

	Recurrent  bool // decoder layers have an SSRU in the place of self-attention: see recur
	BareSource bool // no EOS follows a source, unless the source is empty
	OwnOutput  bool // the output projection is unembedding.weight [Vocab, Dim], not the embedding
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
	// Unplaced: a table of zeros. Only a decoder with an SSRU, or masks, knows where a token is.
	Unplaced
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

// Sources is the size of the sources' vocabulary.
func (c Config) Sources() int {
	if c.SourceVocab != 0 {
		return c.SourceVocab
	}
	return c.Vocab
}

// foreign reports whether a source must not contain the token. Where sources have a vocabulary
// of their own, Pad and BOS are tokens of the other one.
func (c Config) foreign(token int32) bool {
	if c.SourceVocab != 0 {
		return token == c.SourceEOS
	}
	return c.Tokens().is(token)
}

// SourceLength is the number of tokens that the encoder reads for a source of n tokens: one more,
// for EOS, unless sources are bare.
func (c Config) SourceLength(n int) int {
	if c.BareSource && n > 0 {
		return n
	}
	return n + 1
}

// validateForm returns an error that names the first field of c's form that is out of bounds.
func (c Config) validateForm() error {
	m := c.Tokens()
	switch {
	case c.Activation > Swish:
		return fmt.Errorf("nmt: activation %d is unknown", c.Activation)
	case c.Positions > Unplaced:
		return fmt.Errorf("nmt: layout %d of positions is unknown", c.Positions)
	case c.Positions == Timescales && c.Dim < 4:
		return fmt.Errorf("nmt: dim is %d, want at least 4 for positions by timescales", c.Dim)
	case !(c.NormEps >= 0 && c.NormEps < 1):
		return fmt.Errorf("nmt: norm epsilon is %v, want at least 0 and less than 1", c.NormEps)
	case min(m.Pad, m.BOS, m.EOS) < 0 || int(max(m.Pad, m.BOS, m.EOS)) >= c.Vocab:
		return fmt.Errorf("nmt: special tokens %+v are not all in the vocabulary of %d", m, c.Vocab)
	case c.SourceVocab != 0 && (c.SourceVocab < 2 || c.SourceVocab > maxVocab):
		return fmt.Errorf("nmt: the vocabulary of sources has %d tokens, want 2 to %d", c.SourceVocab, maxVocab)
	case c.SourceEOS < 0 || int(c.SourceEOS) >= max(1, c.SourceVocab):
		return fmt.Errorf("nmt: token %d ends sources, it is not in their vocabulary of %d", c.SourceEOS, c.SourceVocab)
	case c.FirstPosition < 0 || c.FirstPosition > maxFirst:
		return fmt.Errorf("nmt: the first position is %d, want 0 to %d", c.FirstPosition, maxFirst)
	case c.Start < 0 || int(c.Start) >= c.Vocab || c.Start != 0 && c.Start == m.BOS:
		return fmt.Errorf("nmt: token %d in front of BOS is BOS, or not in the vocabulary of %d", c.Start, c.Vocab)
	case c.Recurrent && c.Start != 0:
		return fmt.Errorf("nmt: the decoder has SSRUs and its targets begin with token %d in front of BOS: this program computes only one of the two", c.Start)
	case m.hidden(m.EOS):
		return fmt.Errorf("nmt: token %d is EOS, so it cannot be Pad or BOS too", m.EOS)
	}
	return nil
}

// maxFirst bounds Form.FirstPosition.
const maxFirst = 1 << 8

// lead is the number of tokens in front of BOS in every target.
func (c Config) lead() int {
	if c.Start == 0 {
		return 0
	}
	return 1
}

// sourceEnd is the token that ends sources.
func (c Config) sourceEnd() int32 {
	if c.SourceVocab > 0 {
		return c.SourceEOS
	}
	return c.Tokens().EOS
}

// Epsilon is the constant that norms add to the variance.
func (c Config) Epsilon() float32 {
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
	return c.positionRows(n + c.FirstPosition)[c.FirstPosition*c.Dim:]
}

// positionRows returns the table from position 0 on.
func (c Config) positionRows(n int) []float32 {
	switch c.Positions {
	case Unplaced:
		return make([]float32, n*c.Dim)
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
