package kernel

import (
	"fmt"
	"slices"
	"sort"
	"sync"
)

// stageRows is how many rows, those of all sides together, a worker takes
// through a stage at a time: few enough that what one call writes is still in
// the second level cache when the next one reads it, enough that a product's
// other operand is not copied for a handful of rows.
const stageRows = 512

// Stage computes calls[0], calls[1] and so on of each item of a batch, and
// does not wait between calls until the last is done. Item s owns rows
// cuts[k][s] to cuts[k][s+1]-1 of side k. Call i goes by side sides[i]: its
// rows, or its segments, are that side's, and what it reads of other rows is
// no call's output. A product goes by the rows of A, which is not transposed.
func (d *device) Stage(calls []Call, sides []uint8, cuts [][]int32) {
	d.verify(calls)
	s := &d.stage
	*s = stage{calls: calls, sides: sides, cuts: cuts, blocks: 1}
	items := len(cuts[0]) - 1
	if len(d.workers) == 1 || !d.worth(calls) {
		s.blocks = min((s.weight(items)+stageRows-1)/stageRows, items)
		d.work(0)
		return
	}
	// As many blocks for each worker.
	each := len(d.workers) * stageRows
	s.blocks = min((s.weight(items)+each-1)/each*len(d.workers), items)
	d.together(min(len(d.workers), s.blocks), d.work)
}

// stage is what the workers share while they compute a stage.
type stage struct {
	calls []Call
	sides []uint8
	cuts  [][]int32

	mu     sync.Mutex
	next   int // the first block not taken
	blocks int
}

// work takes blocks through the stage until none is left.
func (d *device) work(w int) {
	s := &d.stage
	for {
		s.mu.Lock()
		b := s.next
		s.next++
		s.mu.Unlock()
		if b >= s.blocks {
			return
		}
		from, to := s.begin(b), s.begin(b+1)
		for i := range s.calls {
			cut := s.cuts[s.sides[i]]
			d.rows(w, &s.calls[i], int(cut[from]), int(cut[to]), int(cut[len(cut)-1]))
		}
	}
}

// begin is the first item of block b: blocks have about as many rows each.
func (s *stage) begin(b int) int {
	items := len(s.cuts[0]) - 1
	if b >= s.blocks {
		return items
	}
	total := s.weight(items)
	return sort.Search(items, func(i int) bool { return s.weight(i)*s.blocks >= b*total })
}

// weight is the number of rows before item i, of all sides.
func (s *stage) weight(i int) int {
	n := 0
	for _, cut := range s.cuts[1:] {
		n += int(cut[i])
	}
	return n
}

// rows computes rows, or segments, lo to hi-1 of c, which has n.
func (d *device) rows(w int, c *Call, lo, hi, n int) {
	if lo == hi {
		return
	}
	if c.Op != MatMul {
		per := Ops[c.Op].parts(c) / n
		d.piece(w, c, c, lo*per, hi*per)
		return
	}
	// A product may be cut by columns; its rows are a product themselves.
	s := &d.workers[w]
	x := narrowed(&s.x, &c.In[0], lo, hi)
	y := narrowed(&s.y, &c.Out[0], lo, hi)
	s.in, s.out = [2]Tensor{x, c.In[1]}, [1]Tensor{y}
	s.call = Call{Op: c.Op, Attr: c.Attr, In: s.in[:], Out: s.out[:]}
	d.piece(w, c, &s.call, 0, partsMatMul(&s.call))
}

// narrowed is rows lo to hi-1 of a matrix; its shape is kept in dims.
func narrowed(dims *[2]int, t *Tensor, lo, hi int) Tensor {
	d := cols(t)
	*dims = [2]int{hi - lo, d}
	return Tensor{Type: F32, Shape: dims[:], F: t.F[lo*d : hi*d]}
}

// Group computes calls of which none reads or writes what another writes.
func (d *device) Group(calls []Call) {
	d.verify(calls)
	if len(d.workers) == 1 || !d.worth(calls) {
		for i := range calls {
			d.piece(0, &calls[i], &calls[i], 0, Ops[calls[i].Op].parts(&calls[i]))
		}
		return
	}
	d.share(calls)
}

// verify panics when a call breaks its row's rule.
func (d *device) verify(calls []Call) {
	for i := range calls {
		if err := calls[i].verify(); err != nil {
			panic(fmt.Sprintf("kernel: %v", err))
		}
	}
}

// Reshape sets the shapes of out, which has the outputs' number and ranks, to
// those that [Infer] gives, and allocates nothing.
func Reshape(op Op, a *Attr, in, out []Tensor) error {
	r, err := infer(op, a, in)
	if err != nil {
		return err
	}
	for i := range out {
		if shape := r.out[i].shape(); copy(out[i].Shape, shape) != len(shape) {
			return fmt.Errorf("%v: output %d is of shape %v, not %v", op, i, slices.Clone(shape), out[i].Shape)
		}
	}
	return nil
}
