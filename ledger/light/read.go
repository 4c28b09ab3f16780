package light

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	rpcclient "github.com/cometbft/cometbft/rpc/client"
	"github.com/cometbft/cometbft/types"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// answer is a proven read: the record under a key, or its absence, after a
// height. The header is the next height's, which carries the root.
type answer struct {
	value  []byte
	found  bool
	height uint64
	header *types.SignedHeader
	proof  ledger.Proof
}

// read asks for the record of a path and argument (see [ledger.QueryKey]) and
// checks the proof.
func (c *Client) read(ctx context.Context, path string, arg []byte) (answer, error) {
	var a answer
	err := c.each(ctx, func(s server) (err error) {
		a, err = c.readFrom(ctx, s, path, arg)
		return err
	})
	if err != nil {
		return answer{}, fmt.Errorf("read %s: %w", path, err)
	}
	return a, nil
}

func (c *Client) readFrom(ctx context.Context, s server, path string, arg []byte) (answer, error) {
	res, err := s.rpc.ABCIQueryWithOptions(ctx, path, arg, rpcclient.ABCIQueryOptions{Prove: true})
	if err != nil {
		return answer{}, callError(err)
	}
	if res.Response.Code != 0 {
		return answer{}, fmt.Errorf("%w: %s", ErrProof, res.Response.Log)
	}
	if res.Response.ProofOps == nil || len(res.Response.ProofOps.Ops) != 1 || res.Response.Height < 0 {
		return answer{}, fmt.Errorf("%w: no proof", ErrProof)
	}
	proof, err := ledger.ParseProof(res.Response.ProofOps.Ops[0].Data)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	header, err := c.header(ctx, s, res.Response.Height+1)
	if err != nil {
		return answer{}, err
	}
	value, found, err := prove(header, proof, path, arg)
	if err != nil {
		return answer{}, err
	}
	return answer{value, found, uint64(res.Response.Height), header, proof}, nil
}

// prove returns what a proof shows under a verified header.
func prove(header *types.SignedHeader, proof ledger.Proof, path string, arg []byte) ([]byte, bool, error) {
	key, err := ledger.QueryKey(path, arg)
	if err != nil {
		return nil, false, err
	}
	root, value, found, err := proof.Value(key)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if string(root) != string(header.AppHash) {
		return nil, false, fmt.Errorf("%w: it leads to root %x, header %d has %X", ErrProof, root, header.Height, header.AppHash)
	}
	return value, found, nil
}

// record reads and decodes a record; ok is false when its absence is proven.
func record[T any](ctx context.Context, c *Client, path string, arg []byte) (r T, height uint64, ok bool, err error) {
	a, err := c.read(ctx, path, arg)
	if err != nil || !a.found {
		return r, a.height, false, err
	}
	if err := block.Decode(a.value, &r); err != nil {
		return r, a.height, false, fmt.Errorf("read %s: %w", path, err)
	}
	return r, a.height, true, nil
}

// Account returns an account's record, which is zero for one never written.
func (c *Client) Account(ctx context.Context, a protocol.Account) (ledger.AccountState, error) {
	r, _, _, err := record[ledger.AccountState](ctx, c, "account", a[:])
	return r, err
}

// Run returns a run's record, and false if there is none.
func (c *Client) Run(ctx context.Context, run block.Link) (ledger.RunState, bool, error) {
	r, _, ok, err := record[ledger.RunState](ctx, c, "run", run.Bytes())
	return r, ok, err
}

// Escrow returns a customer's escrow for a job, and false if there is none.
func (c *Client) Escrow(ctx context.Context, job block.Link, customer protocol.Account) (ledger.Escrow, bool, error) {
	r, _, ok, err := record[ledger.Escrow](ctx, c, "escrow", append(job.Bytes(), customer[:]...))
	return r, ok, err
}

// Unit returns how a unit was settled, and false if it was not yet.
func (c *Client) Unit(ctx context.Context, unit block.Link) (ledger.Settlement, bool, error) {
	r, _, ok, err := record[ledger.Settlement](ctx, c, "unit", unit.Bytes())
	return r, ok, err
}

// Settled returns how those of the units were settled that were.
func (c *Client) Settled(ctx context.Context, units []block.Link) (map[block.Link]ledger.Settlement, error) {
	settled := make(map[block.Link]ledger.Settlement)
	for _, u := range units {
		r, ok, err := c.Unit(ctx, u)
		if err != nil {
			return nil, err
		}
		if ok {
			settled[u] = r
		}
	}
	return settled, nil
}

// Schedule returns what the block of a height pays, and false if that is not
// published yet or forgotten. Height 0 is the newest whose schedule is proven.
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

// Supply returns the books, and the height after which they stand so.
func (c *Client) Supply(ctx context.Context) (ledger.Supply, uint64, error) {
	r, height, ok, err := record[ledger.Supply](ctx, c, "supply", nil)
	if err == nil && !ok {
		err = fmt.Errorf("read supply: %w: there is none", ErrProof)
	}
	return r, height, err
}

// Accounts returns all accounts and the books of the same height. It is the
// node's word: no proof covers a listing. That it adds up is for the caller to
// check, and that Supply says the same.
func (c *Client) Accounts(ctx context.Context) (ledger.Listing, error) {
	var all ledger.Listing
	err := c.each(ctx, func(s server) error {
		all = ledger.Listing{More: true}
		for all.More {
			page, err := listFrom(ctx, s, all)
			if err != nil {
				return err
			}
			page.Accounts = append(all.Accounts, page.Accounts...)
			all = page
		}
		return nil
	})
	if err != nil {
		return ledger.Listing{}, fmt.Errorf("list accounts: %w", err)
	}
	return all, nil
}

// listFrom gets the page of accounts after what was got so far.
func listFrom(ctx context.Context, s server, got ledger.Listing) (ledger.Listing, error) {
	var after []byte
	if n := len(got.Accounts); n > 0 {
		after = got.Accounts[n-1].Account[:]
	}
	res, err := s.rpc.ABCIQueryWithOptions(ctx, "accounts", after, rpcclient.ABCIQueryOptions{Height: int64(got.Height)})
	if err != nil {
		return ledger.Listing{}, callError(err)
	}
	if res.Response.Code != 0 {
		return ledger.Listing{}, errors.New(res.Response.Log)
	}
	var page ledger.Listing
	if err := block.Decode(res.Response.Value, &page); err != nil {
		return ledger.Listing{}, err
	}
	if page.More && len(page.Accounts) == 0 {
		return ledger.Listing{}, errors.New("an empty page that is not the last")
	}
	return page, nil
}
