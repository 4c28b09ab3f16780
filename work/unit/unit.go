// Package unit defines a unit of work and its result as records.
//
// A [Unit] names its inputs by their CIDs, and its own CID is its name. A
// [Result] names its outputs. Both are records in canonical CBOR ([Parse],
// [ParseResult]), so every machine that computes a unit names the same result.
// [Kind] says what a unit computes; the table of kinds has its number of inputs and
// outputs, and its approximate cost. A [Crew] does units: a worker in this process,
// or a network's miners.
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

// Unit is a piece of work that is leased to a miner: a pure function of content-addressed
// inputs. Its CID is its name. It names no miner, no publisher and no time.
type Unit struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Kind    Kind
	// Work is the record of the training run, or the [Job] of the customer, that the
	// unit belongs to.
	Work block.Link
	// Round and Index, with Kind, identify a unit of a run. In a document Index counts the units.
	Round, Index uint32
	// Inputs are those that Kind says, in that order.
	Inputs []block.Link
	// Base and Update, when set, are a second way to Inputs[0]: the parameters
	// of the round before, and the quantised update from them. A worker that
	// has Base fetches Update, a quarter of the bytes or less. Both ways must
	// give the same CID.
	Base, Update block.Link
	// Decoding is the search of Translate; zero for the other kinds.
	Decoding Decoding
}

// Owner is the owner, in a block store, of the results that a publisher has accepted
// for the units of one round.
func (u Unit) Owner() string { return fmt.Sprintf("work/%s/%d", u.Work, u.Round) }

// Parse reads a unit from its canonical bytes, which a peer may have sent.
func Parse(spec []byte) (Unit, error) {
	var u Unit
	if err := block.Decode(spec, &u); err != nil {
		return Unit{}, fmt.Errorf("unit: %w", err)
	}
	return u, u.Validate()
}

// Validate returns an error if u is not valid.
func (u Unit) Validate() error {
	if err := CheckVersion("unit", u.Version); err != nil {
		return err
	}
	if !u.Kind.known() {
		return fmt.Errorf("unit: %s is unknown", u.Kind)
	}
	row := kinds[u.Kind]
	switch {
	case len(u.Inputs) < row.least || len(u.Inputs) > row.most:
		return fmt.Errorf("unit: %d inputs for kind %s, want %d to %d", len(u.Inputs), u.Kind, row.least, row.most)
	case !u.Work.Defined():
		return errors.New("unit: it belongs to no run and no job")
	case !row.decodes && u.Decoding != Decoding{}:
		return fmt.Errorf("unit: kind %s with a decoding", u.Kind)
	case u.Base.Defined() != u.Update.Defined():
		return errors.New("unit: a base without an update, or an update without a base")
	}
	if row.decodes {
		if err := u.Decoding.Validate(); err != nil {
			return fmt.Errorf("unit: %w", err)
		}
	}
	for i, in := range u.Inputs {
		if !in.Defined() {
			return fmt.Errorf("unit: input %d is missing", i)
		}
	}
	return nil
}

// CheckVersion refuses a record whose version is not 1, the only one there is.
// name names the record in the error.
func CheckVersion(name string, version uint16) error {
	if version != 1 {
		return fmt.Errorf("%s: version %d, this program knows version 1", name, version)
	}
	return nil
}

// Spec is the unit's canonical bytes: [Parse] reads them.
func (u Unit) Spec() []byte {
	b, err := block.Encode(u)
	if err != nil {
		panic("unit: a unit that cannot be encoded: " + err.Error())
	}
	return b
}

// ID is the unit's name, the CID of its spec.
func (u Unit) ID() block.Link { return block.Link{Cid: block.Sum(block.CBOR, u.Spec())} }
