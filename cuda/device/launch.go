//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/cuda"
	"github.com/alia-network/alia/work/kernel"
)

// begin puts a call's kernels into a stream. If the device has no room for the call, it is computed in
// pieces. The processor computes a call without kernels, without pieces, or whose tensors overlap in a
// way that copies cannot have.
func (d *Device) begin(e *entry) error {
	s, err := d.choose(e.after)
	if err != nil {
		return err
	}
	c := &e.call
	if e.launches == nil {
		return d.byHost(c)
	}
	// Addresses for all tensors, or else fewer rows, or else the processor.
	err = d.bind(c, s)
	if errors.Is(err, cu.OutOfMemory) {
		if ok, err := d.inPieces(c); ok || err != nil {
			return err
		}
	}
	if errors.Is(err, cu.OutOfMemory) || errors.Is(err, errAcross) {
		d.hosted[c.Op] = true
		return d.byHost(c)
	} else if err != nil {
		return err
	}
	s.busy = s != &d.main // binding may have joined the stream, which makes it idle
	for i := range e.launches {
		if err := d.launch(&e.launches[i], s); err != nil {
			return fmt.Errorf("kernel %s: %w", e.launches[i].Kernel, err)
		}
	}
	return nil
}

// choose returns the stream for a call, which then waits for the calls that it depends on. Free calls
// take the side streams in turn.
func (d *Device) choose(after dependency) (*stream, error) {
	if after == afterAll || after == fork {
		if err := d.join(); err != nil {
			return nil, err
		}
	}
	switch after {
	case afterAll, afterMain:
		return &d.main, nil
	case fork:
		d.turn = 0
		if err := d.forked.Record(d.main.Stream); err != nil {
			return nil, err
		}
	}
	s := &d.side[d.turn] // of a free call
	d.turn = (d.turn + 1) % len(d.side)
	// A busy stream waits for the fork already.
	if s.busy {
		return s, nil
	}
	s.busy = true
	return s, s.Wait(d.forked, 0)
}

// join makes the main stream wait for the side streams.
func (d *Device) join() error {
	for i := range d.side {
		s := &d.side[i]
		if !s.busy {
			continue
		}
		s.busy = false
		if err := s.done.Record(s.Stream); err != nil {
			return err
		}
		if err := d.main.Wait(s.done, 0); err != nil {
			return err
		}
	}
	return nil
}

// synchronize waits until all work given to the device is done.
func (d *Device) synchronize() error {
	if err := d.join(); err != nil {
		return err
	}
	if err := d.copies.Synchronize(); err != nil {
		return err
	}
	return d.main.Synchronize()
}

// watched is begin for a watched device: it tells the watcher, and waits for each call.
func (d *Device) watched(e *entry) error {
	d.watch(0, &e.call, 1, true)
	defer d.watch(0, &e.call, 1, false)
	e.after = afterAll
	if err := d.begin(e); err != nil {
		return err
	}
	return d.synchronize()
}

// Hosted returns the names of the operations that the processor computed at least once, because they
// or their shapes have no kernel, or because there was no room.
func (d *Device) Hosted() []string {
	var names []string
	for _, op := range slices.Sorted(maps.Keys(d.hosted)) {
		names = append(names, op.String())
	}
	return names
}

// byHost computes c on the processor, with copies of tensors in the device's memory.
func (d *Device) byHost(c *kernel.Call) error {
	if err := d.join(); err != nil {
		return err
	}
	if err := d.finish(); err != nil {
		return err
	}
	// One copy for each place, so that an output that lies over an input does so in the copies.
	type place struct {
		at    unsafe.Pointer
		bytes int
	}
	local := map[place]kernel.Tensor{}
	bring := func(ts []kernel.Tensor) ([]kernel.Tensor, error) {
		here := slices.Clone(ts)
		for i := range here {
			t := &here[i]
			if t.Home == nil {
				continue
			}
			p, n := span(t)
			x, ok := local[place{p, n}]
			if !ok {
				x = kernel.New(t.Type, slices.Clone(t.Shape)...)
				if err := d.fetch(&x, t); err != nil {
					return nil, err
				}
				local[place{p, n}] = x
			}
			x.Shape = t.Shape
			*t = x
		}
		return here, nil
	}
	// The same call on the copies, and its results back to the device.
	there := kernel.Call{Op: c.Op, Attr: c.Attr, Label: c.Label}
	var err error
	if there.In, err = bring(c.In); err != nil {
		return err
	}
	if there.Out, err = bring(c.Out); err != nil {
		return err
	}
	d.cpu.Do(&there)
	for i := range c.Out {
		if t := &c.Out[i]; t.Home != nil {
			if err := d.fetch(t, &there.Out[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch copies between the host and the device that one of the tensors lies in.
func (d *Device) fetch(to, from *kernel.Tensor) error {
	if d.mine(to) || d.mine(from) {
		return d.move(to, from)
	}
	kernel.Copy(*to, *from)
	return nil
}

// launch puts one kernel into a stream, with the addresses of the bound tensors as arguments.
func (d *Device) launch(l *cuda.Launch, s *stream) error {
	f, err := d.function(l)
	if err != nil {
		return err
	}
	// The driver takes a pointer to each argument. They are taken when values no longer grows.
	d.values, d.params = d.values[:0], d.params[:0]
	for _, a := range l.Args {
		switch a.Kind {
		case cuda.In:
			a.Bits = uint64(d.bound.in[a.Index])
		case cuda.Out:
			a.Bits = uint64(d.bound.out[a.Index])
		}
		d.values = append(d.values, a.Bits)
	}
	for i := range d.values {
		d.params = append(d.params, unsafe.Pointer(&d.values[i]))
	}
	g, b := l.Grid, l.Block
	return f.Launch(int(g[0]), int(g[1]), int(g[2]), int(b[0]), int(b[1]), int(b[2]), 0, s.Stream, d.params)
}

// function returns a kernel. The driver compiles a module when its first kernel is needed.
func (d *Device) function(l *cuda.Launch) (cu.Function, error) {
	key := l.Module + "." + l.Kernel
	if f, ok := d.functions[key]; ok {
		return f, nil
	}
	m, ok := d.modules[l.Module]
	if !ok { // its first kernel: the driver compiles all of them
		text, err := cuda.PTX(l.Module)
		if err != nil {
			return cu.Function{}, err
		}
		if m, err = cu.LoadData(text); err != nil {
			return cu.Function{}, fmt.Errorf("load module %s: %w", l.Module, err)
		}
		d.modules[l.Module] = m
	}
	f, err := m.Function(l.Kernel)
	if err != nil {
		return cu.Function{}, fmt.Errorf("find in module %s: %w", l.Module, err)
	}
	d.functions[key] = f
	return f, nil
}
