//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"slices"
	"strings"

	"github.com/alia-network/alia/cuda"
	"github.com/alia-network/alia/work/kernel"
)

// inPieces computes a call that does not fit the device's memory in halves of its rows, which begin
// divides again if needed. ok is false when the call cannot be divided.
func (d *Device) inPieces(c *kernel.Call) (ok bool, err error) {
	rule, n := kernel.Locals[c.Op], c.Out[0].Shape[0]
	switch {
	case rule == "" || strings.Trim(rule, "rw>") != "" || n < 2:
		return false, nil
	case c.Op == kernel.Dropout, c.Op == kernel.MatMul && c.Attr.Trans == kernel.TN:
		return false, nil
	}
	// Inputs divided by rows are cut, whole ones are used by both halves.
	for _, half := range [][2]int{{0, n / 2}, {n / 2, n}} {
		e := entry{call: *c}
		e.call.In, e.call.Out = slices.Clone(c.In), slices.Clone(c.Out)
		for i := range c.In {
			if rule[i] == 'r' {
				e.call.In[i] = rowsOf(&c.In[i], half)
			}
		}
		for i := range c.Out {
			e.call.Out[i] = rowsOf(&c.Out[i], half)
		}
		if e.launches, err = cuda.Launches(&e.call); err != nil {
			// A half has smaller shapes than the call, so this cannot happen. It would be
			// too late for another way: the first half may have overwritten its inputs.
			return false, err
		}
		if err := d.begin(&e); err != nil {
			return false, err
		}
	}
	return true, nil
}

// rowsOf returns rows rows[0] to rows[1]-1 of t.
func rowsOf(t *kernel.Tensor, rows [2]int) kernel.Tensor {
	width := t.Len() / t.Shape[0]
	shape := slices.Clone(t.Shape)
	shape[0] = rows[1] - rows[0]
	return t.Part(rows[0]*width, rows[1]*width, shape...)
}
