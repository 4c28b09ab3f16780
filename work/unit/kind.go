package unit

import "fmt"

// Kind says what a unit computes: PROTOCOL.md, section 8.1.1.
type Kind uint16

// The kinds. Each says its inputs, in order, and its outputs.
const (
	// Gradient is the quantised gradient of the batches of one optimiser step:
	// parameters, batches -> delta.
	Gradient Kind = iota + 1
	// Combine is the next state of a run: parameters, first and second moments,
	// the outputs of the round's units in index order -> parameters, moments, update.
	Combine
	// Evaluate is the loss of one batch without dropout: parameters, batch ->
	// no output, only the sums of the result.
	Evaluate
	// Translate is the translation of some segments: model, text -> text.
	Translate
	// LocalSteps is several optimiser steps from the parameters of a round, and
	// the quantised distance they went: parameters, second moment, batches ->
	// delta, second moment.
	LocalSteps
	// Average is the mean of sets of parameters: sets -> parameters.
	Average
)

// maxMany is the most batches, sets of parameters, or units to combine that a unit
// may have.
const maxMany = 4096

// kinds is the table of kinds: the properties that all units of a kind share. Package
// work has a table of the same kinds, with the function that computes a unit. Package
// work/check has one with the function that finds the expected form of a result. A
// new kind needs a row in each table.
var kinds = [...]struct {
	name        string // in reports and logs
	least, most int    // inputs
	outputs     int    // of a result without a defect
	batches     int    // inputs before the batches, where the unit has batches
	flop        uint64 // approximate cost for each parameter and token
	decodes     bool   // it has a Decoding
}{
	// A token costs two operations for each parameter forward, and four backward.
	Gradient: {name: "gradient", least: 2, most: 1 + maxMany, outputs: 1, batches: 1, flop: 6},
	Combine:  {name: "combine", least: 4, most: 3 + 2*maxMany, outputs: 4, flop: 1},
	Evaluate: {name: "evaluate", least: 2, most: 2, flop: 2},
	// The output has about as many tokens as the input.
	Translate:  {name: "translate", least: 2, most: 2, outputs: 1, flop: 4, decodes: true},
	LocalSteps: {name: "steps", least: 3, most: 2 + maxMany, outputs: 2, batches: 2, flop: 6},
	Average:    {name: "average", least: 1, most: maxMany, outputs: 1, flop: 1},
}

// Kinds lists the kinds, in ascending order.
func Kinds() []Kind {
	var all []Kind
	for k := range kinds {
		if Kind(k).known() {
			all = append(all, Kind(k))
		}
	}
	return all
}

// known reports whether k has a row in the table.
func (k Kind) known() bool { return int(k) < len(kinds) && kinds[k].name != "" }

// String gives the kind's name in reports and logs.
func (k Kind) String() string {
	if !k.known() {
		return fmt.Sprintf("kind %d", uint16(k))
	}
	return kinds[k].name
}

// Outputs is the number of outputs of a result of kind k without a defect.
func (k Kind) Outputs() int { return kinds[k].outputs }

// FLOP is the approximate cost of a unit of kind k for each parameter of the model and
// each token, in FLOP. It is for estimates: what is paid is Result.Cost.
func (k Kind) FLOP() uint64 { return kinds[k].flop }

// Batches is the number of inputs of u that are batches: 0, unless it is a [Gradient]
// or [LocalSteps] unit.
func (u Unit) Batches() int {
	row := kinds[u.Kind]
	if row.batches == 0 {
		return 0
	}
	return max(0, len(u.Inputs)-row.batches)
}
