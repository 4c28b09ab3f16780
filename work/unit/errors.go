package unit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/alia-network/alia/protocol/block"
)

// InputError says which input of a unit a worker could not use. The source of that
// input is asked again.
type InputError struct {
	Input int
	Err   error
}

func (e *InputError) Error() string { return fmt.Sprintf("input %d: %v", e.Input, e.Err) }

// Unwrap gives the detail.
func (e *InputError) Unwrap() error { return e.Err }

// OutputError names a unit whose result stops the run or job: a later unit failed
// on one of its outputs, or the result has a defect. Another miner then computes
// the unit again.
type OutputError struct {
	Unit   Unit
	Output int // which of its outputs; -1 for the result itself
	// Proven is set if no honest miner can give such a result. Otherwise the result
	// may be right: for example its blocks are gone, or its numbers were the largest
	// in a sum that overflowed.
	Proven bool
	Err    error
}

func (e *OutputError) Error() string {
	where := "result"
	if e.Output >= 0 {
		where = fmt.Sprintf("output %d", e.Output)
	}
	return fmt.Sprintf("%s of %s unit %d of round %d, %s: %v", where, e.Unit.Kind, e.Unit.Index, e.Unit.Round, e.Unit.ID(), e.Err)
}

// Unwrap gives the detail.
func (e *OutputError) Unwrap() error { return e.Err }

// Proven reports whether err, which came of reading an output, proves that its miner
// was wrong: the output's blocks can be read, and err is about what they hold. A
// block that is gone, a disk that fails and a reader that is stopped prove nothing.
func Proven(ctx context.Context, b block.Blocks, output block.Link, err error) bool {
	if unread(err) {
		return false
	}
	data, err := b.Get(ctx, output.Cid)
	if err != nil {
		return false
	}
	links, err := block.Links(data)
	if err != nil {
		return true
	}
	for _, c := range links {
		if _, err := b.Get(ctx, c); err != nil {
			return false
		}
	}
	return true
}

// unread reports whether err says that bytes were not read, rather than that they
// are wrong.
func unread(err error) bool {
	var os *fs.PathError
	return errors.Is(err, block.ErrNotFound) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &os)
}
