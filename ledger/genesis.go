package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/alia-network/alia/protocol"
)

// maxSupply bounds the amount that is ever minted, so that sums of amounts do
// not overflow.
const maxSupply = 1 << 60

// Params are the constants of a network. Amounts are in 1e-8 ALIA.
type Params struct {
	_           struct{} `cbor:",toarray" json:"-"`
	Training    uint64   `json:"training"`    // amount minted per GFLOP of training, at first
	Translation uint64   `json:"translation"` // amount per GFLOP, the most that translation adds to its price, at first
	Budget      uint64   `json:"budget"`      // amount that a height should mint; it can mint twice as much
	Step        uint64   `json:"step"`        // the rates change by at most 1/Step a height
	MinFee      uint64   `json:"min_fee"`     // amount, for transactions that do not report work
}

// DefaultParams suit a network whose heights take about a second: 1 ALIA for a
// TFLOP, 100 ALIA a height.
func DefaultParams() Params {
	return Params{
		Training:    100_000,
		Translation: 100_000,
		Budget:      100 * 100_000_000,
		Step:        512,
	}
}

// Check returns an error if the parameters are not valid.
func (p Params) Check() error {
	const most = 1 << 40 // keeps rates times four million, and the sum of a height's claims, below 2^64
	switch {
	case p.Training == 0 || p.Training > most || p.Translation == 0 || p.Translation > most:
		return fmt.Errorf("training is %d and translation %d; both must be 1 to %d (1e-8 ALIA per GFLOP)",
			p.Training, p.Translation, uint64(most))
	case p.Budget == 0 || p.Budget > most:
		return fmt.Errorf("budget is %d, it must be 1 to %d (1e-8 ALIA)", p.Budget, uint64(most))
	case p.Step == 0 || p.Step > 1<<20:
		return fmt.Errorf("step is %d, it must be 1 to %d", p.Step, 1<<20)
	case p.MinFee > maxSupply:
		return fmt.Errorf("min_fee is %d, it must be at most %d (1e-8 ALIA)", p.MinFee, uint64(maxSupply))
	}
	return nil
}

// Fee returns the least fee of a transaction, as an amount. Transactions that
// report work are free, because members without tokens send them.
func (p Params) Fee(b Body) uint64 {
	switch b.Kind() {
	case KindRunVote, KindRoundCommit, KindSettle:
		return 0
	}
	return p.MinFee
}

// Genesis is the ledger's part of a network's genesis document, and the record
// under key m/genesis. No account starts with a balance, because every token
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

// Check returns an error if the genesis is not valid.
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
