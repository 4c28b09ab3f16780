package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/alia-network/alia/protocol"
)

// maxSupply bounds the units that are ever minted, so that sums of amounts
// cannot overflow.
const maxSupply = 1 << 60

// Params are the constants a network starts with.
type Params struct {
	_           struct{} `cbor:",toarray" json:"-"`
	Training    uint64   `json:"training"`    // units minted per GFLOP of training
	Translation uint64   `json:"translation"` // units per GFLOP that bound the bonus of translation
	Budget      uint64   `json:"budget"`      // units a block should mint; it can mint twice that
	Step        uint64   `json:"step"`        // the rates change by at most 1/Step a block
	Costs       uint64   `json:"costs"`       // version of the cost table
	Takeover    uint64   `json:"takeover"`    // blocks of silence after which a run may be taken over
	MinFee      uint64   `json:"min_fee"`     // units, for transactions that do not report work
}

// DefaultParams are those of a network whose blocks take about a second: one
// ALIA for a TFLOP, a hundred ALIA a block.
func DefaultParams() Params {
	return Params{
		Training:    100_000,
		Translation: 100_000,
		Budget:      100 * 100_000_000,
		Step:        512,
		Costs:       1,
		Takeover:    120,
	}
}

// Check reports what is wrong with the parameters.
func (p Params) Check() error {
	const most = 1 << 40 // keeps rates times four million, and the sum of a block's claims, below 2^64
	switch {
	case p.Training == 0 || p.Training > most || p.Translation == 0 || p.Translation > most:
		return fmt.Errorf("rates must be 1 to %d units per GFLOP", uint64(most))
	case p.Budget == 0 || p.Budget > most:
		return fmt.Errorf("block budget must be 1 to %d units", uint64(most))
	case p.Step == 0 || p.Step > 1<<20:
		return errors.New("step must be 1 to 2^20")
	case p.Takeover == 0:
		return errors.New("takeover must be at least one block")
	case p.MinFee > maxSupply:
		return errors.New("least fee must be at most 2^60 units")
	}
	return nil
}

// Fee returns the least fee of a transaction, in units. Those that report work
// or guard it are free: members with no tokens yet send them.
func (p Params) Fee(b Body) uint64 {
	switch b.Kind() {
	case KindRunVote, KindTakeRun, KindRoundCommit, KindSettle:
		return 0
	}
	return p.MinFee
}

// Genesis is the application's part of a network's genesis document, and the
// record under key m/genesis. No account starts with a balance: every token
// comes from work.
type Genesis struct {
	_          struct{}           `cbor:",toarray" json:"-"`
	Version    uint16             `json:"version"`
	Network    string             `json:"network"`
	Params     Params             `json:"params"`
	Validators []protocol.Account `json:"validators"` // who may vote on runs
}

// ParseGenesis reads the JSON form.
func ParseGenesis(data []byte) (Genesis, error) {
	var g Genesis
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return Genesis{}, fmt.Errorf("parse genesis of the ledger: %w", err)
	}
	return g, g.Check()
}

// Check reports what is wrong with the genesis.
func (g Genesis) Check() error {
	if g.Version != 1 {
		return fmt.Errorf("genesis: version %d, want 1", g.Version)
	}
	if g.Network == "" || len(g.Network) > 50 {
		return fmt.Errorf("genesis: network name %q must be 1 to 50 bytes", g.Network)
	}
	if len(g.Validators) == 0 || len(g.Validators) > 1000 {
		return fmt.Errorf("genesis: %d validators, want 1 to 1000", len(g.Validators))
	}
	if err := g.Params.Check(); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	return nil
}
