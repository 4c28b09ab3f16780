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
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// Tokenizer turns sentences into a model's tokens, without the marks for
// padding, beginning and end, and back. It normalises sentences first, as in
// the model's training.
type Tokenizer interface {
	Source(sentence string) []int32
	Target(sentence string) []int32
	// SourceParts returns what of a sentence each token of Source stands for, with the
	// white space in front of it; "" for a token that stands for a language.
	SourceParts(sentence string) []string
	Decode(tokens []int32) string
	Pieces() int     // tokens are below it
	Names() []string // of the pieces, by token
	// Unknown is the piece that stands for characters outside the vocabulary;
	// "" where every character has pieces.
	Unknown() string
	// Lengths returns the fewest and the most tokens that Decode turns into s, of
	// at most limit tokens. ok is false if no such tokens give s.
	Lengths(s string, limit int) (least, most int, ok bool)
	// Spell returns the tokens of a part of a text behind a space, and directly
	// behind other characters; nil where there are none. Decode says what they mean.
	Spell(part string) (spaced, bare []int32)
	// Edges returns, by token, whether it continues the word in front of it, and
	// whether a word can begin behind it.
	Edges() (joins, opens []bool)
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
	// Constrain is Decode with terms, of each source, that its target contains.
	Constrain(
		params *tensor.Set, sources [][]int32, terms [][]nmt.Term, edges nmt.Edges, d unit.Decoding,
	) (targets [][]int32, cost uint64, err error)
	// Rank gives all translations that the search for each source finds, the best first. Each
	// begins with the first tokens of its source. terms is nil where no source has terms.
	Rank(
		params *tensor.Set, sources, first [][]int32, terms [][]nmt.Term, edges nmt.Edges, d unit.Decoding,
	) ([][]nmt.Scored, error)
}

// family has the functions for the models of one architecture.
type family struct {
	version      uint16 // of a model's record
	architecture string // in config.json
	form         bool   // whether config.json has a form, and the model an [nmt.Form]

	// files are the names of the tokenizer's files in a model's directory. No
	// other family has the same, but VersionWide, which forms tell from others.
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

	// engine makes an engine for models of the shape of m.
	engine func(dev kernel.Device, m Model) Engine
}

// The versions of a model's record, one for each family.
const (
	VersionOurs   = 1 // trained by this program: see ours.go
	VersionMarian = 2 // from OPUS-MT or Marian: see marian.go
	// From MarianMT, Marian or CTranslate2 with a vocabulary for each side, and from M2M-100 or
	// NLLB: see forms.go.
	VersionTwo, VersionFairseq = 3, 4
	// From Marian or CTranslate2, of one or two vocabularies, with SSRUs, bare sources or an output
	// projection of its own: see forms.go.
	VersionWide = 5
)

// families is the table. A new architecture is one more row, and a file with
// its functions.
var families = [...]*family{
	{
		version: VersionOurs, architecture: "transformer, pre-norm, sinusoidal positions, one embedding, ReLU",
		files: bpeFiles, parse: parseBPE, fits: bpeFits, put: putBPE, get: getBPE,
		complete: func(context.Context, block.Blocks, *Model) error { return nil },
		engine:   newTransformer,
	},
	{
		version: VersionMarian, architecture: "transformer, as form says", form: true,
		files: marianFiles, parse: ParseMarian, fits: marianFits, put: putMarian, get: getMarian,
		complete: completeMarian,
		engine:   newTransformer,
	},
	{
		version: VersionTwo, architecture: "transformer of two vocabularies, as form says", form: true,
		files: twoFiles, parse: ParseTwo, fits: twoFits, put: putForm, get: getForm(ParseTwo),
		complete: completeForm,
		engine:   newTransformer,
	},
	{
		version: VersionFairseq, architecture: "multilingual transformer, as form says", form: true,
		files: fairseqFiles, parse: ParseFairseq, fits: fairseqFits, put: putForm, get: getForm(ParseFairseq),
		complete: completeForm,
		engine:   newTransformer,
	},
	{
		version: VersionWide, architecture: "transformer, as wide form says", form: true,
		files: twoFiles, parse: ParseWide, fits: wideFits, put: putForm, get: getForm(ParseWide),
		complete: completeForm,
		engine:   newTransformer,
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

// familyWith finds the row of a form and a tokenizer: that with the tokenizer's files.
func familyWith(form nmt.Form, tok Tokenizer) (*family, error) {
	if _, ok := tok.(*text.Marian); ok && wide(form) {
		return familyOf(VersionWide)
	}
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
	t.Repeats = repeats(d)
	if d.Beam == 1 {
		return t.Greedy(params, sources, nmt.TwicePlusTen)
	}
	return t.Beam(params, sources, nmt.TwicePlusTen, int(d.Beam), penalty(d))
}

// Constrain implements [Engine].
func (t Transformer) Constrain(
	params *tensor.Set, sources [][]int32, terms [][]nmt.Term, edges nmt.Edges, d unit.Decoding,
) ([][]int32, uint64, error) {
	t.Repeats = repeats(d)
	return t.Constrained(params, sources, terms, edges, nmt.TwicePlusTen, int(d.Beam), penalty(d))
}

// Rank implements [Engine], by beam search also for a beam of 1.
func (t Transformer) Rank(
	params *tensor.Set, sources, first [][]int32, terms [][]nmt.Term, edges nmt.Edges, d unit.Decoding,
) ([][]nmt.Scored, error) {
	t.Repeats = repeats(d)
	if terms == nil {
		return t.Ranked(params, sources, first, nmt.TwicePlusTen, int(d.Beam), penalty(d))
	}
	return t.ConstrainedRanked(params, sources, first, terms, edges, nmt.TwicePlusTen, int(d.Beam), penalty(d))
}

// repeats is what a search does about repetitions. The penalty is the binary32 number that is
// nearest to the binary64 quotient.
func repeats(d unit.Decoding) nmt.Repeats {
	return nmt.Repeats{NGram: int(d.NoRepeat), Penalty: float32(float64(d.RepetitionPPM) / 1e6)}
}

// penalty is the exponent of the length penalty.
func penalty(d unit.Decoding) float32 { return float32(float64(d.LengthPPM) / 1e6) }
