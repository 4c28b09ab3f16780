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

// unitQuery is the path of a query for a unit's settlement.
const unitQuery = "unit"

// answer is the result of a proven read: the record under a key after a height, or
// the record's absence. The header is that of the next height, which carries the
// root.
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

// prove returns the value that a proof shows under a verified header.
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
		return nil, false, fmt.Errorf("%w: the proof leads to root %x, header %d has root %X", ErrProof, root, header.Height, header.AppHash)
	}
	return value, found, nil
}

// record reads and decodes a record; ok is false when the record's absence is
// proven.
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

// Account returns an account's record. An account that was never written has no
// balance.
func (c *Client) Account(ctx context.Context, a protocol.Account) (ledger.AccountState, error) {
	r, _, _, err := record[ledger.AccountState](ctx, c, "account", a[:])
	return r, err
}

// Run returns a run's record, and false if the run was never proposed.
func (c *Client) Run(ctx context.Context, run block.Link) (ledger.RunState, bool, error) {
	r, _, ok, err := record[ledger.RunState](ctx, c, "run", run.Bytes())
	return r, ok, err
}

// Escrow returns a customer's escrow for a job, and false if there is none.
func (c *Client) Escrow(ctx context.Context, job block.Link, customer protocol.Account) (ledger.Escrow, bool, error) {
	r, _, ok, err := record[ledger.Escrow](ctx, c, "escrow", append(job.Bytes(), customer[:]...))
	return r, ok, err
}

// Unit returns how a unit was settled, and false if it is not settled.
func (c *Client) Unit(ctx context.Context, unit block.Link) (ledger.Settlement, bool, error) {
	r, _, ok, err := record[ledger.Settlement](ctx, c, unitQuery, unit.Bytes())
	return r, ok, err
}

// Settled returns the settlements of those units that are settled.
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

// Accounts returns all accounts and the books of the same height. No proof covers a
// listing. The caller can check that the balances add up and that [Client.Supply]
// returns the same books.
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

// listFrom reads the page of accounts that follows the accounts of got.
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
		return ledger.Listing{}, errors.New("the ledger node sent an empty page that is not the last")
	}
	return page, nil
}
