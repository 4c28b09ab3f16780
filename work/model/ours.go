package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/text"
)

func ReadBPE(ctx context.Context, b block.Blocks, l block.Link, vocab int) (*text.BPE, error) {
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

// parseOurs reads the tokenizer of a model of ours.
func parseOurs(read func(name string) ([]byte, error)) (Tokenizer, error) {
	data, err := read(TokenizerFile)
	if err != nil {
		return nil, err
	}
	tok, err := text.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TokenizerFile, err)
	}
	return tok, nil
}
