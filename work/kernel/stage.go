package kernel

import (
	"fmt"
	"slices"
	"sort"
	"sync"
)

// blockRows is the largest number of rows, of all partitions together, that a thread
// takes through a stage at a time. It is small enough that the rows written by one
// call are still in a cache when the next call reads them. It is large enough that
// packing a product's other operand, once for each block, costs little beside the
// product. Smaller blocks for the calls between products were not faster.
const blockRows = 2048

// Stage computes calls in sequence on each item of a batch, and the free calls at any
// time. Threads wait for one another only at its end. See [Device].
func (d *device) Stage(calls []Call, partitions []uint8, rowSplits [][]int32, free []Call) {
	d.verify(calls)
	d.verify(free)
	// A small stage is computed by the calling goroutine alone.
	threads := len(d.threads)
	if !d.worth(calls) && !d.worth(free) {
		threads = 1
	}
	s := &d.stage
	*s = stage{
		calls: calls, partitions: partitions, rowSplits: rowSplits,
		free: queue{calls: free, threads: threads},
	}
	if len(calls) > 0 {
		rows, items := s.weight(len(rowSplits[0])-1), len(rowSplits[0])-1
		each := threads * blockRows // rounded up to a multiple of threads, so that none idles
		s.blocks = min((rows+each-1)/each*threads, items)
	}
	if threads == 1 {
		// The free calls come first: their operands, which the stage before wrote, may
		// still be in a cache.
		for i := range free {
			d.piece(0, &free[i], 0, Ops[free[i].Op].parts(&free[i]))
		}
		d.takeBlocks(0)
		return
	}
	for i := range free {
		s.free.left += d.effort(&free[i])
	}
	d.parallel(threads, d.work)
}

// stage is the state that the threads share while they compute a stage. A block is a
// run of consecutive items.
type stage struct {
	calls      []Call
	partitions []uint8   // by call
	rowSplits  [][]int32 // by partition; partition 0 is of segments, one for each item

	mu     sync.Mutex // guards next
	next   int        // the first block not taken
	blocks int
	free   queue
}

// work takes blocks through the stage until none is left, and then pieces of the free
// calls. These are small, so that all threads end at about the same time.
func (d *device) work(thread int) {
	d.takeBlocks(thread)
	q := &d.stage.free
	for c, lo, hi := q.take(d); c != nil; c, lo, hi = q.take(d) {
		d.piece(thread, c, lo, hi)
	}
}

// takeBlocks computes all calls on one block after the other.
func (d *device) takeBlocks(thread int) {
	s := &d.stage
	for b := s.take(); b < s.blocks; b = s.take() {
		from, until := s.begin(b), s.begin(b+1)
		for i := range s.calls {
			split := s.rowSplits[s.partitions[i]]
			d.rows(thread, &s.calls[i], int(split[from]), int(split[until]), int(split[len(split)-1]))
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

// begin is the first item of block b. All blocks have about as many rows.
func (s *stage) begin(b int) int {
	items := len(s.rowSplits[0]) - 1
	if b >= s.blocks {
		return items
	}
	// The first item with at least b/blocks of all rows before it.
	total := s.weight(items)
	return sort.Search(items, func(i int) bool { return s.weight(i)*s.blocks >= b*total })
}

// weight is the number of rows before item i, summed over the partitions.
func (s *stage) weight(i int) int {
	n := 0
	for _, split := range s.rowSplits[1:] {
		n += int(split[i])
	}
	return n
}

// rows computes rows (or segments) lo to hi-1 of the n that c has.
func (d *device) rows(thread int, c *Call, lo, hi, n int) {
	if lo == hi {
		return
	}
	if c.Op != MatMul {
		per := Ops[c.Op].parts(c) / n
		d.piece(thread, c, lo*per, hi*per)
		return
	}
	// The pieces of a product may be columns. Its rows lo to hi-1 are computed as a
	// product of their own.
	s := &d.threads[thread]
	x := narrowed(&s.x, &c.In[0], lo, hi)
	y := narrowed(&s.y, &c.Out[0], lo, hi)
	s.in, s.out = [2]Tensor{x, c.In[1]}, [1]Tensor{y}
	s.call = Call{Op: c.Op, Attr: c.Attr, In: s.in[:], Out: s.out[:]}
	// The watcher gets c and not the part, which has another label and other shapes.
	if d.watch != nil {
		share := float64(hi-lo) / float64(n)
		d.watch(thread, c, share, true)
		defer d.watch(thread, c, share, false)
	}
	d.compute(thread, &s.call, 0, partsMatMul(&s.call))
	// Otherwise the references would keep a program's memory from being collected.
	s.in, s.out = [2]Tensor{}, [1]Tensor{}
}

// narrowed is rows lo to hi-1 of a matrix. Its shape is stored in dims.
func narrowed(dims *[2]int, t *Tensor, lo, hi int) Tensor {
	d := cols(t)
	*dims = [2]int{hi - lo, d}
	return Tensor{Type: F32, Shape: dims[:], F: t.F[lo*d : hi*d]}
}

// Group computes independent calls.
func (d *device) Group(calls []Call) { d.Stage(nil, nil, nil, calls) }

// verify panics when a call breaks its operation's shape rule.
func (d *device) verify(calls []Call) {
	for i := range calls {
		if err := calls[i].Verify(); err != nil {
			panic(fmt.Sprintf("kernel: %v", err))
		}
	}
}

// Reshape is [Infer] without allocation: it writes the outputs' dimensions into the
// shapes of out, which already has the right number of tensors and dimensions. It
// returns an error when inputs break the operation's shape rule.
func Reshape(op Op, a *Attr, in, out []Tensor) error {
	r, err := infer(op, a, in)
	if err != nil {
		return err
	}
	for i := range out {
		if shape := r.out[i].shape(); copy(out[i].Shape, shape) != len(shape) {
			return fmt.Errorf("%v: output %d has shape %v and cannot take shape %v",
				op, i, out[i].Shape, slices.Clone(shape))
		}
	}
	return nil
}
