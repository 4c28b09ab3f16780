package light

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	rpcclient "github.com/cometbft/cometbft/rpc/client"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// answer is the result of a proven read: the record under a key after a height, or
// the record's absence. The header is that of the next height, which carries the
// root.
type answer struct {
	record []byte // empty if there is none
	height uint64
	header path // to the header
	proof  ledger.Proof
}

// read asks for the record of a query and argument (see [ledger.QueryKey]) and
// checks the proof.
func (c *Client) read(ctx context.Context, query string, arg []byte) (answer, error) {
	var a answer
	err := c.each(ctx, func(ctx context.Context, s server) (err error) {
		a, err = c.readFrom(ctx, s, query, arg)
		return err
	})
	if err != nil {
		return answer{}, fmt.Errorf("read %s: %w", query, err)
	}
	return a, nil
}

func (c *Client) readFrom(ctx context.Context, s server, query string, arg []byte) (answer, error) {
	res, err := s.rpc.ABCIQueryWithOptions(ctx, query, arg, rpcclient.ABCIQueryOptions{Prove: true})
	if err != nil {
		return answer{}, callError(err)
	}
	if res.Response.Code != 0 {
		return answer{}, fmt.Errorf("%w: %s", ErrProof, res.Response.Log)
	}
	if res.Response.ProofOps == nil || len(res.Response.ProofOps.Ops) != 1 {
		return answer{}, fmt.Errorf("%w: no proof", ErrProof)
	}
	proof, err := ledger.ParseProof(res.Response.ProofOps.Ops[0].Data)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	header, err := c.headerAfter(ctx, s, res.Response.Height)
	if err != nil {
		return answer{}, err
	}
	record := res.Response.Value
	if err := prove(header.last().SignedHeader, proof, query, arg, record); err != nil {
		return answer{}, err
	}
	return answer{record, uint64(res.Response.Height), header, proof}, nil
}

// prove checks that a proof shows a record under a verified header, or the record's
// absence when the record is empty.
func prove(header *types.SignedHeader, proof ledger.Proof, query string, arg, record []byte) error {
	key, err := ledger.QueryKey(query, arg)
	if err != nil {
		return err
	}
	root, err := proof.Root(key, record)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if !bytes.Equal(root[:], header.AppHash) {
		return fmt.Errorf("%w: the proof leads to root %x, header %d has root %X", ErrProof, root, header.Height, header.AppHash)
	}
	return nil
}

// record reads and decodes a record; ok is false when the record's absence is
// proven.
func record[T any](ctx context.Context, c *Client, query string, arg []byte) (r T, height uint64, ok bool, err error) {
	a, err := c.read(ctx, query, arg)
	if err != nil || len(a.record) == 0 {
		return r, a.height, false, err
	}
	if err := block.Decode(a.record, &r); err != nil {
		return r, a.height, false, fmt.Errorf("read %s: %w", query, err)
	}
	return r, a.height, true, nil
}

// Account returns an account's record. An account that was never written has no
// balance.
func (c *Client) Account(ctx context.Context, a protocol.Account) (ledger.AccountState, error) {
	r, _, _, err := record[ledger.AccountState](ctx, c, "account", a[:])
	return r, err
}

// Run returns the record of a run of a coordinator, and false if there is none.
func (c *Client) Run(ctx context.Context, run block.Link, coordinator protocol.Account) (ledger.RunState, bool, error) {
	r, _, ok, err := record[ledger.RunState](ctx, c, "run", append(run.Bytes(), coordinator[:]...))
	return r, ok, err
}

// Function returns how far the rounds of a function are paid, and false if no run of it
// was approved.
func (c *Client) Function(ctx context.Context, function block.Link) (ledger.FunctionState, bool, error) {
	r, _, ok, err := record[ledger.FunctionState](ctx, c, "function", function.Bytes())
	return r, ok, err
}

// Round returns a round that is claimed and not paid, and false if there is none.
func (c *Client) Round(ctx context.Context, function block.Link, round uint32) (ledger.RoundState, bool, error) {
	r, _, ok, err := record[ledger.RoundState](ctx, c, "round", binary.BigEndian.AppendUint32(function.Bytes(), round))
	return r, ok, err
}

// Escrow returns a customer's escrow for a job, and false if there is none.
func (c *Client) Escrow(ctx context.Context, customer protocol.Account, job block.Link) (ledger.Escrow, bool, error) {
	r, _, ok, err := record[ledger.Escrow](ctx, c, "escrow", append(customer[:], job.Bytes()...))
	return r, ok, err
}

// Payout returns where the pay of an account goes, and false if it goes to the account.
func (c *Client) Payout(ctx context.Context, a protocol.Account) (ledger.Payout, bool, error) {
	r, _, ok, err := record[ledger.Payout](ctx, c, "payout", a[:])
	return r, ok, err
}

// Validators returns who makes the heights, and who is voted on.
func (c *Client) Validators(ctx context.Context) (ledger.ValidatorSet, error) {
	r, _, _, err := record[ledger.ValidatorSet](ctx, c, "validators", nil)
	return r, err
}

// Schedule returns the rates of pay at a height, and false if its schedule is not published
// yet or no longer kept. Height 0 stands for the newest height.
func (c *Client) Schedule(ctx context.Context, height uint64) (ledger.Schedule, bool, error) {
	if height == 0 {
		head, err := c.Head(ctx)
		if err != nil {
			return ledger.Schedule{}, false, err
		}
		height = head.Height
	}
	r, _, ok, err := record[ledger.Schedule](ctx, c, "schedule", binary.BigEndian.AppendUint64(nil, height))
	return r, ok, err
}

// Supply returns the books, and the height after which they were read.
func (c *Client) Supply(ctx context.Context) (ledger.Supply, uint64, error) {
	r, height, ok, err := record[ledger.Supply](ctx, c, "supply", nil)
	if err == nil && !ok {
		err = fmt.Errorf("read supply: %w: there is none", ErrProof)
	}
	return r, height, err
}
