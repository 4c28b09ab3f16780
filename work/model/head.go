package model

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/state"
)

// Head is a model without its parameters: enough to cut a document into units
// and to know what their translation costs. A customer who has only the head
// leaves the parameters, nearly all of the model's bytes, to the miners.
type Head struct {
	Model     Model
	Tokenizer Tokenizer
}

// ReadHead reads the record of a model and its tokenizer. It asks b for no block
// of the parameters.
func ReadHead(ctx context.Context, b block.Blocks, l block.Link) (Head, error) {
	m, err := Read(ctx, b, l)
	if err != nil {
		return Head{}, err
	}
	tok, err := m.ReadTokenizer(ctx, b)
	return Head{Model: m, Tokenizer: tok}, err
}

// Leaves returns the blocks that hold the parameters' numbers, which [ReadHead] does not ask for.
// The parameters must have the names and shapes of the model's configuration: so the leaves are no
// more than the configuration's size tells.
func (h *Head) Leaves(ctx context.Context, b block.Blocks) ([]cid.Cid, error) {
	rec, err := state.GetSetRecord(ctx, b, h.Model.Params, h.Model.Config().Skeleton())
	if err != nil {
		return nil, fmt.Errorf("parameters of the model: %w", err)
	}
	var leaves []cid.Cid
	for _, l := range rec.Data.Leaves {
		leaves = append(leaves, l.Cid)
	}
	return leaves, nil
}

// maxSource is the most tokens of a segment that are translated. The rest is cut
// off, so that one line cannot take all of a machine's memory.
const maxSource = 512

// Fits reports whether a segment is translated whole, and not cut.
func (h *Head) Fits(segment string) bool {
	return 12*len(segment) < maxSource || // no normalisation makes twelve bytes of one
		len(h.Tokenizer.Source(segment)) <= maxSource
}
