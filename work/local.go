package work

import (
	"context"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
	"github.com/alia-network/alia/work/unit"
)

// Local is a [unit.Crew] of one worker, in this process.
type Local struct {
	Worker *Worker
	Blocks block.Blocks
	// Clock gives milliseconds since the Unix epoch, for the log.
	Clock func() uint64
	// Account is the miner in the outcomes; zero for a run without a network.
	Account [32]byte
}

// Do does the units one after another.
func (l *Local) Do(ctx context.Context, units []unit.Unit) ([]unit.Outcome, error) {
	var out []unit.Outcome
	for _, u := range units {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := l.Clock()
		r, err := l.Worker.Do(ctx, l.Blocks, u)
		if err != nil {
			return nil, err
		}
		link, err := block.PutNode(ctx, l.Blocks, r)
		if err != nil {
			return nil, fmt.Errorf("store result: %w", err)
		}
		out = append(out, unit.Outcome{Link: link, Result: r, Miner: l.Account, Effort: unit.Effort{Started: start, Took: l.Clock() - start}})
	}
	return out, nil
}
