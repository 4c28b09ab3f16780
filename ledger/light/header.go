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

// trust is what a genesis document allows to check.
type trust struct {
	net        protocol.Net
	params     ledger.Params
	chainID    string
	validators *types.ValidatorSet
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
		return fmt.Errorf("%w: header %d has other validators: another network", ErrProof, h.Height)
	}
	err := t.validators.VerifyCommitLight(t.chainID, h.Commit.BlockID, h.Height, h.Commit)
	if err != nil {
		return fmt.Errorf("%w: commit of header %d: %w", ErrProof, h.Height, err)
	}
	return nil
}

// Head is a height of the ledger, proven.
type Head struct {
	Height  uint64
	Time    time.Time // as the validators had it
	BlockID [32]byte
	AppHash [32]byte // root of the state after the height before
}

// Head returns the newest height.
func (c *Client) Head(ctx context.Context) (Head, error) {
	var head Head
	err := c.each(ctx, func(s server) error {
		h, err := c.fetchHeader(ctx, s, 0)
		if err != nil {
			return err
		}
		head = Head{
			Height:  uint64(h.Height),
			Time:    h.Time,
			BlockID: [32]byte(h.Commit.BlockID.Hash),
			AppHash: [32]byte(h.AppHash),
		}
		return nil
	})
	if err != nil {
		return Head{}, fmt.Errorf("read head: %w", err)
	}
	return head, nil
}

// header returns the verified header of a height, which may be one that the
// server is about to reach.
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
		return nil, fmt.Errorf("%w: not the header asked for", ErrProof)
	}
	if err := c.trust.verify(h); err != nil {
		return nil, err
	}
	return h, c.keep(h)
}

// keep remembers a verified header, unless it shows that the server is too far
// behind what others, or it, have said before.
func (c *Client) keep(h *types.SignedHeader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Height < c.newest-maxLag {
		return fmt.Errorf("%w: header %d, but %d has been seen", ErrProof, h.Height, c.newest)
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
