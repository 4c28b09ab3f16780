//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"gorgonia.org/cu"

	"github.com/alia-network/alia/cuda/driver"
	"github.com/alia-network/alia/work/kernel"
)

// Built says whether this build can use devices.
const Built = true

// Device is a GPU. Like every device it is used by one goroutine at a time.
type Device struct {
	name    string
	ordinal cu.Device
	host    kernel.Device // for rows that have no kernel
	hosted  map[kernel.Op]bool
	health  *driver.Health
	asked   time.Time // when health was
	tasks   chan func()
	watch   kernel.Watch

	single [1]kernel.Call
	fault  *kernel.Fault

	// Of the device's goroutine:
	functions map[string]cu.Function // by module and name
	modules   map[string]cu.Module
	compute   cu.Stream // launches, in order
	copies    cu.Stream // copies to the device, meanwhile
	copied    cu.Event
	values    []uint64 // of a launch: its arguments
	params    []unsafe.Pointer
	unified   bool
	bound     bindings
	limit     int64 // of what is bound, in bytes
	given     int64 // bytes of unified memory since the last collection

	mu     sync.Mutex // guards the rest
	blocks []*block   // of unified memory, by address
	loose  []*block   // of those, what nothing refers to any more
}

// leastCapability is 10 times that of the PTX in package cuda.
const leastCapability = 75

// Open returns the device of that name, cuda:0 and so on, once its conformance
// digests agree. Threads are of the processor, for rows without a kernel.
func Open(name string, threads int) (kernel.Device, error) {
	d, err := Probe(name, threads)
	if err != nil {
		return nil, err
	}
	if err := kernel.Check(d); err != nil {
		d.Close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return d, nil
}

// Probe is Open for those who examine a device: it does not check its bits.
func Probe(name string, threads int) (_ *Device, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", name, err)
		}
	}()
	number, ok := strings.CutPrefix(name, "cuda:")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 {
		return nil, fmt.Errorf("a device's name is cuda: and its number, such as cuda:0")
	}
	if err := driver.Open(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("count devices: %w", err)
	}
	if i >= n {
		return nil, fmt.Errorf("there are %d devices", n)
	}
	host, err := kernel.Open("auto", threads)
	if err != nil {
		return nil, err
	}
	d := &Device{name: name, host: host, hosted: map[kernel.Op]bool{}, tasks: make(chan func()), functions: map[string]cu.Function{}, modules: map[string]cu.Module{}}
	go d.run()
	if err := d.start(i); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// start takes the device into use.
func (d *Device) start(i int) error {
	var err error
	if d.ordinal, err = cu.GetDevice(i); err != nil {
		return err
	}
	info := describe(d.ordinal)
	if info.Reason != "" {
		return errors.New(info.Reason)
	}
	d.health = driver.OpenHealth(busOf(d.ordinal))
	concurrent, err := d.ordinal.Attribute(cu.ConcurrentManagedAccess)
	d.unified = err == nil && concurrent == 1
	return d.on(func() error {
		ctx, err := d.ordinal.RetainPrimaryCtx()
		if err != nil {
			return fmt.Errorf("take into use: %w", err)
		}
		if err := cu.SetCurrentContext(ctx); err != nil {
			return err
		}
		for _, s := range []*cu.Stream{&d.compute, &d.copies} {
			if *s, err = cu.MakeStream(cu.NonBlocking); err != nil {
				return fmt.Errorf("make a stream: %w", err)
			}
		}
		if d.copied, err = cu.MakeEvent(cu.DisableTiming); err != nil {
			return fmt.Errorf("make an event: %w", err)
		}
		free, _, err := cu.MemInfo()
		if err != nil {
			return fmt.Errorf("ask for memory: %w", err)
		}
		if d.limit = free / 2; d.limit < leastMemory {
			return fmt.Errorf("%d MiB of its memory are free, at least %d are needed: another program uses the device", free>>20, 2*leastMemory>>20)
		}
		return nil
	})
}

// leastMemory is the bytes that tensors are bound with, at least.
const leastMemory = 64 << 20

// Close gives the device back. Tensors of its memory must not be used again.
func (d *Device) Close() error {
	err := d.on(func() error {
		d.bound.drop()
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, b := range d.blocks {
			b.free()
		}
		d.blocks = nil
		for _, m := range d.modules {
			m.Unload() // a lost device frees them itself
		}
		return d.ordinal.ReleasePrimaryCtx()
	})
	close(d.tasks)
	return err
}

// run is the device's goroutine. The thread it is locked to has the device's
// context, and goes back to Go without one.
func (d *Device) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for task := range d.tasks {
		task()
	}
	cu.SetCurrentContext(cu.CUContext{}) // where there was none, there is none
}

// on runs f on the device's thread.
func (d *Device) on(f func() error) error {
	done := make(chan error)
	d.tasks <- func() { done <- f() }
	return <-done
}

// Name returns cuda:0, cuda:1 and so on.
func (d *Device) Name() string { return d.name }

// Do computes c.
func (d *Device) Do(c *kernel.Call) {
	d.single[0] = *c
	d.Group(d.single[:])
}

// Group computes calls, one after the other.
func (d *Device) Group(calls []kernel.Call) { d.Stage(nil, nil, nil, calls) }

// Stage computes calls and then free, one after the other.
func (d *Device) Stage(calls []kernel.Call, _ []uint8, _ [][]int32, free []kernel.Call) {
	for _, cs := range [][]kernel.Call{calls, free} {
		for i := range cs {
			if err := cs[i].Verify(); err != nil {
				panic(fmt.Sprintf("cuda: %v", err))
			}
		}
	}
	if d.fault != nil {
		panic(d.fault)
	}
	d.rest()
	err := d.on(func() error {
		for _, cs := range [][]kernel.Call{calls, free} {
			for i := range cs {
				if err := d.call(&cs[i]); err != nil {
					return fmt.Errorf("%v: %w", cs[i].Op, err)
				}
			}
		}
		return d.finish()
	})
	if err != nil {
		d.fault = &kernel.Fault{Device: d.name, Err: err}
		panic(d.fault)
	}
}

// longestRest is how long a call waits for a hot device to cool, at most: one
// that never does slows itself down.
const longestRest = 30 * time.Second

// rest waits while the device is too hot, and asks once a second at most.
func (d *Device) rest() {
	if d.health == nil || time.Since(d.asked) < time.Second {
		return
	}
	for began := time.Now(); d.health.Hot() && time.Since(began) < longestRest; {
		time.Sleep(time.Second / 4)
	}
	d.asked = time.Now()
}

// Watched returns the device itself, telling w what it computes: a call at a
// time, so it is slower.
func (d *Device) Watched(w kernel.Watch) kernel.Device {
	d.watch = w
	return d
}

// call computes c, or has it computed by the host.
func (d *Device) call(c *kernel.Call) error {
	if d.watch != nil {
		d.watch(0, c, 1, true)
		defer d.watch(0, c, 1, false)
		if err := d.launch(c); err != nil {
			return err
		}
		return d.finish()
	}
	return d.launch(c)
}
