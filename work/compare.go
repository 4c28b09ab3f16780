package work

import (
	"bytes"
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/state"
	"github.com/alia-network/alia/work/unit"
)

// compare finds the first difference of two results: in the bytes of their
// outputs, as far as the claims have them, or in their sums. Both answers are
// empty where there is none.
func (v *Verifier) compare(ctx context.Context, b block.Blocks, mine, theirs unit.Result) (name, detail string) {
	if mine.Defect != theirs.Defect || mine.Detail != theirs.Detail || len(mine.Outputs) != len(theirs.Outputs) {
		return "", fmt.Sprintf("defect %d (%s) with %d outputs, claimed defect %d (%s) with %d",
			mine.Defect, mine.Detail, len(mine.Outputs), theirs.Defect, theirs.Detail, len(theirs.Outputs))
	}
	for i := range mine.Outputs {
		if name, detail = v.compareOutput(ctx, b, mine.Outputs[i], theirs.Outputs[i]); detail != "" {
			return name, fmt.Sprintf("output %d: %s", i, detail)
		}
	}
	if mine.Loss != theirs.Loss || mine.NLL != theirs.NLL || mine.Tokens != theirs.Tokens || mine.Cost != theirs.Cost {
		return "", fmt.Sprintf("loss %08x, nll %08x, %d tokens, %d FLOP; claimed %08x, %08x, %d, %d",
			mine.Loss, mine.NLL, mine.Tokens, mine.Cost, theirs.Loss, theirs.NLL, theirs.Tokens, theirs.Cost)
	}
	return "", ""
}

// compareOutput finds the first difference of two outputs, and the tensor that has
// it where they are sets.
func (v *Verifier) compareOutput(ctx context.Context, b block.Blocks, mine, theirs block.Link) (name, detail string) {
	var a, c state.SetRecord
	if err := block.GetNode(ctx, b, mine, &a); err != nil {
		if mine != theirs {
			return "", fmt.Sprintf("is %s, claimed %s", mine, theirs)
		}
		return "", "" // not a set of tensors: the CIDs decide
	}
	raw, err := v.Claims.Inspect(theirs.Cid)
	if err != nil {
		if mine != theirs {
			return "", fmt.Sprintf("is %s, claimed %s, whose blocks are missing", mine, theirs)
		}
		return "", "" // deleted since: the CIDs decide
	}
	if err := block.Decode(raw, &c); err != nil || len(c.Data.Leaves) != len(a.Data.Leaves) {
		return "", fmt.Sprintf("the record of %s is damaged or of another form", theirs)
	}
	// A leaf is compared as it lies on the disk: it may differ from its CID.
	for i := range a.Data.Leaves {
		want, err := b.Get(ctx, a.Data.Leaves[i].Cid)
		if err != nil {
			return "", err.Error()
		}
		got, err := v.Claims.Inspect(c.Data.Leaves[i].Cid)
		if err != nil || bytes.Equal(want, got) {
			continue
		}
		// The leaves are one file of the tensors in sequence.
		at := uint64(i) * block.LeafSize
		for j := 0; j < min(len(want), len(got)) && want[j] == got[j]; j++ {
			at++
		}
		name = a.TensorAt(at)
		return name, fmt.Sprintf("tensor %s differs first, at byte %d of the set", name, at)
	}
	return "", ""
}
