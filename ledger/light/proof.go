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

// unitProof shows a unit's settlement to anyone who has the genesis document.
type unitProof struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Header  []byte // the signed header in CometBFT's encoding
	State   ledger.Proof
}

// ProveUnit returns how a unit was settled, and a proof of the settlement for a
// receipt. [VerifyProof] checks the proof without the network. The error wraps
// [ErrUnsettled] when the unit is not settled yet.
func (c *Client) ProveUnit(ctx context.Context, unit block.Link) (ledger.Settlement, []byte, error) {
	var s ledger.Settlement
	a, err := c.read(ctx, unitQuery, unit.Bytes())
	if err != nil {
		return s, nil, err
	}
	if !a.found {
		return s, nil, fmt.Errorf("prove unit %s: %w at height %d", unit, ErrUnsettled, a.height)
	}
	header, err := a.header.ToProto().Marshal()
	if err != nil {
		return s, nil, fmt.Errorf("prove unit %s: %w", unit, err)
	}
	if err := block.Decode(a.value, &s); err != nil {
		return s, nil, fmt.Errorf("prove unit %s: %w", unit, err)
	}
	proof, err := block.Encode(unitProof{Version: 1, Header: header, State: a.proof})
	return s, proof, err
}

// VerifyProof checks a proof of [Client.ProveUnit] against a network's genesis
// document and returns the unit's settlement.
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
	value, found, err := prove(header, p.State, unitQuery, unit.Bytes())
	if err != nil {
		return s, err
	}
	if !found {
		return s, ErrUnsettled
	}
	return s, block.Decode(value, &s)
}

// parseHeader reads a signed header; trust.verify checks it.
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
