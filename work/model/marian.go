package model

import (
	"context"
	"fmt"
	"math"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/text"
)

const foreignArchitecture = "transformer, as form says"

// ForeignRecord is what a model of version 2 has in the place of a
// tokenizer.json: its form, and the files of its tokenizer.
type ForeignRecord struct {
	_                                 struct{} `cbor:",toarray"`
	Version                           uint16
	PostNorm, OutputBias, Unscaled    bool
	Activation, Positions             uint8
	NormEps                           uint32 // the bits of a binary32
	Pad, BOS, EOS                     uint32
	SourcePieces, TargetPieces, Vocab state.File // of text.MarianFiles
}

func newForeignRecord(f nmt.Form) ForeignRecord {
	return ForeignRecord{
		Version: 1, PostNorm: f.PostNorm, OutputBias: f.OutputBias, Unscaled: f.Unscaled,
		Activation: uint8(f.Activation), Positions: uint8(f.Positions), NormEps: math.Float32bits(f.NormEps),
		Pad: uint32(f.Marks.Pad), BOS: uint32(f.Marks.BOS), EOS: uint32(f.Marks.EOS),
	}
}

func (r ForeignRecord) form() nmt.Form {
	return nmt.Form{
		PostNorm: r.PostNorm, OutputBias: r.OutputBias, Unscaled: r.Unscaled,
		Activation: nmt.Activation(r.Activation), Positions: nmt.Positions(r.Positions), NormEps: math.Float32frombits(r.NormEps),
		Marks: nmt.Marks{Pad: int32(r.Pad), BOS: int32(r.BOS), EOS: int32(r.EOS)},
	}
}

func readForeign(ctx context.Context, b block.Blocks, l block.Link) (ForeignRecord, error) {
	var r ForeignRecord
	if err := block.GetNode(ctx, b, l, &r); err != nil {
		return ForeignRecord{}, fmt.Errorf("form: %w", err)
	}
	if r.Version != 1 {
		return ForeignRecord{}, fmt.Errorf("form %s: version %d, this program knows 1", l, r.Version)
	}
	return r, nil
}

// putForeign stores a form and the files of its tokenizer.
func putForeign(ctx context.Context, b block.Blocks, form nmt.Form, f text.MarianFiles) (block.Link, error) {
	r := newForeignRecord(form)
	var err error
	for _, part := range []struct {
		to   *state.File
		data []byte
	}{{&r.SourcePieces, f.Source}, {&r.TargetPieces, f.Target}, {&r.Vocab, f.Vocab}} {
		if *part.to, err = state.PutFile(ctx, b, part.data); err != nil {
			return block.Link{}, err
		}
	}
	return block.PutNode(ctx, b, r)
}

// maxSpare bounds a file of a tokenizer.
const maxSpare = 64 << 20

// tokenizer reads the model's tokenizer.
func (m Model) ReadTokenizer(ctx context.Context, b block.Blocks) (Tokenizer, error) {
	if m.Version == 1 {
		return ReadBPE(ctx, b, m.Tokenizer, int(m.Vocab))
	}
	r, err := readForeign(ctx, b, m.Tokenizer)
	if err != nil {
		return nil, err
	}
	var f text.MarianFiles
	for _, part := range []struct {
		from state.File
		to   *[]byte
		name string
	}{{r.SourcePieces, &f.Source, SourceFile}, {r.TargetPieces, &f.Target, TargetFile}, {r.Vocab, &f.Vocab, VocabFile}} {
		if part.from.Size > maxSpare {
			return nil, fmt.Errorf("tokenizer: %s of %d bytes, at most %d are read", part.name, part.from.Size, maxSpare)
		}
		if *part.to, err = part.from.Read(ctx, b); err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", part.name, err)
		}
	}
	tok, err := text.ParseMarian(f)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return tok, m.fits(tok)
}

// fits reports whether a tokenizer of another program has the model's marks.
func (m Model) fits(tok *text.Marian) error {
	if tok.Pieces() != int(m.Vocab) {
		return fmt.Errorf("%s has %d pieces, the model's embedding %d", VocabFile, tok.Pieces(), m.Vocab)
	}
	pad, _ := tok.ID(text.MarianPad)
	eos, _ := tok.ID(text.MarianEOS)
	if want := (nmt.Marks{Pad: pad, BOS: pad, EOS: eos}); m.Form.Marks != want {
		return fmt.Errorf("the model's marks are %+v, those of %s %+v", m.Form.Marks, VocabFile, want)
	}
	return nil
}

// nowhere is blocks that are named and not kept.
type nowhere struct{}

func (nowhere) Put(_ context.Context, c block.Codec, data []byte) (cid.Cid, error) {
	return block.Sum(c, data), nil
}

func (nowhere) Get(_ context.Context, c cid.Cid) ([]byte, error) {
	return nil, fmt.Errorf("%s: %w", c, block.ErrNotFound)
}

// parseForeign reads the tokenizer of a model from another program.
func parseForeign(read func(name string) ([]byte, error)) (Tokenizer, error) {
	return ParseMarian(read)
}

// ParseMarian reads the files of a tokenizer, which read gives by name.
func ParseMarian(read func(name string) ([]byte, error)) (*text.Marian, error) {
	var f text.MarianFiles
	for _, part := range []struct {
		name string
		to   *[]byte
	}{{SourceFile, &f.Source}, {TargetFile, &f.Target}, {VocabFile, &f.Vocab}} {
		var err error
		if *part.to, err = read(part.name); err != nil {
			return nil, err
		}
	}
	return text.ParseMarian(f)
}
