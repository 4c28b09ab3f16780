//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"fmt"
	"slices"

	"github.com/alia-network/alia/cuda"
	"github.com/alia-network/alia/work/kernel"
)

// The launches of a call are found on the caller's goroutine. In an asynchronous section calls are
// postponed in a queue, so that the device's goroutine is asked once for many calls, and results are
// copied back once.

// entry is a postponed call.
type entry struct {
	call     kernel.Call
	launches []cuda.Launch // nil if the processor must compute the call
	after    dependency
}

// dependency says which earlier calls an entry waits for.
type dependency uint8

const (
	afterAll  dependency = iota // all calls
	afterMain                   // the calls on the main stream, not the free calls at its side
	fork                        // all calls; the free calls that follow run at its side
	afterFork                   // the calls before the last fork
)

// maxQueue is the largest number of postponed calls. It is large, so that asking the device's goroutine
// costs little beside computing, and small, so that the device is not idle in the meantime.
const maxQueue = 64

// Do computes c.
func (d *Device) Do(c *kernel.Call) {
	call := *c
	call.In, call.Out = slices.Clone(c.In), slices.Clone(c.Out) // the caller may change its own
	d.add(&call, afterAll)
	d.settle()
}

// Group computes independent calls.
func (d *Device) Group(calls []kernel.Call) { d.Stage(nil, nil, nil, calls) }

// Stage computes calls one after the other, and the free calls at the same time.
func (d *Device) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	// The free calls go to the side streams. A lone call needs none.
	for i := range free {
		switch {
		case len(calls)+len(free) == 1:
			d.add(&free[i], afterAll)
		case i == 0:
			d.add(&free[i], fork)
		default:
			d.add(&free[i], afterFork)
		}
	}
	// The others go to the main stream, without waiting for the free calls.
	for i := range calls {
		if i == 0 && len(free) == 0 {
			d.add(&calls[i], afterAll)
			continue
		}
		d.add(&calls[i], afterMain)
	}
	d.settle()
}

// add finds the launches of a call and puts it in the queue. A call that breaks its operation's shape
// rule panics.
func (d *Device) add(c *kernel.Call, after dependency) {
	if err := c.Verify(); err != nil {
		panic(fmt.Sprintf("cuda: %v", err))
	}
	e := entry{call: *c, after: after}
	var err error
	if e.launches, err = cuda.Launches(c); err != nil {
		d.hosted[c.Op] = true // no kernel for the operation or the shape
		e.launches = nil
	}
	d.queue = append(d.queue, e)
}

// settle flushes the queue if the host may read results now, or if the queue is long.
func (d *Device) settle() {
	if d.sections == 0 || d.watch != nil {
		d.flush(d.finish)
	} else if len(d.queue) >= maxQueue {
		d.flush(d.join)
	}
}

// flush gives the queue to the device, which computes it in the background, and then calls then.
func (d *Device) flush(then func() error) {
	if len(d.queue) > 0 {
		d.cool()
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
	clear(d.queue) // otherwise it would keep tensors from being collected
	d.queue = d.queue[:0]
}

// BeginAsync begins an asynchronous section: see [kernel.BeginAsync].
func (d *Device) BeginAsync() { d.sections++ }

// EndAsync ends a section. At the end of the outermost one, results are copied back to the host.
func (d *Device) EndAsync() {
	if d.sections--; d.sections == 0 && d.broken == nil {
		d.settle()
	}
}

// Wait returns when all calls given before it are done.
func (d *Device) Wait() {
	d.flush(d.synchronize)
}
