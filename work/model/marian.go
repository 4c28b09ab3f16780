package model

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/unit"
)

// The family of models from OPUS-MT and Marian. Model.Tokenizer is a
// MarianRecord, with the model's form and the files of its tokenizer.

var marianFiles = []string{text.SourceFile, text.TargetFile, text.VocabFile}

// MarianRecord is the form of a model of version [VersionMarian], and the files of its
// tokenizer.
type MarianRecord struct {
	_                                 struct{} `cbor:",toarray"`
	Version                           uint16
	PostNorm, OutputBias, Unscaled    bool
	Activation, Positions             uint8
	NormEps                           uint32 // bits of a binary32
	Pad, BOS, EOS                     uint32
	SourcePieces, TargetPieces, Vocab state.File // marianFiles
}

// newMarianRecord is the record of a form, without files.
func newMarianRecord(f nmt.Form) MarianRecord {
	return MarianRecord{
		Version: 1, PostNorm: f.PostNorm, OutputBias: f.OutputBias, Unscaled: f.Unscaled,
		Activation: uint8(f.Activation), Positions: uint8(f.Positions), NormEps: math.Float32bits(f.NormEps),
		Pad: uint32(f.Marks.Pad), BOS: uint32(f.Marks.BOS), EOS: uint32(f.Marks.EOS),
	}
}

// form is the form in the record.
func (r MarianRecord) form() nmt.Form {
	return nmt.Form{
		PostNorm: r.PostNorm, OutputBias: r.OutputBias, Unscaled: r.Unscaled,
		Activation: nmt.Activation(r.Activation), Positions: nmt.Positions(r.Positions), NormEps: math.Float32frombits(r.NormEps),
		Marks: nmt.Marks{Pad: int32(r.Pad), BOS: int32(r.BOS), EOS: int32(r.EOS)},
	}
}

// files are the record's files, in the sequence of marianFiles.
func (r *MarianRecord) files() []*state.File {
	return []*state.File{&r.SourcePieces, &r.TargetPieces, &r.Vocab}
}

// readMarian reads the record that Model.Tokenizer names.
func readMarian(ctx context.Context, b block.Blocks, l block.Link) (MarianRecord, error) {
	var r MarianRecord
	if err := block.GetNode(ctx, b, l, &r); err != nil {
		return MarianRecord{}, fmt.Errorf("form: %w", err)
	}
	return r, unit.CheckVersion(fmt.Sprintf("form %s", l), r.Version)
}

// completeMarian sets the form of m, which its own record does not have.
func completeMarian(ctx context.Context, b block.Blocks, m *Model) error {
	r, err := readMarian(ctx, b, m.Tokenizer)
	m.Form = r.form()
	return err
}

// putMarian stores the form of m and the files of its tokenizer.
func putMarian(ctx context.Context, b block.Blocks, m Model, tok Tokenizer) (block.Link, error) {
	r, contents := newMarianRecord(m.Form), tok.Files()
	for i, to := range r.files() {
		var err error
		if *to, err = state.PutFile(ctx, b, contents[marianFiles[i]]); err != nil {
			return block.Link{}, err
		}
	}
	return block.PutNode(ctx, b, r)
}

// maxTokenizerFile bounds a file of a tokenizer, in bytes.
const maxTokenizerFile = 64 << 20

// getMarian reads the tokenizer, whose files a stranger may have stored.
func getMarian(ctx context.Context, b block.Blocks, m Model) (Tokenizer, error) {
	r, err := readMarian(ctx, b, m.Tokenizer)
	if err != nil {
		return nil, err
	}
	return ParseMarian(named(ctx, b, marianFiles, func(i int) state.File { return *r.files()[i] }))
}

// ParseMarian reads the tokenizer of a model of version [VersionMarian] from its
// files, which read gives by name.
func ParseMarian(read func(name string) ([]byte, error)) (Tokenizer, error) {
	var f text.MarianFiles
	for i, to := range []*[]byte{&f.Source, &f.Target, &f.Vocab} {
		var err error
		if *to, err = read(marianFiles[i]); err != nil {
			return nil, err
		}
	}
	tok, err := text.ParseMarian(f)
	if err != nil {
		return nil, err // a nil *text.Marian is not a nil Tokenizer
	}
	return tok, nil
}

// marianFits checks that the tokenizer has the model's pieces and marks.
func marianFits(m Model, tok Tokenizer) error {
	if tok.Pieces() != int(m.Vocab) {
		return fmt.Errorf("%s has %d pieces, the model's embedding %d", text.VocabFile, tok.Pieces(), m.Vocab)
	}
	names := tok.Names()
	pad, eos := int32(slices.Index(names, text.MarianPad)), int32(slices.Index(names, text.MarianEOS))
	if more := m.Form.SourceVocab + m.Form.FirstPosition + int(m.Form.Start); (more != 0 || wide(m.Form)) && m.Version == VersionMarian {
		return fmt.Errorf("a form that models of version %d do not have", VersionMarian)
	}
	want := nmt.Marks{Pad: pad, BOS: pad, EOS: eos}
	if bos := int32(slices.Index(names, text.MarianBOS)); bos >= 0 && m.Form.Marks.BOS == bos {
		want.BOS = bos // targets begin with <s>, as in models of OpenNMT
	}
	if m.Form.Marks != want {
		return fmt.Errorf("%s: the model's marks are %+v, those of %s %+v", ConfigFile, m.Form.Marks, text.VocabFile, want)
	}
	return nil
}
