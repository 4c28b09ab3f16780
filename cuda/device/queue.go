//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/cuda"
	"github.com/alia-network/alia/work/kernel"
)

// Calls are planned where they are made, and put off while the host holds: the
// device's thread is then asked once for many, and brings back what they wrote
// once.

// entry is a call that was put off.
type entry struct {
	call     kernel.Call
	launches []cuda.Launch // none for the host to compute it
	order    order
}

// order is which other calls an entry waits for.
type order uint8

const (
	ordered order = iota // for all
	onward               // for all but those beside it
	fork                 // for all; it is beside those that follow
	beside               // for all before the last fork
)

// most is how many calls are put off: enough that asking the device's thread is
// little beside computing them, few enough that the device does not idle
// meanwhile.
const most = 64

// Do computes c.
func (d *Device) Do(c *kernel.Call) {
	call := *c
	call.In, call.Out = slices.Clone(c.In), slices.Clone(c.Out) // the caller's again
	d.add(&call, ordered)
	d.settle()
}

// Group computes calls of which none needs another.
func (d *Device) Group(calls []kernel.Call) { d.Stage(nil, nil, nil, calls) }

// Stage computes calls, one after the other, and free beside them.
func (d *Device) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	for i := range free {
		switch {
		case len(calls)+len(free) == 1:
			d.add(&free[i], ordered)
		case i == 0:
			d.add(&free[i], fork)
		default:
			d.add(&free[i], beside)
		}
	}
	for i := range calls {
		if i == 0 && len(free) == 0 {
			d.add(&calls[i], ordered)
			continue
		}
		d.add(&calls[i], onward)
	}
	d.settle()
}

// add plans a call and puts it off.
func (d *Device) add(c *kernel.Call, o order) {
	if err := c.Verify(); err != nil {
		panic(fmt.Sprintf("cuda: %v", err))
	}
	e := entry{call: *c, order: o}
	var err error
	if e.launches, err = cuda.Launches(c); err != nil {
		d.hosted[c.Op] = true
		e.launches = nil
	}
	d.queue = append(d.queue, e)
}

// settle has what was put off computed when it must be.
func (d *Device) settle() {
	if d.holds == 0 || d.watch != nil {
		d.flush(d.finish)
	} else if len(d.queue) >= most {
		d.flush(d.join)
	}
}

// flush has what was put off computed, as soon as the device comes to it, and
// then does what then says.
func (d *Device) flush(then func() error) {
	if len(d.queue) > 0 {
		d.rest()
	}
	d.must(func() error {
		for i := range d.queue {
			e := &d.queue[i]
			begin := d.begin
			if d.watch != nil {
				begin = d.watched
			}
			if err := begin(e); err != nil {
				return fmt.Errorf("%v: %w", e.call.Op, err)
			}
		}
		if err := d.join(); err != nil {
			return err
		}
		return then()
	})
	clear(d.queue) // which would keep tensors from being collected
	d.queue = d.queue[:0]
}

// BeginAsync has calls put off. See [kernel.BeginAsync].
func (d *Device) BeginAsync() { d.holds++ }

// EndAsync has them computed.
func (d *Device) EndAsync() {
	if d.holds--; d.holds == 0 && d.broken == nil {
		d.settle()
	}
}

// Wait returns when all calls are done.
func (d *Device) Wait() {
	d.flush(d.synchronize)
}
