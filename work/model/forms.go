package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// The families of other programs' models that MarianRecord has no room for. Model.Tokenizer is a
// FormRecord, with the model's form and the files of its tokenizer, or a WideRecord around one.

var (
	twoFiles     = []string{text.SourceFile, text.TargetFile, text.VocabFile, text.TargetVocabFile}
	fairseqFiles = []string{text.FairseqFile, text.VocabFile, text.LanguagesFile}
)

// FormRecord is the form of a model of version [VersionTwo] or [VersionFairseq], and the files of
// its tokenizer in the sequence of its family's.
type FormRecord struct {
	_                              struct{} `cbor:",toarray"`
	Version                        uint16
	PostNorm, OutputBias, Unscaled bool
	Activation, Positions          uint8
	NormEps                        uint32 // bits of a binary32
	Pad, BOS, EOS                  uint32
	SourceVocab, SourceEOS         uint32
	FirstPosition, Start           uint32
	Files                          []state.File
}

// WideRecord is the form of a model of version [VersionWide]: a [FormRecord], and the choices that
// it has no room for, of which the form has one at least.
type WideRecord struct {
	_                                struct{} `cbor:",toarray"`
	Version                          uint16
	Narrow                           FormRecord
	Recurrent, BareSource, OwnOutput bool
}

// wide reports whether a form needs a [WideRecord].
func wide(f nmt.Form) bool { return f.Recurrent || f.BareSource || f.OwnOutput }

// FormOf is the record of a configuration's form, without files. Every default is written out,
// and what the form does not use is zero. So forms that differ only in these have one record.
func FormOf(c nmt.Config) WideRecord {
	f := c.Form
	f.Marks, f.NormEps = c.Tokens(), c.Epsilon()
	if f.Positions == nmt.Unplaced { // all rows of the table are zero
		f.FirstPosition = 0
	}
	return WideRecord{Version: 1, Narrow: newFormRecord(f), Recurrent: f.Recurrent, BareSource: f.BareSource, OwnOutput: f.OwnOutput}
}

// newFormRecord is the record of a form, without files.
func newFormRecord(f nmt.Form) FormRecord {
	return FormRecord{
		Version: 1, PostNorm: f.PostNorm, OutputBias: f.OutputBias, Unscaled: f.Unscaled,
		Activation: uint8(f.Activation), Positions: uint8(f.Positions), NormEps: math.Float32bits(f.NormEps),
		Pad: uint32(f.Marks.Pad), BOS: uint32(f.Marks.BOS), EOS: uint32(f.Marks.EOS),
		SourceVocab: uint32(f.SourceVocab), SourceEOS: uint32(f.SourceEOS),
		FirstPosition: uint32(f.FirstPosition), Start: uint32(f.Start),
	}
}

// form is the form in the record.
func (r FormRecord) form() nmt.Form {
	return nmt.Form{
		PostNorm: r.PostNorm, OutputBias: r.OutputBias, Unscaled: r.Unscaled,
		Activation: nmt.Activation(r.Activation), Positions: nmt.Positions(r.Positions), NormEps: math.Float32frombits(r.NormEps),
		Marks:       nmt.Marks{Pad: int32(r.Pad), BOS: int32(r.BOS), EOS: int32(r.EOS)},
		SourceVocab: int(r.SourceVocab), SourceEOS: int32(r.SourceEOS),
		FirstPosition: int(r.FirstPosition), Start: int32(r.Start),
	}
}

// readForm reads the form and the tokenizer's files from the record that Model.Tokenizer names.
func readForm(ctx context.Context, b block.Blocks, m Model) (nmt.Form, []state.File, error) {
	w := WideRecord{Version: 1}
	var record any = &w.Narrow
	if m.Version == VersionWide {
		record = &w
	}
	if err := block.GetNode(ctx, b, m.Tokenizer, record); err != nil {
		return nmt.Form{}, nil, fmt.Errorf("form: %w", err)
	}
	f := w.Narrow.form()
	f.Recurrent, f.BareSource, f.OwnOutput = w.Recurrent, w.BareSource, w.OwnOutput
	what := fmt.Sprintf("form %s", m.Tokenizer)
	return f, w.Narrow.Files, errors.Join(unit.CheckVersion(what, w.Version), unit.CheckVersion(what, w.Narrow.Version))
}

// completeForm sets the form of m, which its own record does not have.
func completeForm(ctx context.Context, b block.Blocks, m *Model) (err error) {
	m.Form, _, err = readForm(ctx, b, *m)
	return err
}

// formFiles are the names of the files in the record of m. [VersionWide] has a vocabulary of targets
// only where the sources have one of their own.
func formFiles(m Model) []string {
	switch {
	case m.Version == VersionFairseq:
		return fairseqFiles
	case m.Version == VersionWide && m.Form.SourceVocab == 0:
		return marianFiles
	}
	return twoFiles
}

// putForm stores the form of m and the files of its tokenizer.
func putForm(ctx context.Context, b block.Blocks, m Model, tok Tokenizer) (block.Link, error) {
	r, contents := newFormRecord(m.Form), tok.Files()
	for _, name := range formFiles(m) {
		f, err := state.PutFile(ctx, b, contents[name])
		if err != nil {
			return block.Link{}, err
		}
		r.Files = append(r.Files, f)
	}
	if m.Version != VersionWide {
		return block.PutNode(ctx, b, r)
	}
	return block.PutNode(ctx, b, WideRecord{
		Version: 1, Narrow: r, Recurrent: m.Form.Recurrent, BareSource: m.Form.BareSource, OwnOutput: m.Form.OwnOutput,
	})
}

// getForm reads the tokenizer, whose files a stranger may have stored, and parses it.
func getForm(parse func(func(string) ([]byte, error)) (Tokenizer, error)) func(context.Context, block.Blocks, Model) (Tokenizer, error) {
	return func(ctx context.Context, b block.Blocks, m Model) (Tokenizer, error) {
		_, files, err := readForm(ctx, b, m)
		if err != nil {
			return nil, err
		}
		names := formFiles(m)
		if len(files) != len(names) {
			return nil, fmt.Errorf("%d files, want %d", len(files), len(names))
		}
		return parse(named(ctx, b, names, func(i int) state.File { return files[i] }))
	}
}

// named returns a function that reads the file of a tokenizer that has a name: file number i is
// called names[i].
func named(ctx context.Context, b block.Blocks, names []string, file func(i int) state.File) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		at := slices.Index(names, name)
		if at < 0 {
			return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		f := file(at)
		if f.Size > maxTokenizerFile {
			return nil, fmt.Errorf("%s of %d bytes, at most %d are read", name, f.Size, maxTokenizerFile)
		}
		data, err := f.Read(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return data, nil
	}
}

// ParseTwo reads the tokenizer of a model of version [VersionTwo] from its files, which read gives
// by name.
func ParseTwo(read func(name string) ([]byte, error)) (Tokenizer, error) {
	var f text.MarianFiles
	for i, to := range []*[]byte{&f.Source, &f.Target, &f.Vocab, &f.TargetVocab} {
		var err error
		if *to, err = read(twoFiles[i]); err != nil {
			return nil, err
		}
	}
	tok, err := text.ParseMarian(f)
	if err != nil {
		return nil, err // a nil *text.Marian is not a nil Tokenizer
	}
	return tok, nil
}

// ParseWide is [ParseMarian], or [ParseTwo] where there is a vocabulary of targets.
func ParseWide(read func(name string) ([]byte, error)) (Tokenizer, error) {
	if _, err := read(text.TargetVocabFile); errors.Is(err, fs.ErrNotExist) {
		return ParseMarian(read)
	}
	return ParseTwo(read)
}

// wideFits checks that a form needs its record, for one form has one, and that the vocabularies
// have the model's pieces and marks.
func wideFits(m Model, tok Tokenizer) error {
	if !wide(m.Form) || m.Form.FirstPosition != 0 || m.Form.Start != 0 {
		return fmt.Errorf("a form that models of version %d do not have", VersionWide)
	}
	return twoFits(m, tok)
}

// twoFits checks that both vocabularies have the model's pieces and marks.
func twoFits(m Model, tok Tokenizer) error {
	two, ok := tok.(*text.Marian)
	if !ok || two.SourcePieces() != m.Form.SourceVocab || two.SourceEOS() != m.Form.SourceEOS {
		return fmt.Errorf("the pieces or the end of a sentence in %s are not those of the model, which has %d and %d",
			text.VocabFile, m.Form.SourceVocab, m.Form.SourceEOS)
	}
	return marianFits(m, tok)
}

// ParseFairseq reads the tokenizer of a model of version [VersionFairseq] from its files, which
// read gives by name.
func ParseFairseq(read func(name string) ([]byte, error)) (Tokenizer, error) {
	var f text.FairseqFiles
	for i, to := range []*[]byte{&f.Pieces, &f.Vocab, &f.Languages} {
		var err error
		if *to, err = read(fairseqFiles[i]); err != nil {
			return nil, err
		}
	}
	tok, err := text.ParseFairseq(f)
	if err != nil {
		return nil, err
	}
	return tok, nil
}

// fairseqFits checks that the tokenizer has the model's pieces, marks and language.
func fairseqFits(m Model, tok Tokenizer) error {
	f, ok := tok.(*text.Fairseq)
	if !ok || f.Pieces() != int(m.Vocab) {
		return fmt.Errorf("%s has %d pieces, the model's embedding %d", text.VocabFile, tok.Pieces(), m.Vocab)
	}
	pad, eos, language := f.Marks()
	if wide(m.Form) {
		return fmt.Errorf("a form that models of version %d do not have", VersionFairseq)
	}
	if want := (nmt.Marks{Pad: pad, BOS: language, EOS: eos}); m.Form.Marks != want || m.Form.Start != eos {
		return fmt.Errorf("the model's marks are %+v behind %d, those of its tokenizer %+v behind %d", m.Form.Marks, m.Form.Start, want, eos)
	}
	return nil
}

// moreForm is the part of a form in config.json that only the families of this file have, and leave
// out where it is zero.
type moreForm struct {
	SourceVocab   int   `json:"source_vocab_size,omitempty"`
	SourceEOS     int32 `json:"source_eos_token_id,omitempty"`
	FirstPosition int   `json:"first_position,omitempty"`
	Start         int32 `json:"decoder_start_token_id,omitempty"`

	Recurrent  bool `json:"recurrent_decoder,omitempty"`
	BareSource bool `json:"bare_source,omitempty"` // no EOS follows a source
	OwnOutput  bool `json:"own_output,omitempty"`  // the output projection is not an embedding
}
