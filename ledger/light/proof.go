package light

import (
	"context"
	"errors"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol/block"
)

// ErrUnsettled is returned, wrapped, when a unit is not settled.
var ErrUnsettled = errors.New("unit is not settled")

// unitProof shows a unit's settlement to whoever has the genesis document.
type unitProof struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Header  []byte // signed header, in CometBFT's own encoding
	State   ledger.Proof
}

// ProveUnit returns a proof that a unit was settled, for a receipt. It can be
// checked without the network, see [VerifyProof]. The error wraps
// [ErrUnsettled] when the unit is not settled yet.
func (c *Client) ProveUnit(ctx context.Context, unit block.Link) ([]byte, error) {
	a, err := c.read(ctx, "unit", unit.Bytes())
	if err != nil {
		return nil, err
	}
	if !a.found {
		return nil, fmt.Errorf("prove unit %s: %w at height %d", unit, ErrUnsettled, a.height)
	}
	header, err := a.header.ToProto().Marshal()
	if err != nil {
		return nil, fmt.Errorf("prove unit %s: %w", unit, err)
	}
	return block.Encode(unitProof{Version: 1, Header: header, State: a.proof})
}

// VerifyProof checks a proof of ProveUnit against a network's genesis document
// and returns the settlement it shows.
func VerifyProof(genesis, proof []byte, unit block.Link) (ledger.Settlement, error) {
	t, err := newTrust(genesis)
	if err != nil {
		return ledger.Settlement{}, fmt.Errorf("verify settlement: %w", err)
	}
	s, err := t.verifyUnit(proof, unit)
	if err != nil {
		return ledger.Settlement{}, fmt.Errorf("verify settlement of unit %s: %w", unit, err)
	}
	return s, nil
}

func (t *trust) verifyUnit(proof []byte, unit block.Link) (ledger.Settlement, error) {
	var s ledger.Settlement
	var p unitProof
	if err := block.Decode(proof, &p); err != nil {
		return s, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.Version != 1 {
		return s, fmt.Errorf("%w: version %d, want 1", ErrProof, p.Version)
	}
	header, err := parseHeader(p.Header)
	if err != nil {
		return s, err
	}
	if err := t.verify(header); err != nil {
		return s, err
	}
	value, found, err := prove(header, p.State, "unit", unit.Bytes())
	if err != nil {
		return s, err
	}
	if !found {
		return s, ErrUnsettled
	}
	return s, block.Decode(value, &s)
}

// parseHeader reads a signed header, of which the checks that matter are
// trust.verify's.
func parseHeader(data []byte) (*types.SignedHeader, error) {
	var pb cmtproto.SignedHeader
	if err := pb.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrProof, err)
	}
	h, err := types.SignedHeaderFromProto(&pb)
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrProof, err)
	}
	return h, nil
}
