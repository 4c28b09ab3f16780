package unit

import (
	"context"

	"github.com/alia-network/alia/protocol/block"
)

// Crew does units: a worker in this process, or the miners of a network.
type Crew interface {
	// Do has every unit computed, and returns the outcomes in the sequence of units.
	// The blocks of every result's outputs are then in the run's store.
	Do(ctx context.Context, units []Unit) ([]Outcome, error)
}

// Outcome is a unit's result, with the miner and the effort, which are no
// functions of the unit.
type Outcome struct {
	Link   block.Link // the result's CID
	Result Result
	Miner  [32]byte // account; zero for a local run
	Effort
}

// Effort is the time that a unit took and the bytes that it moved. Its fields
// are also fields of log lines and journals, in this order.
type Effort struct {
	Started           uint64 // when the unit was leased, in milliseconds since the Unix epoch
	Took              uint64 // milliseconds until its result came
	BytesIn, BytesOut uint64 // moved from the miner and to the miner
}
