package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/corpus"
	"github.com/alia-network/alia/work/nmt"
	"github.com/alia-network/alia/work/text"
	"github.com/alia-network/alia/work/train"
)

// Run is the record of a training run; its CID is the run's name. The
// tokenizer and the number of steps follow from the corpus and the
// configuration, and stand here so that a miner need not find them.
type Run struct {
	_         struct{} `cbor:",toarray"`
	Version   uint16
	Config    train.Config
	Corpus    block.Link // CorpusRecord
	Tokenizer block.Link // raw: tokenizer.json
	Vocab     uint32     // pieces of that tokenizer
	Steps     uint32     // steps of each worker in the whole run
}

// ReadRun fetches and checks the record of a run.
func ReadRun(ctx context.Context, b block.Blocks, l block.Link) (Run, error) {
	var r Run
	if err := block.GetNode(ctx, b, l, &r); err != nil {
		return Run{}, fmt.Errorf("run: %w", err)
	}
	if r.Version != 1 {
		return Run{}, fmt.Errorf("run %s: version %d, this program knows 1", l, r.Version)
	}
	if r.Vocab < 259 || r.Vocab > r.Config.Pieces {
		return Run{}, fmt.Errorf("run %s: vocabulary of %d, configured for at most %d", l, r.Vocab, r.Config.Pieces)
	}
	if err := r.Config.Validate(); err != nil {
		return Run{}, fmt.Errorf("run %s: %w", l, err)
	}
	return r, nil
}

// Model is the Transformer the run trains.
func (r Run) Model() nmt.Config { return r.Config.Model(int(r.Vocab)) }

// File is bytes of any length as raw leaves of 1 MiB.
type File struct {
	_      struct{} `cbor:",toarray"`
	Size   uint64
	Leaves []block.Link
}

func putFile(ctx context.Context, b block.Blocks, data []byte) (File, error) {
	leaves, err := block.PutBytes(ctx, b, data)
	return File{Size: uint64(len(data)), Leaves: leaves}, err
}

// append adds a leaf at the end of the file.
func (f *File) append(leaf []byte, c cid.Cid) {
	f.Size += uint64(len(leaf))
	f.Leaves = append(f.Leaves, block.Link{Cid: c})
}

func (f File) read(ctx context.Context, b block.Blocks) ([]byte, error) {
	return block.GetBytes(ctx, b, f.Leaves, f.Size)
}

// CorpusRecord is a cleaned corpus: its splits in the canonical form of [corpus.Marshal].
type CorpusRecord struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target string
	Train, Valid   File
	Tests          []TestRecord
}

// TestRecord is a named split kept out of training.
type TestRecord struct {
	_     struct{} `cbor:",toarray"`
	Name  string
	Pairs File
}

// PutCorpus stores a corpus and gives its CID.
func PutCorpus(ctx context.Context, b block.Blocks, c *corpus.Corpus) (block.Link, error) {
	rec := CorpusRecord{Version: 1, Source: c.Source, Target: c.Target}
	var err error
	if rec.Train, err = putFile(ctx, b, corpus.Marshal(c.Train)); err != nil {
		return block.Link{}, fmt.Errorf("store corpus: %w", err)
	}
	if rec.Valid, err = putFile(ctx, b, corpus.Marshal(c.Valid)); err != nil {
		return block.Link{}, fmt.Errorf("store corpus: %w", err)
	}
	for _, t := range c.Tests {
		f, err := putFile(ctx, b, corpus.Marshal(t.Pairs))
		if err != nil {
			return block.Link{}, fmt.Errorf("store corpus: %w", err)
		}
		rec.Tests = append(rec.Tests, TestRecord{Name: t.Name, Pairs: f})
	}
	return block.PutNode(ctx, b, rec)
}

// GetCorpus is the inverse of [PutCorpus].
func GetCorpus(ctx context.Context, b block.Blocks, l block.Link) (*corpus.Corpus, error) {
	var rec CorpusRecord
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if rec.Version != 1 {
		return nil, fmt.Errorf("corpus %s: version %d, this program knows 1", l, rec.Version)
	}
	pairs := func(f File) ([]corpus.Pair, error) {
		data, err := f.read(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("corpus %s: %w", l, err)
		}
		return corpus.Unmarshal(data)
	}
	c := &corpus.Corpus{Source: rec.Source, Target: rec.Target}
	var err error
	if c.Train, err = pairs(rec.Train); err != nil {
		return nil, err
	}
	if c.Valid, err = pairs(rec.Valid); err != nil {
		return nil, err
	}
	for _, t := range rec.Tests {
		ps, err := pairs(t.Pairs)
		if err != nil {
			return nil, err
		}
		c.Tests = append(c.Tests, corpus.Split{Name: t.Name, Pairs: ps})
	}
	return c, nil
}

// Batch is the sentence pairs of one gradient or evaluation, as tokens
// without marks.
type Batch struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target [][]uint32
}

func readBatch(ctx context.Context, b block.Blocks, l block.Link, vocab int) (nmt.Batch, error) {
	var rec Batch
	if err := block.GetNode(ctx, b, l, &rec); err != nil {
		return nmt.Batch{}, fmt.Errorf("batch: %w", err)
	}
	if rec.Version != 1 || len(rec.Source) == 0 || len(rec.Source) != len(rec.Target) {
		return nmt.Batch{}, fmt.Errorf("batch %s: version %d, %d sources, %d targets", l, rec.Version, len(rec.Source), len(rec.Target))
	}
	var out nmt.Batch
	for i := range rec.Source {
		s, err := signed(rec.Source[i], vocab)
		if err != nil {
			return nmt.Batch{}, fmt.Errorf("batch %s: source %d: %w", l, i, err)
		}
		t, err := signed(rec.Target[i], vocab)
		if err != nil {
			return nmt.Batch{}, fmt.Errorf("batch %s: target %d: %w", l, i, err)
		}
		out.Source, out.Target = append(out.Source, s), append(out.Target, t)
	}
	return out, nil
}

func signed(ids []uint32, vocab int) ([]int32, error) {
	out := make([]int32, len(ids))
	for i, id := range ids {
		if id >= uint32(vocab) {
			return nil, fmt.Errorf("token %d is outside the vocabulary of %d", id, vocab)
		}
		out[i] = int32(id)
	}
	return out, nil
}

func unsigned(ids []int32) []uint32 {
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}

// Text is segments in order: the input and the output of a Translate unit.
type Text struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Segments []string
}

// Model is the record of a trained model; its CID is the model's name. It
// names no run: the same bits are the same model, whoever trained them.
type Model struct {
	_              struct{} `cbor:",toarray"`
	Version        uint16
	Source, Target string
	// Dim, FFN, Heads, Encoder, Decoder and Vocab give the Transformer's shape.
	Dim, FFN, Heads, Encoder, Decoder, Vocab uint32
	Params                                   block.Link // SetRecord
	Tokenizer                                block.Link // raw: tokenizer.json; of version 2: ForeignRecord

	// Form is in no model of version 1. One of version 2 came from another
	// program, and the form stands in the record that Tokenizer names.
	Form nmt.Form `cbor:"-"`
}

// Shape is the Transformer of the model. It has no dropout: it is not in training.
func (m Model) Shape() nmt.Config {
	return nmt.Config{
		Vocab: int(m.Vocab), Dim: int(m.Dim), FFN: int(m.FFN), Heads: int(m.Heads),
		Encoder: int(m.Encoder), Decoder: int(m.Decoder), Form: m.Form,
	}
}

// ReadModel fetches and checks the record of a model.
func ReadModel(ctx context.Context, b block.Blocks, l block.Link) (Model, error) {
	var m Model
	if err := block.GetNode(ctx, b, l, &m); err != nil {
		return Model{}, fmt.Errorf("model: %w", err)
	}
	switch m.Version {
	case 1:
	case 2:
		rec, err := readForeign(ctx, b, m.Tokenizer)
		if err != nil {
			return Model{}, fmt.Errorf("model %s: %w", l, err)
		}
		m.Form = rec.form()
	default:
		return Model{}, fmt.Errorf("model %s: version %d, this program knows 1 and 2", l, m.Version)
	}
	if err := m.Shape().Validate(); err != nil {
		return Model{}, fmt.Errorf("model %s: %w", l, err)
	}
	return m, nil
}

// Model is the record of the model r gives when its parameters are params.
func (r Run) Result(params block.Link) Model {
	c := r.Config
	return Model{
		Version: 1, Source: c.Source, Target: c.Target,
		Dim: c.Dim, FFN: c.FFN, Heads: c.Heads, Encoder: c.Encoder, Decoder: c.Decoder, Vocab: r.Vocab,
		Params: params, Tokenizer: r.Tokenizer,
	}
}

// Job is the record of a document to translate; its CID is the job's name,
// and keeps two customers' equal sentences apart.
type Job struct {
	_        struct{} `cbor:",toarray"`
	Version  uint16
	Customer [32]byte
	// Sequence tells a customer's jobs apart.
	Sequence uint64
	Model    block.Link
	Input    block.Link // Text: every segment of the document
	Decoding Decoding
}

func readTokenizer(ctx context.Context, b block.Blocks, l block.Link, vocab int) (*text.BPE, error) {
	if !l.Defined() {
		return nil, errors.New("no tokenizer")
	}
	data, err := b.Get(ctx, l.Cid)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	t, err := text.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", l, err)
	}
	if t.Pieces() != vocab {
		return nil, fmt.Errorf("tokenizer %s: %d pieces, the model has %d", l, t.Pieces(), vocab)
	}
	return t, nil
}
