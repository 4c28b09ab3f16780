package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	cmtlight "github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

// follow verifies a header that a server sent, and returns the path to it. The
// headers on the way come from the same server.
func (c *Client) follow(ctx context.Context, s server, h *types.SignedHeader) (path, error) {
	root := c.trust.root
	if err := h.ValidateBasic(root.ChainID); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	}
	c.mu.Lock()
	p := c.trusted.below(h.Height)
	c.mu.Unlock()
	if len(p) == 0 || len(h.AppHash) != 32 {
		return nil, fmt.Errorf("%w: header %d has an app hash of %d bytes, want a height above %d and 32 bytes",
			ErrProof, h.Height, len(h.AppHash), root.Height)
	}
	to := &types.LightBlock{SignedHeader: h, ValidatorSet: p.last().ValidatorSet}
	if bytes.Equal(h.ValidatorsHash, to.ValidatorSet.Hash()) {
		if err := verifyStep(p.last(), to); err != nil {
			return nil, err
		}
		return append(p, to), nil
	}
	// The validators have changed.
	var err error
	if to.ValidatorSet, err = c.fetchValidators(ctx, s, h.Header); err != nil {
		return nil, err
	}
	if p, err = c.bridge(ctx, s, p, to); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusted.last().Height < h.Height {
		c.trusted = p
	}
	return p, nil
}

// bridge extends a path to a header, over as few headers between as bisection finds.
func (c *Client) bridge(ctx context.Context, s server, p path, to *types.LightBlock) (path, error) {
	goals := []*types.LightBlock{to} // the last is the next to verify
	kept := p.last().Height          // the server has no headers up to here, or they are not needed
	for fetched := 0; len(goals) > 0; {
		goal := goals[len(goals)-1]
		err := verifyStep(p.last(), goal)
		if err == nil {
			p, goals = p.extend(goal), goals[:len(goals)-1]
			continue
		}
		if goal.Height == c.trust.root.Height+1 {
			return nil, fmt.Errorf("%w; this is another network's ledger: is the network file the right one?", err)
		}
		if !errors.As(err, new(cmtlight.ErrNewValSetCantBeTrusted)) {
			return nil, err
		}
		from := max(kept, p.last().Height)
		if goal.Height-from < 2 || fetched == maxFetches {
			return nil, fmt.Errorf("%w; most of the validators have left since, and the node does not have the headers between: "+
				"ask a node that keeps more heights", err)
		}
		height := from + (goal.Height-from)/2
		between, err := c.fetchBetween(ctx, s, height)
		switch {
		case err == nil:
			goals = append(goals, between)
		case errors.Is(err, ErrUnreachable), errors.Is(err, ErrProof):
			return nil, err
		default: // the server answered that it has no such header, such as after pruning
			kept = height
		}
		fetched++
	}
	return p, nil
}

// fetchBetween gets a header and its validators, which are not verified yet.
func (c *Client) fetchBetween(ctx context.Context, s server, height int64) (*types.LightBlock, error) {
	h, err := fetchCommit(ctx, s, height)
	if err != nil {
		return nil, err
	}
	set, err := c.fetchValidators(ctx, s, h.Header)
	if err != nil {
		return nil, err
	}
	return &types.LightBlock{SignedHeader: h, ValidatorSet: set}, nil
}

// fetchValidators gets the validators of a header, which names their hash.
func (c *Client) fetchValidators(ctx context.Context, s server, h *types.Header) (*types.ValidatorSet, error) {
	page, perPage := 1, maxValidators
	res, err := s.rpc.Validators(ctx, &h.Height, &page, &perPage)
	if err != nil {
		return nil, callError(err)
	}
	// Through the encoding, whose reader takes any input: CometBFT's functions for sets
	// in memory panic when a key is short or a validator stands twice.
	pb := new(cmtproto.ValidatorSet)
	for _, v := range res.Validators {
		p, err := v.ToProto()
		if err != nil {
			return nil, fmt.Errorf("%w: validators of header %d: %w", ErrProof, h.Height, err)
		}
		pb.Validators = append(pb.Validators, p)
	}
	set, err := parseValidators(pb)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(set.Hash(), h.ValidatorsHash) {
		return nil, fmt.Errorf("%w: the node sent validators of hash %X for header %d, which names %X", ErrProof, set.Hash(), h.Height, h.ValidatorsHash)
	}
	return set, nil
}

// fetchCommit gets a signed header, or the newest for height 0. It is not verified
// yet. An error that wraps neither ErrUnreachable nor ErrProof is the server's
// answer that it has no such header.
func fetchCommit(ctx context.Context, s server, height int64) (*types.SignedHeader, error) {
	var at *int64
	if height > 0 {
		at = &height
	}
	res, err := s.rpc.Commit(ctx, at)
	if err != nil {
		return nil, callError(err)
	}
	h := &res.SignedHeader
	if h.Header == nil || h.Commit == nil {
		return nil, errors.New("the ledger has no height yet")
	}
	if height > 0 && h.Height != height {
		return nil, fmt.Errorf("%w: header %d came for header %d", ErrProof, h.Height, height)
	}
	return h, nil
}
