package light

import (
	"bytes"
	"fmt"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// headerProof leads from the validators of the genesis document to a header: each
// header is verified by the validators of the one before (see verifyStep). As long as
// the validators are those of the genesis document, one header is enough.
type headerProof []provenHeader

// maxHeaders is the most headers of a headerProof.
const maxHeaders = 64

// provenHeader is one header of a headerProof.
type provenHeader struct {
	_          struct{} `cbor:",toarray"`
	Header     []byte   // signed, in CometBFT's protobuf encoding
	Validators []byte   // in CometBFT's protobuf encoding; empty when they are those of the header before
}

// headerProof returns the proof of the last header of a path.
func (p path) headerProof() (headerProof, error) {
	if len(p)-1 > maxHeaders {
		return nil, fmt.Errorf("the validators have changed too often: a proof has at most %d headers, this one needs %d", maxHeaders, len(p)-1)
	}
	var proof headerProof
	for i, b := range p[1:] {
		var h provenHeader
		var err error
		if h.Header, err = b.SignedHeader.ToProto().Marshal(); err != nil {
			return nil, err
		}
		if !bytes.Equal(p[i].ValidatorSet.Hash(), b.ValidatorsHash) {
			pb, err := b.ValidatorSet.ToProto()
			if err != nil {
				return nil, err
			}
			if h.Validators, err = pb.Marshal(); err != nil {
				return nil, err
			}
		}
		proof = append(proof, h)
	}
	return proof, nil
}

// verify returns the header that a proof leads to.
func (t *trust) verify(proof headerProof) (*types.SignedHeader, error) {
	if len(proof) == 0 || len(proof) > maxHeaders {
		return nil, fmt.Errorf("%w: %d headers, want 1 to %d", ErrProof, len(proof), maxHeaders)
	}
	at := t.root
	for i, h := range proof {
		next, err := h.parse(at.ValidatorSet)
		if err != nil {
			return nil, fmt.Errorf("header %d of %d in the proof: %w", i+1, len(proof), err)
		}
		if err := verifyStep(at, next); err != nil {
			return nil, err
		}
		at = next
	}
	return at.SignedHeader, nil
}

// parse reads a header and its validators; before has those of the header before.
func (h provenHeader) parse(before *types.ValidatorSet) (*types.LightBlock, error) {
	header, err := parseHeader(h.Header)
	if err != nil {
		return nil, err
	}
	if len(h.Validators) == 0 {
		return &types.LightBlock{SignedHeader: header, ValidatorSet: before}, nil
	}
	var pb cmtproto.ValidatorSet
	if err := pb.Unmarshal(h.Validators); err != nil {
		return nil, fmt.Errorf("%w: validators: %w", ErrProof, err)
	}
	set, err := parseValidators(&pb)
	return &types.LightBlock{SignedHeader: header, ValidatorSet: set}, err
}

// parseHeader reads a signed header; verifyStep checks it.
func parseHeader(data []byte) (*types.SignedHeader, error) {
	var pb cmtproto.SignedHeader
	if err := pb.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrProof, err)
	}
	h, err := types.SignedHeaderFromProto(&pb)
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrProof, err)
	}
	if h.Header == nil || h.Commit == nil {
		return nil, fmt.Errorf("%w: no header, or no signatures of it", ErrProof)
	}
	return h, nil
}
