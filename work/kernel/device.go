package kernel

import (
	"fmt"
	"sync"
)

// cell computes pieces lo to hi-1 of a call, with scratch for its own use.
type cell func(s *scratch, c *Call, lo, hi int)

// scratch is storage a worker keeps from call to call.
type scratch struct {
	buf     []float32
	scores  []float32     // Attend
	codes   []int8        // Linear8
	keys    [12][4]uint32 // Dropout
	factors [8]float32    // Adam

	// The rows of a product that are a block's share of a stage.
	call Call
	in   [2]Tensor
	out  [1]Tensor
	x, y [2]int
}

// panel returns n elements, whatever they hold.
func (s *scratch) panel(n int) []float32 {
	if len(s.buf) < n {
		s.buf = make([]float32, n)
	}
	return s.buf[:n]
}

// device is every [Device]: cells for some rows, the reference for the rest.
type device struct {
	name      string
	cells     [numOps]cell
	workers   []scratch
	splitCost uint64 // the least effort that is worth waking a second worker for
	watch     Watch

	single [1]Call // Do
	stage  stage
}

func newDevice(name string, threads int, cells [numOps]cell) *device {
	return &device{name: name, cells: cells, workers: make([]scratch, max(threads, 1)), splitCost: 1_000_000}
}

func (d *device) Name() string { return d.name }

// Do computes c, with the pieces shared out among the workers. It returns
// when all are done.
func (d *device) Do(c *Call) {
	if len(d.workers) == 1 { // a decoder's calls are many and small
		if err := c.verify(); err != nil {
			panic(fmt.Sprintf("kernel: %v", err))
		}
		d.piece(0, c, 0, Ops[c.Op].parts(c))
		return
	}
	d.single[0] = *c
	d.Group(d.single[:])
}

// worth reports whether calls take longer than waking a worker, some 50 us.
func (d *device) worth(calls []Call) bool {
	cost := uint64(0)
	for i := range calls {
		if cost += d.effort(&calls[i]); cost >= d.splitCost {
			return true
		}
	}
	return false
}

// effort is c's cost in time: a product in assembly does twenty times the
// operations of other rows in that.
func (d *device) effort(c *Call) uint64 {
	cost := Cost(c)
	switch c.Op {
	case MatMul, AttnScores, AttnMix, AttnMixT, Attend, Linear8:
		if d.cells[c.Op] != nil {
			return cost / 20
		}
	}
	return cost
}

// together runs work on n workers and waits for all. All of them are new
// goroutines, since a sleeping thread is slow to take over a lone one, which
// the scheduler keeps for the goroutine that started it.
func (d *device) together(n int, work func(w int)) {
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() { work(w) })
	}
	wg.Wait()
}

// queue gives out the pieces of calls by guided self-scheduling
// (Polychronopoulos and Kuck, 1987): a worker takes of the next call at most
// its share of what is left of all, but no crumbs, as each share of a product
// copies B anew.
type queue struct {
	mu      sync.Mutex
	calls   []Call
	call    int    // the first call not all taken
	next    int    // its first piece not taken
	left    uint64 // the effort of what is not taken
	workers int
}

// splitAlign is what a large share is rounded to: whole tiles of a product,
// whole cache lines of a vector.
const splitAlign = 32

// take returns the next pieces, no call at the end.
func (q *queue) take(d *device) (c *Call, lo, hi int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.call == len(q.calls) {
		return nil, 0, 0
	}
	c, lo = &q.calls[q.call], q.next
	parts := Ops[c.Op].parts(c)
	effort := max(d.effort(c), 1)
	share := int(min(uint64(parts), q.left/uint64(q.workers)*uint64(parts)/effort))
	n := max(share, parts/(4*q.workers), 1)
	if n > splitAlign {
		n = n / splitAlign * splitAlign
	}
	hi = min(lo+n, parts)
	q.left -= min(q.left, effort*uint64(hi-lo)/uint64(parts))
	if q.next = hi; hi == parts {
		q.call, q.next = q.call+1, 0
	}
	return c, lo, hi
}

// piece computes pieces lo to hi-1 of c.
func (d *device) piece(w int, c *Call, lo, hi int) {
	if d.watch != nil {
		share := float64(hi-lo) / float64(Ops[c.Op].parts(c))
		d.watch(w, c, share, true)
		defer d.watch(w, c, share, false)
	}
	d.compute(w, c, lo, hi)
}

func (d *device) compute(w int, c *Call, lo, hi int) {
	if f := d.cells[c.Op]; f != nil {
		f(&d.workers[w], c, lo, hi)
		return
	}
	Ops[c.Op].ref(c, lo, hi)
}

// Watch is told before and after a worker computes a share, above 0 and at
// most 1, of a call. Workers call it at the same time.
type Watch func(worker int, c *Call, share float64, before bool)

// Watched returns a device like dev that tells w what it computes. It is for
// those who measure: the numeric rooms have no clock.
func Watched(dev Device, w Watch) Device {
	if other, ok := dev.(interface{ Watched(Watch) Device }); ok {
		return other.Watched(w)
	}
	d := dev.(*device)
	return &device{name: d.name, cells: d.cells, workers: make([]scratch, len(d.workers)), splitCost: d.splitCost, watch: w}
}

// backend is a device this build knows.
type backend struct {
	name   string
	usable func() bool
	cells  func() [numOps]cell
}

// portable is the reference on every row.
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

// Open returns the named device with that many threads, once its conformance
// digests agree. The names "" and "auto" mean the first of [Names] that
// agrees. A device is used by one goroutine at a time.
func Open(name string, threads int) (Device, error) {
	if name == "" || name == "auto" {
		dev, reasons := Choose(threads)
		if dev == nil {
			return nil, fmt.Errorf("open kernels: no device passes: %q", reasons)
		}
		return dev, nil
	}
	for _, b := range backends() {
		if b.name == name {
			return b.open(threads)
		}
	}
	return nil, fmt.Errorf("open kernels: unknown device %q, this build has %v", name, Names())
}

// Choose returns the fastest device whose conformance digests agree, nil if
// none does, and why each one before it was passed over.
func Choose(threads int) (Device, []string) {
	var reasons []string
	for _, b := range backends() {
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
	if err := Check(dev); err != nil {
		return nil, err
	}
	return dev, nil
}
