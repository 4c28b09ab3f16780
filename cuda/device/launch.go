//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/cuda"
	"github.com/alia-network/alia/work/kernel"
)

// launch starts c's kernels, behind those before it. Where the row or the shape
// has none, or tensors of c lie across one another, the host computes it.
func (d *Device) launch(c *kernel.Call) error {
	launches, err := cuda.Plan(c)
	if err != nil {
		d.hosted[c.Op] = true
		return d.byHost(c)
	}
	if ok, err := d.bind(c); err != nil {
		return err
	} else if !ok {
		return d.byHost(c)
	}
	for i := range launches {
		if err := d.begin(&launches[i]); err != nil {
			return fmt.Errorf("kernel %s: %w", launches[i].Kernel, err)
		}
	}
	return nil
}

// Hosted returns the rows that the host computed, since they, or a shape of
// theirs, have no kernel.
func (d *Device) Hosted() []string {
	var names []string
	for _, op := range slices.Sorted(maps.Keys(d.hosted)) {
		names = append(names, op.String())
	}
	return names
}

// byHost computes c where the tensors are.
func (d *Device) byHost(c *kernel.Call) error {
	if err := d.finish(); err != nil {
		return err
	}
	d.host.Do(c)
	return nil
}

// begin starts one kernel on the tensors that are bound.
func (d *Device) begin(l *cuda.Launch) error {
	f, err := d.function(l)
	if err != nil {
		return err
	}
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
	return f.Launch(int(g[0]), int(g[1]), int(g[2]), int(b[0]), int(b[1]), int(b[2]), 0, d.compute, d.params)
}

// function returns a kernel, which the driver compiles when its module is
// wanted first.
func (d *Device) function(l *cuda.Launch) (cu.Function, error) {
	key := l.Module + "." + l.Kernel
	if f, ok := d.functions[key]; ok {
		return f, nil
	}
	m, ok := d.modules[l.Module]
	if !ok {
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
