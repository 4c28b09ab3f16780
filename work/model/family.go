package model

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/kernel"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/tensor"
	"github.com/alia-network/alia/work/unit"
)

// Tokenizer turns sentences into a model's tokens, without the marks for
// padding, beginning and end, and back. It normalises sentences first, as in
// the model's training.
type Tokenizer interface {
	Source(sentence string) []int32
	Target(sentence string) []int32
	Decode(tokens []int32) string
	Pieces() int     // tokens are below it
	Names() []string // of the pieces, by token
	// Unknown is the piece that stands for characters outside the vocabulary;
	// "" where every character has pieces.
	Unknown() string
	// Lengths returns the fewest and the most tokens that Decode turns into s, of
	// at most limit tokens. ok is false if no such tokens give s.
	Lengths(s string, limit int) (least, most int, ok bool)
	// Longest is the most bytes that one token adds to a text.
	Longest() int
	// Files are the tokenizer's files in a model's directory, by name.
	Files() map[string][]byte
}

// Engine computes with the parameters of models of one shape.
type Engine interface {
	// Decode gives the target tokens of sources, which are decoded together, and
	// the canonical cost in FLOP.
	Decode(params *tensor.Set, sources [][]int32, d unit.Decoding) (targets [][]int32, cost uint64, err error)
}

// family has the functions for the models of one architecture.
type family struct {
	version      uint16 // of a model's record
	architecture string // in config.json
	form         bool   // whether config.json has a form, and the model an [nmt.Form]

	// files are the names of the tokenizer's files in a model's directory. No
	// other family has the same.
	files []string
	// parse reads the tokenizer from these files, which read gives by name.
	parse func(read func(name string) ([]byte, error)) (Tokenizer, error)
	// fits returns an error if a tokenizer does not fit m.
	fits func(m Model, tok Tokenizer) error

	// put stores the tokenizer, and the fields of m that its record does not
	// hold, and gives the link for Model.Tokenizer. get reads the tokenizer, and
	// complete those fields.
	put      func(ctx context.Context, b block.Blocks, m Model, tok Tokenizer) (block.Link, error)
	get      func(ctx context.Context, b block.Blocks, m Model) (Tokenizer, error)
	complete func(ctx context.Context, b block.Blocks, m *Model) error

	// engine makes an engine for models of the shape of m. most returns a function
	// from the number of source tokens to the greatest cost of decoding, in FLOP.
	engine func(dev kernel.Device, m Model) Engine
	most   func(m Model, d unit.Decoding) func(source int) uint64
}

// The versions of a model's record, one for each family.
const (
	VersionOurs   = 1 // trained by this program: see ours.go
	VersionMarian = 2 // from OPUS-MT or Marian: see marian.go
)

// families is the table. A new architecture is one more row, and a file with
// its functions.
var families = [...]*family{
	{
		version: VersionOurs, architecture: "transformer, pre-norm, sinusoidal positions, one embedding, ReLU",
		files: bpeFiles, parse: parseBPE, fits: bpeFits, put: putBPE, get: getBPE,
		complete: func(context.Context, block.Blocks, *Model) error { return nil },
		engine:   newTransformer, most: mostTransformer,
	},
	{
		version: VersionMarian, architecture: "transformer, as form says", form: true,
		files: marianFiles, parse: ParseMarian, fits: marianFits, put: putMarian, get: getMarian,
		complete: readForm,
		engine:   newTransformer, most: mostTransformer,
	},
}

// familyOf finds the row of a record's version.
func familyOf(version uint16) (*family, error) {
	i := slices.IndexFunc(families[:], func(f *family) bool { return f.version == version })
	if i < 0 {
		return nil, fmt.Errorf("version %d, this program knows 1 to %d", version, len(families))
	}
	return families[i], nil
}

// familyNamed finds the row of a config.json.
func familyNamed(architecture string, form bool) (*family, error) {
	var names []string
	for _, f := range families {
		if f.architecture == architecture && f.form == form {
			return f, nil
		}
		name := fmt.Sprintf("%q", f.architecture)
		if f.form {
			name += " with a form"
		}
		names = append(names, name)
	}
	return nil, fmt.Errorf("architecture %q is unknown: this program reads %s", architecture, strings.Join(names, " and "))
}

// familyWith finds the row of a tokenizer: that with the tokenizer's files.
func familyWith(tok Tokenizer) (*family, error) {
	files := tok.Files()
	for _, f := range families {
		if len(files) == len(f.files) && !slices.ContainsFunc(f.files, func(name string) bool { return files[name] == nil }) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("no architecture has a tokenizer with these %d files", len(files))
}

// family is the row of m, whose version [Read] or [NewTranslator] has checked.
func (m Model) family() *family {
	f, err := familyOf(m.Version)
	if err != nil {
		panic("model: " + err.Error())
	}
	return f
}

// ReadTokenizer reads the model's tokenizer.
func (m Model) ReadTokenizer(ctx context.Context, b block.Blocks) (Tokenizer, error) {
	tok, err := m.family().get(ctx, b, m)
	if err == nil {
		err = m.family().fits(m, tok)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", m.Tokenizer, err)
	}
	return tok, nil
}

// NewEngine returns an engine on dev for models of the shape of m.
func (m Model) NewEngine(dev kernel.Device) Engine { return m.family().engine(dev, m) }

// Transformer is the engine of encoder-decoder Transformers.
type Transformer struct{ *nmt.Engine }

// newTransformer is the engine function of families whose models are encoder-decoder
// Transformers.
func newTransformer(dev kernel.Device, m Model) Engine {
	return Transformer{nmt.NewEngine(dev, m.Config())}
}

// Decode implements [Engine]: greedily for a beam of 1, and else by beam search.
func (t Transformer) Decode(params *tensor.Set, sources [][]int32, d unit.Decoding) ([][]int32, uint64, error) {
	if d.Beam == 1 {
		return t.Greedy(params, sources, nmt.TwicePlusTen)
	}
	penalty := float32(float64(d.LengthPPM) / 1e6)
	return t.Beam(params, sources, nmt.TwicePlusTen, int(d.Beam), penalty)
}
