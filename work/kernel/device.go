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
	keys    [12][4]uint32 // Dropout
	factors [8]float32    // Adam
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
	splitCost uint64 // the least cost that is worth waking a second worker for
}

func newDevice(name string, threads int, cells [numOps]cell) *device {
	return &device{name: name, cells: cells, workers: make([]scratch, max(threads, 1)), splitCost: 1_000_000}
}

func (d *device) Name() string { return d.name }

// Do computes c, with the pieces shared out among the workers. It returns
// when all are done.
func (d *device) Do(c *Call) {
	if err := c.verify(); err != nil {
		panic(fmt.Sprintf("kernel: %v", err))
	}
	parts := Ops[c.Op].parts(c)
	if len(d.workers) > 1 && parts > 1 && d.worth(c) {
		d.share(c, parts)
		return
	}
	d.piece(0, c, 0, parts)
}

// worth reports whether c takes longer than waking a worker, some 50 us. A
// product in assembly does twenty times the operations of other rows in that
// time.
func (d *device) worth(c *Call) bool {
	cost := Cost(c)
	switch c.Op {
	case MatMul, AttnScores, AttnMix, AttnMixT:
		if d.cells[c.Op] != nil {
			cost /= 20
		}
	}
	return cost >= d.splitCost
}

// share lets the workers take pieces until none is left, so that one that
// wakes late takes fewer. All of them are new goroutines, since a sleeping
// thread is slow to take over a lone one, which the scheduler keeps for the
// goroutine that started it.
func (d *device) share(c *Call, parts int) {
	var wg sync.WaitGroup
	q := &queue{parts: parts, workers: min(len(d.workers), parts)}
	work := func(w int) {
		for lo, hi := q.take(); lo < hi; lo, hi = q.take() {
			d.piece(w, c, lo, hi)
		}
	}
	for w := range q.workers {
		wg.Go(func() { work(w) })
	}
	wg.Wait()
}

// queue gives out the pieces of a call by guided self-scheduling
// (Polychronopoulos and Kuck, 1987): a worker takes its share of what is left,
// but no crumbs, as each share of a product copies B anew.
type queue struct {
	mu      sync.Mutex
	next    int // the first piece not taken
	parts   int
	workers int
}

// splitAlign is what a large share is rounded to: whole tiles of a product,
// whole cache lines of a vector.
const splitAlign = 32

// take returns the next pieces, none at the end.
func (q *queue) take() (lo, hi int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lo = q.next
	n := max((q.parts-lo)/q.workers, q.parts/(4*q.workers), 1)
	if n > splitAlign {
		n = n / splitAlign * splitAlign
	}
	q.next = min(lo+n, q.parts)
	return lo, q.next
}

func (d *device) piece(w int, c *Call, lo, hi int) {
	if f := d.cells[c.Op]; f != nil {
		f(&d.workers[w], c, lo, hi)
		return
	}
	Ops[c.Op].ref(c, lo, hi)
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
