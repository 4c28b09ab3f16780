package kernel

import (
	"fmt"
	"slices"
	"sort"
	"sync"
)

// blockRows is how many rows, those of all sides together, a worker takes
// through a stage at a time, at most: few enough that what one call writes is
// still in a cache when the next one reads it, enough that a product's other
// operand, which is copied for each block, is little beside it. Smaller blocks
// for the calls between products gained nothing more.
const blockRows = 2048

// Stage computes calls in order on each item of a batch, and free calls in any
// order meanwhile; workers wait for one another at its end alone. See [Device].
func (d *device) Stage(calls []Call, sides []uint8, cuts [][]int32, free []Call) {
	d.verify(calls)
	d.verify(free)
	workers := len(d.workers)
	if !d.worth(calls) && !d.worth(free) {
		workers = 1
	}
	s := &d.stage
	*s = stage{calls: calls, sides: sides, cuts: cuts, free: queue{calls: free, workers: workers}}
	if len(calls) > 0 {
		rows, items := s.weight(len(cuts[0])-1), len(cuts[0])-1
		each := workers * blockRows // so that all workers have as many blocks
		s.blocks = min((rows+each-1)/each*workers, items)
	}
	if workers == 1 {
		for i := range free { // what they read may still be in a cache
			d.piece(0, &free[i], 0, Ops[free[i].Op].parts(&free[i]))
		}
		d.takeBlocks(0)
		return
	}
	for i := range free {
		s.free.left += d.effort(&free[i])
	}
	d.together(workers, d.work)
}

// stage is what the workers share while they compute a stage.
type stage struct {
	calls []Call
	sides []uint8
	cuts  [][]int32

	mu     sync.Mutex
	next   int // the first block not taken
	blocks int
	free   queue
}

// work takes blocks through the stage until none is left, and then pieces of
// free calls, which are small and end the workers' work at about one time.
func (d *device) work(w int) {
	d.takeBlocks(w)
	q := &d.stage.free
	for c, lo, hi := q.take(d); c != nil; c, lo, hi = q.take(d) {
		d.piece(w, c, lo, hi)
	}
}

func (d *device) takeBlocks(w int) {
	s := &d.stage
	for b := s.take(); b < s.blocks; b = s.take() {
		from, until := s.begin(b), s.begin(b+1)
		for i := range s.calls {
			cut := s.cuts[s.sides[i]]
			d.rows(w, &s.calls[i], int(cut[from]), int(cut[until]), int(cut[len(cut)-1]))
		}
	}
}

// take returns the next block.
func (s *stage) take() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.next
	s.next++
	return b
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
		d.piece(w, c, lo*per, hi*per)
		return
	}
	// A product may be cut by columns; its rows are a product themselves.
	s := &d.workers[w]
	x := narrowed(&s.x, &c.In[0], lo, hi)
	y := narrowed(&s.y, &c.Out[0], lo, hi)
	s.in, s.out = [2]Tensor{x, c.In[1]}, [1]Tensor{y}
	s.call = Call{Op: c.Op, Attr: c.Attr, In: s.in[:], Out: s.out[:]}
	if d.watch != nil {
		share := float64(hi-lo) / float64(n)
		d.watch(w, c, share, true)
		defer d.watch(w, c, share, false)
	}
	d.compute(w, &s.call, 0, partsMatMul(&s.call))
	s.in, s.out = [2]Tensor{}, [1]Tensor{} // else they keep a plan's memory from being collected
}

// narrowed is rows lo to hi-1 of a matrix; its shape is kept in dims.
func narrowed(dims *[2]int, t *Tensor, lo, hi int) Tensor {
	d := cols(t)
	*dims = [2]int{hi - lo, d}
	return Tensor{Type: F32, Shape: dims[:], F: t.F[lo*d : hi*d]}
}

// Group computes calls of which none reads or writes what another writes.
func (d *device) Group(calls []Call) { d.Stage(nil, nil, nil, calls) }

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
