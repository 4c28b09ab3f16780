package client

import "context"

// Estimates is what the units of a document are estimated to cost, in MFLOP.
func (c *Client) Estimates(ctx context.Context, d Document) ([]uint64, error) {
	j, err := c.prepare(ctx, d)
	if err != nil {
		return nil, err
	}
	return j.estimates, nil
}
