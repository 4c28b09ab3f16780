package unit

import (
	"context"

	"github.com/alia-network/alia/protocol/block"
)

// Crew does units: a worker in this process, or the miners of a network.
type Crew interface {
	// Do has every unit done and gives their outcomes in the order of units.
	// The blocks of every result's outputs are then in the run's store.
	Do(ctx context.Context, units []Unit) ([]Outcome, error)
}

// Outcome is a unit's result, and the part of it that is not a function of
// the unit: who did it and what that took.
type Outcome struct {
	Link   block.Link // the result's CID
	Result Result
	Miner  [32]byte // account; zero for a local run
	// Started is in milliseconds since the Unix epoch, Took in milliseconds.
	Started, Took uint64
	// BytesIn and BytesOut are what the unit moved between machines.
	BytesIn, BytesOut uint64
}
