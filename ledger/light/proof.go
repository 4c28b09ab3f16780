package light

import (
	"context"
	"errors"
	"fmt"

	"github.com/alia-network/alia/ledger"
	"github.com/alia-network/alia/protocol"
	"github.com/alia-network/alia/protocol/block"
)

// ErrNoEscrow is returned, wrapped, when a customer has no escrow for a job.
var ErrNoEscrow = errors.New("the customer has no escrow for the job")

// maxProof is the most bytes of a recordProof.
const maxProof = 1 << 20

// recordProof shows a record to anyone who has the genesis document.
type recordProof struct {
	_       struct{} `cbor:",toarray"`
	Version uint16
	Headers headerProof
	Record  []byte       // empty if the proof is of a record's absence
	State   ledger.Proof // of Record, under the app hash of the last header
}

// encode returns the bytes of the proof of an answer.
func (a answer) encode() ([]byte, error) {
	headers, err := a.header.headerProof()
	if err != nil {
		return nil, err
	}
	data, err := block.Encode(recordProof{Version: 2, Headers: headers, Record: a.record, State: a.proof})
	if err == nil && len(data) > maxProof {
		err = fmt.Errorf("the proof has %d bytes, the limit is %d: the validators have changed too often", len(data), maxProof)
	}
	return data, err
}

// verifyRecord returns the record that a proof shows for a query (see
// [ledger.QueryKey]), which is empty when the proof shows that there is none, and the
// height after which the record was so.
func (t *trust) verifyRecord(proof []byte, query string, arg []byte) (record []byte, height uint64, err error) {
	if len(proof) > maxProof {
		return nil, 0, fmt.Errorf("%w: %d bytes, the limit is %d", ErrProof, len(proof), maxProof)
	}
	var p recordProof
	if err := block.Decode(proof, &p); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.Version != 2 {
		return nil, 0, fmt.Errorf("%w: version %d, want 2", ErrProof, p.Version)
	}
	header, err := t.verify(p.Headers)
	if err != nil {
		return nil, 0, err
	}
	return p.Record, uint64(header.Height) - 1, prove(header, p.State, query, arg, p.Record)
}

// ProvenEscrow is an escrow with its proof.
type ProvenEscrow struct {
	ledger.Escrow
	Height uint64 // after which the escrow was so
	Proof  []byte // see [VerifyEscrow]
}

// escrowArg is the argument of a query for an escrow.
func escrowArg(customer protocol.Account, job block.Link) []byte {
	return append(customer[:], job.Bytes()...)
}

// ProveEscrow returns an escrow and a proof of it for a receipt. [VerifyEscrow] checks the
// proof without the network. The error wraps [ErrNoEscrow] when there is no such escrow.
func (c *Client) ProveEscrow(ctx context.Context, customer protocol.Account, job block.Link) (ProvenEscrow, error) {
	var e ProvenEscrow
	a, err := c.read(ctx, "escrow", escrowArg(customer, job))
	if err != nil {
		return e, err
	}
	if len(a.record) == 0 {
		return e, fmt.Errorf("prove escrow of job %s: %w at height %d", job, ErrNoEscrow, a.height)
	}
	if err := block.Decode(a.record, &e.Escrow); err != nil {
		return e, fmt.Errorf("prove escrow of job %s: %w", job, err)
	}
	e.Height = a.height
	if e.Proof, err = a.encode(); err != nil {
		return e, fmt.Errorf("prove escrow of job %s: %w", job, err)
	}
	return e, nil
}

// VerifyEscrow checks a proof of [Client.ProveEscrow] against a network's genesis document
// and returns the escrow, and the height after which it was so.
func VerifyEscrow(genesis, proof []byte, customer protocol.Account, job block.Link) (ProvenEscrow, error) {
	t, err := newTrust(genesis)
	if err != nil {
		return ProvenEscrow{}, fmt.Errorf("verify escrow: %w", err)
	}
	e, err := t.verifyEscrow(proof, customer, job)
	if err != nil {
		return ProvenEscrow{}, fmt.Errorf("verify escrow of job %s: %w", job, err)
	}
	return e, nil
}

func (t *trust) verifyEscrow(proof []byte, customer protocol.Account, job block.Link) (ProvenEscrow, error) {
	e := ProvenEscrow{Proof: proof}
	record, height, err := t.verifyRecord(proof, "escrow", escrowArg(customer, job))
	if err != nil {
		return e, err
	}
	if len(record) == 0 {
		return e, ErrNoEscrow
	}
	e.Height = height
	return e, block.Decode(record, &e.Escrow)
}
