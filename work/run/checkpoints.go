package run

import (
	"context"
	"slices"

	"github.com/alia-network/alia/protocol/block"
)

// AuditTime is for how long after a round an audit may ask for it, in milliseconds.
const AuditTime = 10 * 60 * 1000

// checkpoint is a round whose state stays, so that later rounds can be computed again
// from it.
type checkpoint struct {
	round        uint32
	ended        uint64 // milliseconds since the Unix epoch
	params, m, v block.Link
}

// checkpoints are those that stay, the oldest first. There are at most two, unless all
// are asked for: the newest that is older than AuditTime, from which an audit begins,
// and one that is to take its place. A state is three times the size of the model, so
// more of them would soon be most of a home.
//
// How old a checkpoint is, the logs say. So a process that resumes a run keeps the
// same ones. If the clock is set back, those that are there stay for longer.
type checkpoints []checkpoint

// checkpointsOf returns the checkpoints that stay after the rounds of a history, of
// which one in every is a checkpoint.
func checkpointsOf(history []Round, every uint32, all bool) checkpoints {
	var c checkpoints
	for _, r := range history {
		c = c.after(r, every, all)
	}
	return c
}

// after returns the checkpoints that stay after one more round, r. It leaves c as it is.
func (c checkpoints) after(r Round, every uint32, all bool) checkpoints {
	if n := len(c); !all && n > 0 {
		if int64(r.Ended()-c[n-1].ended) < AuditTime {
			return c
		}
		c = c[n-1:] // an audit asks for no round before it
	}
	if (r.Number+1)%every != 0 {
		return c
	}
	s := r.After
	return append(slices.Clip(c), checkpoint{r.Number, r.Ended(), s.Params, s.M, s.V})
}

// has reports whether the state that a round left stays.
func (c checkpoints) has(r Round) bool {
	return slices.ContainsFunc(c, func(k checkpoint) bool { return k.round == r.Number })
}

// own has a run own the sets of the checkpoints, as far as they are in the store, and no others.
func (c checkpoints) own(ctx context.Context, store block.Keeper, run block.Link) error {
	var sets []block.Link
	for _, k := range c {
		sets = append(sets, k.params, k.m, k.v)
	}
	return ownSets(ctx, store, checkpointsOwner(run), sets)
}
