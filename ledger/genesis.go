package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alia-network/alia/protocol"
)

// maxSupply bounds the amount that is ever minted, so that sums of amounts do
// not overflow.
const maxSupply = 1 << 60

// Bounds of a genesis. CometBFT's chain id has at most 50 bytes, of which the
// name may take 41. It keeps 3.4 KB of a height free for each validator's signature.
const (
	MaxName       = 41
	MaxValidators = 100
)

// Params are the constants of a network. Amounts are in 1e-8 ALIA, times in heights.
type Params struct {
	_           struct{} `cbor:",toarray" json:"-"`
	Training    uint64   `json:"training"`    // amount minted per GFLOP of training, at first
	Translation uint64   `json:"translation"` // amount per GFLOP, the most that translation adds to its price, at first
	Budget      uint64   `json:"budget"`      // amount that a height should mint; it can mint twice as much
	Step        uint64   `json:"step"`        // the rates change by at most 1/Step a height
	Gas         uint64   `json:"gas"`         // millionths of an amount, the least price of gas
	Finality    uint64   `json:"finality"`    // heights from a claim of work to its payment
	Bond        uint64   `json:"bond"`        // amount, the most that a proposal of a run sets aside
	Stake       uint64   `json:"stake"`       // amount, the most that a validator must have locked
	Unlock      uint64   `json:"unlock"`      // heights from [Unlock] until the amount is free
}

// DefaultParams suit a network whose heights take about a second: 1 ALIA for a
// TFLOP, 100 ALIA a height, payment after ten minutes.
func DefaultParams() Params {
	return Params{
		Training:    100_000,
		Translation: 100_000,
		Budget:      100 * protocol.Coin,
		Step:        512,
		Gas:         micro,
		Finality:    600,
		Bond:        10 * protocol.Coin,
		Stake:       100 * protocol.Coin,
		Unlock:      50_000,
	}
}

// LocalParams suit a network on one machine, or among friends: payment after five
// heights, and otherwise as DefaultParams.
func LocalParams() Params {
	p := DefaultParams()
	p.Finality = 5
	return p
}

// Check returns an error if the parameters are not valid.
func (p Params) Check() error {
	const most = 1 << 40 // keeps rates times four million, and the sum of a height's payments, below 2^64
	switch {
	case p.Training == 0 || p.Training > most || p.Translation == 0 || p.Translation > most:
		return fmt.Errorf("training is %d and translation %d; both must be 1 to %d (1e-8 ALIA per GFLOP)",
			p.Training, p.Translation, uint64(most))
	case p.Budget < capShare || p.Budget > most:
		return fmt.Errorf("budget is %d, it must be %d to %d (1e-8 ALIA)", p.Budget, capShare, uint64(most))
	case p.Step == 0 || p.Step > 1<<20:
		return fmt.Errorf("step is %d, it must be 1 to %d", p.Step, 1<<20)
	case p.Gas == 0 || p.Gas > most:
		return fmt.Errorf("gas is %d, it must be 1 to %d (1e-14 ALIA)", p.Gas, uint64(most))
	case p.Finality == 0 || p.Finality > 1<<20:
		return fmt.Errorf("finality is %d, it must be 1 to %d heights", p.Finality, 1<<20)
	case p.Bond > maxSupply || p.Stake > maxSupply:
		return fmt.Errorf("bond is %d and stake %d; both must be at most %d (1e-8 ALIA)", p.Bond, p.Stake, uint64(maxSupply))
	case p.Unlock == 0 || p.Unlock > 1<<32:
		return fmt.Errorf("unlock is %d, it must be 1 to %d heights", p.Unlock, uint64(1<<32))
	}
	return nil
}

// Genesis is the ledger's part of a network's genesis document, and the record
// under key m/genesis. No account starts with a balance, because every token
// comes from work.
type Genesis struct {
	_          struct{}           `cbor:",toarray" json:"-"`
	Version    uint16             `json:"version"`
	Network    string             `json:"network"`
	Params     Params             `json:"params"`
	Validators []protocol.Account `json:"validators"` // at height 0
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
	if err := CheckName(g.Network); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	if n := len(g.Validators); n == 0 || n > MaxValidators {
		return fmt.Errorf("genesis: %d validators, want 1 to %d", n, MaxValidators)
	}
	for i, v := range g.Validators {
		if err := v.Check(); err != nil {
			return fmt.Errorf("genesis: validator %d: %w", i, err)
		}
		if slices.Contains(g.Validators[:i], v) {
			return fmt.Errorf("genesis: validator %s is listed twice", v)
		}
	}
	if err := g.Params.Check(); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	return nil
}

// CheckName returns an error if name cannot name a network. A name has printable
// characters only, because terminals show it.
func CheckName(name string) error {
	notPrintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.ContainsFunc(name, notPrintable) {
		return fmt.Errorf("network name %q must be 1 to %d bytes of printable characters", name, MaxName)
	}
	return nil
}
