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
	return &device{name: name, cells: cells, workers: make([]scratch, max(threads, 1)), splitCost: 200_000}
}

func (d *device) Name() string { return d.name }

// splitAlign is what a worker's share is rounded to: whole tiles of a product,
// whole cache lines of a vector.
const splitAlign = 32

// Do computes c, with the pieces shared out among the workers. It returns
// when all are done.
func (d *device) Do(c *Call) {
	if err := c.verify(); err != nil {
		panic(fmt.Sprintf("kernel: %v", err))
	}
	parts := Ops[c.Op].parts(c)
	share := parts
	if len(d.workers) > 1 && Cost(c) >= d.splitCost {
		share = (parts + len(d.workers) - 1) / len(d.workers)
		if share > splitAlign {
			share = (share + splitAlign - 1) / splitAlign * splitAlign
		}
	}
	if share >= parts {
		d.piece(0, c, 0, parts)
		return
	}
	d.share(c, parts, share)
}

// share gives each worker a share of the pieces and waits for all.
func (d *device) share(c *Call, parts, share int) {
	var wg sync.WaitGroup
	for w := 1; w*share < parts; w++ {
		wg.Go(func() { d.piece(w, c, w*share, min((w+1)*share, parts)) })
	}
	d.piece(0, c, 0, share)
	wg.Wait()
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
