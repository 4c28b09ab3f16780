package light

import (
	"fmt"
	"math"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	cmtlight "github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/ledger/genesis"
	"github.com/alia-network/alia/protocol"
)

// trustLevel is the part of a trusted header's validators, by power, of whom more must
// have signed the next header that a client takes. CometBFT's default is a third,
// with a trusting period of some weeks: validators who have left can lose nothing by
// a false signature. A genesis document has any age, and a receipt is checked years
// later. There is no trusting period here, therefore, and a forger needs the keys of
// two thirds of a past set instead of a third. The price is more headers on the way
// when validators leave.
var trustLevel = cmtmath.Fraction{Numerator: 2, Denominator: 3}

// forever is the trusting period that CometBFT's verifier is given.
const forever = time.Duration(math.MaxInt64)

// trust has the facts of a genesis document against which answers are checked.
type trust struct {
	net    protocol.Net
	params ledger.Params
	root   *types.LightBlock // stands for the header before the first one
}

// path is a sequence of headers with their validators. The first is trust.root, and
// each of the others is verified by the validators of the one before. A path is
// never changed in place.
type path []*types.LightBlock

func (p path) last() *types.LightBlock { return p[len(p)-1] }

// below returns the part of a path with headers below a height.
func (p path) below(height int64) path {
	n := len(p)
	for n > 0 && p[n-1].Height >= height {
		n--
	}
	return p[:n:n]
}

func newTrust(data []byte) (*trust, error) {
	doc, err := genesis.Parse(data)
	if err != nil {
		return nil, err
	}
	validators := make([]*types.Validator, len(doc.Comet.Validators))
	for i, v := range doc.Comet.Validators {
		validators[i] = types.NewValidator(v.PubKey, v.Power)
	}
	set := types.NewValidatorSet(validators)
	before := &types.Header{
		ChainID: doc.Comet.ChainID,
		Height:  doc.Comet.InitialHeight - 1,
		// The first header has the time of the genesis document, and the verifier wants
		// times to rise.
		Time:               doc.Comet.GenesisTime.Add(-time.Nanosecond),
		NextValidatorsHash: set.Hash(),
	}
	return &trust{
		net:    doc.Net,
		params: doc.Ledger.Params,
		root:   &types.LightBlock{SignedHeader: &types.SignedHeader{Header: before}, ValidatorSet: set},
	}, nil
}

// verifyStep checks a header and its validators by those of a lower, trusted header:
// CometBFT's skipping verification. The error wraps ErrProof, and
// [cmtlight.ErrNewValSetCantBeTrusted] when a header between the two may help.
func verifyStep(from, to *types.LightBlock) error {
	err := cmtlight.Verify(from.SignedHeader, from.ValidatorSet, to.SignedHeader, to.ValidatorSet,
		forever, to.Time, time.Second, trustLevel) // the clock is compared elsewhere: see fresh
	if err != nil {
		return fmt.Errorf("%w: header %d, by the validators of header %d: %w", ErrProof, to.Height, from.Height, err)
	}
	return nil
}

// extend returns a path with one more header, which is verified by the last of p. It
// leaves out headers on the way that are not needed: otherwise the path would grow
// with every change of the validators.
func (p path) extend(to *types.LightBlock) path {
	for len(p) > 1 && verifyStep(p[len(p)-2], to) == nil {
		p = p[:len(p)-1]
	}
	return append(p[:len(p):len(p)], to)
}

// parseValidators reads validators in CometBFT's encoding. They are not trusted
// before a header names their hash.
func parseValidators(pb *cmtproto.ValidatorSet) (*types.ValidatorSet, error) {
	if len(pb.Validators) == 0 || len(pb.Validators) > maxValidators {
		return nil, fmt.Errorf("%w: %d validators, want 1 to %d", ErrProof, len(pb.Validators), maxValidators)
	}
	pb.Proposer = pb.Validators[0] // it has no part in the hash, and CometBFT wants one
	set, err := types.ValidatorSetFromProto(pb)
	if err != nil {
		return nil, fmt.Errorf("%w: validators: %w", ErrProof, err)
	}
	return set, nil
}
