package client

import (
	"context"

	"github.com/alia-network/alia/ledger/light"
	"github.com/alia-network/alia/protocol/block"
)

// Estimates is what the units of a document are estimated to cost, in MFLOP.
func (c *Client) Estimates(ctx context.Context, d Document) ([]uint64, error) {
	j, err := c.Start(ctx, d)
	if err != nil {
		return nil, err
	}
	return j.work.estimates, j.Close()
}

// Pack makes the file of a receipt.
func Pack(receipt, proof []byte) ([]byte, error) {
	return block.Encode(file{Version: 1, Receipt: receipt, Proof: proof})
}

// Unpack reads the parts of the file of a receipt.
func Unpack(data []byte) (receipt, proof []byte, err error) {
	f, err := parseFile(data)
	return f.Receipt, f.Proof, err
}

// Judge holds a receipt against an escrow.
func (p Proven) Judge(e light.ProvenEscrow) (Proven, error) {
	p.Missing, p.Paid, p.Due = "", 0, 0
	err := p.judge(e)
	return p, err
}

// Cancelled is closed when the job is cancelled.
func (j *Job) Cancelled() <-chan struct{} { return j.work.cancelled }

// EncodeOrder and ParseOrder write and read the file of an order.
func EncodeOrder(d Document) ([]byte, error)   { return encodeOrder(d) }
func ParseOrder(data []byte) (Document, error) { return parseOrder(data) }

// Draw draws segments to check.
func Draw(n int, ppm uint32) []int { return draw(n, ppm) }
