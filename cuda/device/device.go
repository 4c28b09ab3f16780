//go:build cuda && linux && (amd64 || arm64)

package device

import (
	"cmp"
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

// Built reports whether this build can use CUDA devices.
const Built = true

var _ kernel.Accelerator = (*Device)(nil)

// Device is a GPU. One goroutine at a time may use it.
type Device struct {
	name    string
	ordinal cu.Device
	cpu     kernel.Device      // computes calls without a kernel, or without room
	hosted  map[kernel.Op]bool // the operations that cpu computed
	monitor *driver.Health     // temperature; nil without NVML
	asked   time.Time          // when the temperature was read last
	tasks   chan func()        // for the device's goroutine
	watch   kernel.Watch

	queue    []entry             // postponed calls
	sections int                 // asynchronous sections that have not ended
	given    int64               // bytes allocated since the last garbage collection
	broken   *kernel.DeviceError // the error of a broken device, nil for a sound one

	// Used by the device's goroutine only:
	functions map[string]cu.Function // by module and name
	modules   map[string]cu.Module
	main      stream              // calls, in sequence
	side      [sideStreams]stream // independent calls, at the same time
	turn      int                 // the side stream for the next call
	copies    stream              // copies to the device, at the same time
	forked    cu.Event            // recorded on main before the first call of a group
	loaded    cu.Event            // the last of the copies
	loads     int                 // how often loaded was recorded
	values    []uint64            // the arguments of a launch
	params    []unsafe.Pointer    // pointers to values
	bound     bindings
	blocks    map[*block]bool          // all blocks of memory in use
	used      int64                    // their bytes
	spare     map[int64][]cu.DevicePtr // memory without a block, by size
	spared    int64                    // its bytes
	limit     int64                    // of the bytes in use, spare and bound

	mu    sync.Mutex // guards loose
	loose []*block   // blocks that no tensor refers to any more
}

// sideStreams is the number of streams for independent calls. It is large enough to keep all
// multiprocessors busy when each call has few blocks.
const sideStreams = 4

// stream is a queue of work on the device.
type stream struct {
	cu.Stream
	done cu.Event // recorded when another stream waits for this one
	seen int      // the value of loads that it waits for
	busy bool     // it has calls that the main stream does not wait for yet
}

// leastCapability is the compute capability of the PTX in package cuda, times 10.
const leastCapability = 75

// Open returns the device with a name such as cuda:0, after its conformance digests were checked.
// threads is the number of the processor's threads for calls without a kernel.
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

// Probe is Open without the conformance check, to examine a device that may be wrong.
func Probe(name string, threads int) (_ *Device, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open %s: %w", name, err)
		}
	}()
	number, ok := strings.CutPrefix(name, "cuda:")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 0 {
		return nil, fmt.Errorf("the name of a device is cuda: and a number, such as cuda:0")
	}
	// The driver, the device's number, and the processor for what the device cannot compute.
	if err := driver.Open(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("count devices: %w", err)
	}
	if i >= n {
		return nil, fmt.Errorf("there are %d devices, numbered from 0", n)
	}
	host, err := kernel.Open("auto", threads)
	if err != nil {
		return nil, err
	}
	d := &Device{
		name: name, cpu: host, hosted: map[kernel.Op]bool{}, tasks: make(chan func()),
		functions: map[string]cu.Function{}, modules: map[string]cu.Module{},
		blocks: map[*block]bool{}, spare: map[int64][]cu.DevicePtr{},
	}
	go d.run()
	if err := d.start(i); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// start takes the device into use: a context, streams, events and a limit of memory.
func (d *Device) start(i int) error {
	var err error
	if d.ordinal, err = cu.GetDevice(i); err != nil {
		return err
	}
	info := describe(d.ordinal)
	if info.Reason != "" {
		return errors.New(info.Reason)
	}
	d.monitor = driver.OpenHealth(busOf(d.ordinal))
	return d.on(func() error {
		// Waiting for the device yields the processor to other threads. A context that
		// exists already keeps its flags, so an error does not matter.
		_ = d.ordinal.SetPrimaryCtxFlags(cu.SchedYield)
		ctx, err := d.ordinal.RetainPrimaryCtx()
		if err != nil {
			return fmt.Errorf("take into use: %w", err)
		}
		if err := cu.SetCurrentContext(ctx); err != nil {
			return err
		}
		for _, s := range append(d.streams(), &d.copies) {
			if s.Stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
				return fmt.Errorf("make a stream: %w", err)
			}
			if s.done, err = cu.MakeEvent(cu.DisableTiming); err != nil {
				return fmt.Errorf("make an event: %w", err)
			}
		}
		for _, e := range []*cu.Event{&d.forked, &d.loaded} {
			if *e, err = cu.MakeEvent(cu.DisableTiming); err != nil {
				return fmt.Errorf("make an event: %w", err)
			}
		}
		// A tenth of the free memory is left to the driver and to other programs.
		free, _, err := cu.MemInfo()
		if err != nil {
			return fmt.Errorf("ask for memory: %w", err)
		}
		if d.limit = free / 10 * 9; d.limit < leastMemory {
			return fmt.Errorf("%d MiB of its memory are free, at least %d are needed: another program uses the device",
				free>>20, leastMemory>>20)
		}
		return nil
	})
}

// leastMemory is the smallest limit of memory, in bytes, with which a device is used.
const leastMemory = 64 << 20

// streams returns the streams that compute.
func (d *Device) streams() []*stream {
	all := []*stream{&d.main}
	for i := range d.side {
		all = append(all, &d.side[i])
	}
	return all
}

// Close releases the device. Tensors in its memory must not be used afterwards.
func (d *Device) Close() error {
	err := d.on(func() error {
		for b := range d.blocks { // also blocks that tensors still refer to
			d.release(b)
		}
		err := d.drain()
		for _, m := range d.modules {
			m.Unload() // fails on a lost device, which has freed them
		}
		return cmp.Or(err, d.ordinal.ReleasePrimaryCtx())
	})
	close(d.tasks)
	return err
}

// run is the device's goroutine. Its thread has the device's context, which is removed before the
// thread returns to Go's pool.
func (d *Device) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for task := range d.tasks {
		task()
	}
	cu.SetCurrentContext(cu.CUContext{}) // after a failed start there is none to remove
}

// on runs f on the device's thread.
func (d *Device) on(f func() error) error {
	done := make(chan error)
	d.tasks <- func() { done <- f() }
	return <-done
}

// must runs f on the device's thread. If f fails the device counts as broken, and must panics.
func (d *Device) must(f func() error) {
	if d.broken != nil {
		panic(d.broken)
	}
	if err := d.on(f); err != nil {
		d.broken = &kernel.DeviceError{Device: d.name, Err: err}
		panic(d.broken)
	}
}

// Name returns cuda:0, cuda:1 and so on.
func (d *Device) Name() string { return d.name }

// Host is false: the device has memory of its own.
func (d *Device) Host() bool { return false }

// longestPause is the longest time that a call waits for a hot device to cool down. A device that
// stays hot slows itself down.
const longestPause = 30 * time.Second

// cool waits while the device is too hot. It reads the temperature at most once a second.
func (d *Device) cool() {
	if d.monitor == nil || time.Since(d.asked) < time.Second {
		return
	}
	for began := time.Now(); d.monitor.Hot() && time.Since(began) < longestPause; {
		time.Sleep(time.Second / 4)
	}
	d.asked = time.Now()
}

// Watched sets the watcher and returns the device itself. While it is watched, the device computes one
// call at a time, and is slower.
func (d *Device) Watched(w kernel.Watch) kernel.Device {
	d.watch = w
	return d
}
