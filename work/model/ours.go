package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
)

// The family of the models that this program trains. Model.Tokenizer is one raw
// block, the bytes of tokenizer.json, and there is no form.

var bpeFiles = []string{text.TokenizerFile}

// getBPE reads the bytes of tokenizer.json.
func getBPE(ctx context.Context, b block.Blocks, m Model) (Tokenizer, error) {
	if !m.Tokenizer.Defined() {
		return nil, errors.New("no tokenizer")
	}
	data, err := b.Get(ctx, m.Tokenizer.Cid)
	if err != nil {
		return nil, err
	}
	return text.Parse(data)
}

// putBPE stores tokenizer.json as one raw block.
func putBPE(ctx context.Context, b block.Blocks, _ Model, tok Tokenizer) (block.Link, error) {
	c, err := b.Put(ctx, block.Raw, tok.Files()[text.TokenizerFile])
	return block.Link{Cid: c}, err
}

// parseBPE reads tokenizer.json.
func parseBPE(read func(name string) ([]byte, error)) (Tokenizer, error) {
	data, err := read(text.TokenizerFile)
	if err != nil {
		return nil, err
	}
	tok, err := text.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text.TokenizerFile, err)
	}
	return tok, nil
}

// bpeFits checks that the tokenizer has as many pieces as the embedding.
func bpeFits(m Model, tok Tokenizer) error {
	if tok.Pieces() != int(m.Vocab) {
		return fmt.Errorf("%s has %d pieces, the model's embedding %d", text.TokenizerFile, tok.Pieces(), m.Vocab)
	}
	return nil
}
