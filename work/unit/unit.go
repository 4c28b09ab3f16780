// Package unit is what is asked of a machine, and what came out, as bytes.
//
// A [Unit] names its inputs by their CIDs; its own CID is its name. A [Result]
// is what it gives. Both are records of canonical CBOR ([Parse],
// [ParseResult]), so that every machine that does a unit names the same result.
// A [Crew] does units: a worker in this process, or the miners of a network.
//
//	u, err := unit.Parse(spec)
//	outcomes, err := crew.Do(ctx, []unit.Unit{u})
//	err = unit.Fits(u, outcomes[0].Result)
package unit

import (
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol/block"
)

// Kind says what a unit computes: PROTOCOL.md, section 8.1.1.
type Kind uint16

const (
	// Gradient is the gradient of a step's batches, quantised: parameters, batches -> delta.
	Gradient Kind = iota + 1
	// Combine is the next state of a run: parameters, first and second moments,
	// the outputs of the round's units in index order -> parameters, moments, update.
	Combine
	// Evaluate is the loss of one batch without dropout: parameters, batch -> nothing but sums.
	Evaluate
	// Translate is a slice of a document: model, text -> text.
	Translate
	// Steps is a worker's steps of a round, quantised: parameters, second moment,
	// batches -> delta, second moment.
	LocalSteps
	// Average is the mean of parameters: sets of them -> parameters.
	Average
)

// kinds is, by kind, the name that reports and logs have, the least inputs and
// the most, and the outputs of a unit whose result is no fault.
var kinds = map[Kind]struct {
	name        string
	least, most int
	outputs     int
}{
	Gradient:   {"gradient", 2, 1 + maxMany, 1},
	Combine:    {"combine", 4, 3 + 2*maxMany, 4},
	Evaluate:   {"evaluate", 2, 2, 0},
	Translate:  {"translate", 2, 2, 1},
	LocalSteps: {"steps", 3, 2 + maxMany, 2},
	Average:    {"average", 1, maxMany, 1},
}

// maxMany bounds, in a unit from outside, what there may be many of: batches,
// workers, sets.
const maxMany = 4096

// String gives the kind's name as reports and logs have it.
func (k Kind) String() string {
	if row, ok := kinds[k]; ok {
		return row.name
	}
	return fmt.Sprintf("kind %d", uint16(k))
}

// Unit is what is leased to a miner: a pure function of content-addressed
// inputs. Its CID is its name. It names no miner, no publisher and no time.
type Unit struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Kind    Kind
	// Work is what the unit belongs to: the record of the run ([Run]), or of
	// the customer's job ([Job]).
	Work block.Link
	// Round and Index place the unit in its run; Index is its slice of a document.
	Round, Index uint32
	// Inputs are what Kind lists, in that order.
	Inputs []block.Link
	// Base and Update, when set, are another road to Inputs[0]: the
	// parameters of the round before, and the quantised step from them. A
	// worker that holds Base fetches Update, a quarter of the bytes or less,
	// and must arrive at the same CID.
	Base, Update block.Link
	// Decoding is how Translate decodes; zero for the other kinds.
	Decoding Decoding
}

// ParseUnit reads a unit from its canonical bytes, which a peer may have sent.
func Parse(spec []byte) (Unit, error) {
	var u Unit
	if err := block.Decode(spec, &u); err != nil {
		return Unit{}, fmt.Errorf("unit: %w", err)
	}
	return u, u.Validate()
}

func (u Unit) Validate() error {
	row, known := kinds[u.Kind]
	switch {
	case u.Version != 1:
		return fmt.Errorf("unit: version %d, this program knows 1", u.Version)
	case !known:
		return fmt.Errorf("unit: %s is unknown", u.Kind)
	case len(u.Inputs) < row.least || len(u.Inputs) > row.most:
		return fmt.Errorf("unit: %d inputs for %s", len(u.Inputs), u.Kind)
	case !u.Work.Defined():
		return errors.New("unit: it belongs to no run and no job")
	case u.Kind == Translate && (u.Decoding.Beam < 1 || u.Decoding.Beam > 8):
		return fmt.Errorf("unit: beam %d, want 1 to 8", u.Decoding.Beam)
	case u.Decoding.LengthPPM > MaxLengthPPM:
		return fmt.Errorf("unit: a length penalty of %d parts per million, want at most %d", u.Decoding.LengthPPM, MaxLengthPPM)
	case u.Kind != Translate && u.Decoding != Decoding{}:
		return fmt.Errorf("unit: %s with a decoding", u.Kind)
	case u.Base.Defined() != u.Update.Defined():
		return errors.New("unit: a base without an update, or the other way round")
	}
	for i, in := range u.Inputs {
		if !in.Defined() {
			return fmt.Errorf("unit: input %d is missing", i)
		}
	}
	return nil
}

// Spec is the unit's canonical bytes.
func (u Unit) Spec() []byte {
	b, err := block.Encode(u)
	if err != nil {
		panic("unit: a unit that cannot be encoded: " + err.Error())
	}
	return b
}

// ID is the unit's name, the CID of its spec.
func (u Unit) ID() block.Link { return block.Link{Cid: block.Sum(block.CBOR, u.Spec())} }
