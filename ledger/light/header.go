package light

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
)

// trust has the facts of a genesis document against which answers are checked.
type trust struct {
	net        protocol.Net
	params     ledger.Params
	chainID    string
	validators *types.ValidatorSet
}

// CheckGenesis returns an error if a genesis document is not valid.
func CheckGenesis(genesis []byte) error {
	_, err := newTrust(genesis)
	return err
}

func newTrust(genesis []byte) (*trust, error) {
	doc, err := types.GenesisDocFromJSON(genesis)
	if err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	if len(doc.Validators) == 0 {
		return nil, errors.New("genesis document: no validators")
	}
	app, err := ledger.ParseGenesis(doc.AppState)
	if err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	validators := make([]*types.Validator, len(doc.Validators))
	for i, v := range doc.Validators {
		validators[i] = types.NewValidator(v.PubKey, v.Power)
	}
	return &trust{
		net:        sha256.Sum256(genesis),
		params:     app.Params,
		chainID:    doc.ChainID,
		validators: types.NewValidatorSet(validators),
	}, nil
}

// verify checks that the genesis validators signed the header.
func (t *trust) verify(h *types.SignedHeader) error {
	if err := h.ValidateBasic(t.chainID); err != nil {
		return fmt.Errorf("%w: header: %w", ErrProof, err)
	}
	if !bytes.Equal(h.ValidatorsHash, t.validators.Hash()) {
		return fmt.Errorf("%w: the validators of header %d are not this network's: is the network file the right one?", ErrProof, h.Height)
	}
	err := t.validators.VerifyCommitLight(t.chainID, h.Commit.BlockID, h.Height, h.Commit)
	if err != nil {
		return fmt.Errorf("%w: commit of header %d: %w", ErrProof, h.Height, err)
	}
	return nil
}

// ChainHead is a proven height of the ledger.
type ChainHead struct {
	Height  uint64
	Time    time.Time // by the validators' clocks
	BlockID [32]byte
	AppHash [32]byte // root of the state after the height before
}

// Head returns the newest height.
func (c *Client) Head(ctx context.Context) (ChainHead, error) {
	var head ChainHead
	err := c.each(ctx, func(s server) error {
		h, err := c.fetchHeader(ctx, s, 0)
		if err != nil {
			return err
		}
		head = ChainHead{
			Height:  uint64(h.Height),
			Time:    h.Time,
			BlockID: [32]byte(h.Commit.BlockID.Hash),
			AppHash: [32]byte(h.AppHash),
		}
		return nil
	})
	if err != nil {
		return ChainHead{}, fmt.Errorf("read head: %w", err)
	}
	return head, nil
}

// header returns the verified header of a height. It waits for a height that the
// server has not reached yet.
func (c *Client) header(ctx context.Context, s server, height int64) (*types.SignedHeader, error) {
	c.mu.Lock()
	h := c.headers[height]
	c.mu.Unlock()
	if h != nil {
		return h, nil
	}
	for deadline := time.Now().Add(callTimeout); ; {
		h, err := c.fetchHeader(ctx, s, height)
		if err == nil || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrProof) {
			return h, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: no header %d yet: %w", ErrUnreachable, height, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fetchHeader gets and verifies the header of a height, or the newest for 0.
func (c *Client) fetchHeader(ctx context.Context, s server, height int64) (*types.SignedHeader, error) {
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
	if height > 0 && h.Height != height || len(h.AppHash) != 32 {
		return nil, fmt.Errorf("%w: header %d came for header %d", ErrProof, h.Height, height)
	}
	if err := c.trust.verify(h); err != nil {
		return nil, err
	}
	return h, c.keep(h)
}

// keep stores a verified header. It refuses one that is far below the newest header
// seen, because the server is then behind the others.
func (c *Client) keep(h *types.SignedHeader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Height < c.newest-maxLag {
		return fmt.Errorf("%w: its newest header is %d, but header %d was seen before", ErrProof, h.Height, c.newest)
	}
	c.newest = max(c.newest, h.Height)
	c.headers[h.Height] = h
	for old := range c.headers {
		if old < c.newest-keepHeaders {
			delete(c.headers, old)
		}
	}
	return nil
}
