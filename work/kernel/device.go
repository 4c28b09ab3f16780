package kernel

import (
	"fmt"
	"sync"
)

// cell computes pieces lo to hi-1 of a call, as an operation's reference does. It may
// use s for intermediate results.
type cell func(s *scratch, c *Call, lo, hi int)

// scratch is storage that one thread keeps from call to call, so that calls allocate
// nothing.
type scratch struct {
	buf     []float32
	scores  []float32       // Attend
	codes   []int8          // Linear8
	wide    []int16         // Linear8
	flips   []uint8         // codes with flipped sign bits
	sums    []int32         // starts of sums of codes
	scales  [panel8]float32 // of the columns of a panel
	inverse [panel8]float32 // of the scales
	turned  [2][panel8 * panel8]int8
	last    [group8][panel8]int8 // the rows of a matrix of codes that are no group of four
	keys    [12][4]uint32        // Dropout
	factors [8]float32           // Adam

	// The matrix product of one block of a stage (see device.rows), and the shapes of
	// its operands.
	call Call
	in   [2]Tensor
	out  [1]Tensor
	x, y [2]int
}

// panel returns n elements of scratch storage with arbitrary values.
func (s *scratch) panel(n int) []float32 {
	if len(s.buf) < n {
		s.buf = make([]float32, n)
	}
	return s.buf[:n]
}

// bytes returns n bytes of scratch storage with arbitrary values.
func (s *scratch) bytes(n int) []uint8 {
	if len(s.flips) < n {
		s.flips = make([]uint8, n)
	}
	return s.flips[:n]
}

// integers returns n integers of scratch storage with arbitrary values.
func (s *scratch) integers(n int) []int32 {
	if len(s.sums) < n {
		s.sums = make([]int32, n)
	}
	return s.sums[:n]
}

// device is the processor with one instruction set: cells for some operations, the
// reference for the others.
type device struct {
	name      string
	cells     [numOps]cell
	threads   []scratch // one for each thread
	splitCost uint64    // the least effort for which a second thread is worth starting
	watch     Watch     // nil unless someone measures
	native              // what is no row

	single [1]Call // the group of one call that Do computes
	stage  stage   // the stage being computed
}

func newDevice(name string, threads int, cells [numOps]cell) *device {
	return &device{name: name, cells: cells, threads: make([]scratch, max(threads, 1)), splitCost: 1_000_000}
}

// Name returns the instruction set's name, such as avx2.
func (d *device) Name() string { return d.name }

// Host is true: the processor computes in the host's memory.
func (d *device) Host() bool { return true }

// Do divides c among the threads and returns when all pieces are done.
func (d *device) Do(c *Call) {
	// With one thread a stage would only cost time: a decoder makes many small calls.
	if len(d.threads) == 1 {
		if err := c.Verify(); err != nil {
			panic(fmt.Sprintf("kernel: %v", err))
		}
		d.piece(0, c, 0, Ops[c.Op].parts(c))
		return
	}
	d.single[0] = *c
	d.Group(d.single[:])
}

// worth reports whether calls take longer than starting a thread, about 50 us.
func (d *device) worth(calls []Call) bool {
	// Counting stops as soon as the answer is known: most stages are large.
	cost := uint64(0)
	for i := range calls {
		if cost += d.effort(&calls[i]); cost >= d.splitCost {
			return true
		}
	}
	return false
}

// effort is c's cost in time, in the unit of [Cost]. In the same time a product in
// assembly does about twenty times as many operations as any other call.
func (d *device) effort(c *Call) uint64 {
	cost := Cost(c)
	switch c.Op {
	case MatMul, AttnScores, AttnMix, AttnMixT, Attend, Linear8, Linear8WeightGrad:
		if d.cells[c.Op] != nil {
			return cost / 20
		}
	}
	return cost
}

// parallel runs work on n threads and waits for all of them. It starts a new goroutine
// for each, also for the first: the scheduler keeps a lone new goroutine for the
// thread that started it, and a sleeping thread is slow to steal it from there.
func (d *device) parallel(n int, work func(thread int)) {
	var wg sync.WaitGroup
	for t := range n {
		wg.Go(func() { work(t) })
	}
	wg.Wait()
}

// queue hands out the pieces of calls by guided self-scheduling (Polychronopoulos and
// Kuck, 1987). A thread takes at most its share of the effort that is left, so that
// all threads end at about the same time. It does not take very small shares, because
// each share of a product packs B again.
type queue struct {
	mu      sync.Mutex
	calls   []Call
	call    int    // the first call with pieces left
	next    int    // its first piece that is left
	left    uint64 // the effort of all pieces left
	threads int
}

// splitAlign is the multiple that a large share is rounded to: whole tiles of a
// product, whole cache lines of a vector.
const splitAlign = 32

// take returns the next pieces lo to hi-1 of a call, or a nil call at the end.
func (q *queue) take(d *device) (c *Call, lo, hi int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.call == len(q.calls) {
		return nil, 0, 0
	}
	c, lo = &q.calls[q.call], q.next
	parts := Ops[c.Op].parts(c)
	effort := max(d.effort(c), 1)
	// The share of one thread in all that is left, in pieces of this call; at least a
	// fourth of the thread's share in this call alone.
	share := int(min(uint64(parts), q.left/uint64(q.threads)*uint64(parts)/effort))
	n := max(share, parts/(4*q.threads), 1)
	if n > splitAlign { // small shares would round to nothing
		n = n / splitAlign * splitAlign
	}
	hi = min(lo+n, parts)
	q.left -= min(q.left, effort*uint64(hi-lo)/uint64(parts))
	if q.next = hi; hi == parts {
		q.call, q.next = q.call+1, 0
	}
	return c, lo, hi
}

// piece computes pieces lo to hi-1 of c, and tells the watcher.
func (d *device) piece(thread int, c *Call, lo, hi int) {
	if d.watch != nil {
		share := float64(hi-lo) / float64(Ops[c.Op].parts(c))
		d.watch(thread, c, share, true)
		defer d.watch(thread, c, share, false)
	}
	d.compute(thread, c, lo, hi)
}

// compute runs the operation's cell, or its reference.
func (d *device) compute(thread int, c *Call, lo, hi int) {
	if f := d.cells[c.Op]; f != nil {
		f(&d.threads[thread], c, lo, hi)
		return
	}
	Ops[c.Op].ref(c, lo, hi)
}

// backend is a device that this build contains, whether the processor supports it
// or not.
type backend struct {
	name   string
	usable func() bool // the processor supports it
	cells  func() [numOps]cell
	native
}

// native is what an instruction set has beside cells.
type native struct {
	panel   int                             // columns of the panels in which products read B fastest; 0 is row by row
	largest func(x *float32, n int) float32 // of n elements, no NaN among them; or nil
}

// portable is the reference of every operation.
var portable = backend{
	name:   "portable",
	usable: func() bool { return true },
	cells:  func() [numOps]cell { return [numOps]cell{} },
}

// Names returns the devices this processor supports, the fastest first.
func Names() []string {
	var names []string
	for _, b := range backends() {
		if b.usable() {
			names = append(names, b.name)
		}
	}
	return names
}

// backends returns the devices of this build, the fastest first.
func backends() []backend { return append(assembly(), portable) }

// Open returns the named device with the given number of threads, after its
// conformance digests were checked. The names "" and "auto" mean the first of [Names]
// whose digests agree. Open knows the processor's devices only; package cuda/device
// opens GPUs.
func Open(name string, threads int) (Device, error) {
	if name == "" || name == "auto" {
		dev, reasons := Choose(threads)
		if dev == nil {
			return nil, fmt.Errorf("open kernels: no device passes its conformance check: %q", reasons)
		}
		return dev, nil
	}
	for _, b := range backends() {
		if b.name == name {
			return b.open(threads)
		}
	}
	return nil, fmt.Errorf("open kernels: device %q is unknown; this processor has %v", name, Names())
}

// Choose returns the fastest device whose conformance digests agree, or nil if there
// is none, and for each faster device the reason why it is not used.
func Choose(threads int) (Device, []string) {
	var reasons []string
	for _, b := range backends() { // the fastest first
		dev, err := b.open(threads)
		if err == nil {
			return dev, reasons
		}
		reasons = append(reasons, err.Error())
	}
	return nil, reasons
}

func (b *backend) open(threads int) (Device, error) {
	if !b.usable() {
		return nil, fmt.Errorf("open kernels: this processor has no %s", b.name)
	}
	dev := newDevice(b.name, threads, b.cells())
	dev.native = b.native
	if err := Check(dev); err != nil {
		return nil, err
	}
	return dev, nil
}
