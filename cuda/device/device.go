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

// Built says whether this build can use devices.
const Built = true

var _ kernel.Accelerator = (*Device)(nil)

// Device is a GPU. Like every device it is used by one goroutine at a time.
type Device struct {
	name    string
	ordinal cu.Device
	cpu     kernel.Device // computes what has no kernel or no room
	hosted  map[kernel.Op]bool
	health  *driver.Health
	asked   time.Time // when health was
	tasks   chan func()
	watch   kernel.Watch

	queue  []entry // of what was put off
	holds  int     // of which none has ended
	given  int64   // bytes allocated since the last collection
	broken *kernel.DeviceError

	// Of the device's goroutine:
	functions map[string]cu.Function // by module and name
	modules   map[string]cu.Module
	main      stream          // calls, in order
	beside    [besides]stream // calls that need no order, meanwhile
	turn      int             // which of them is next
	copies    stream          // copies to the device, meanwhile
	forked    cu.Event        // what comes before the calls beside
	loaded    cu.Event        // the last of copies
	loads     int             // how often loaded was recorded
	values    []uint64        // of a launch: its arguments
	params    []unsafe.Pointer
	bound     bindings
	blocks    map[*block]bool          // all there are
	used      int64                    // bytes of them
	spare     map[int64][]cu.DevicePtr // memory without a block, by size
	spared    int64                    // bytes of it
	limit     int64                    // of what is used, spare and held, in bytes

	mu    sync.Mutex // guards the rest
	loose []*block   // what nothing refers to any more
}

// besides is the streams for calls that need no order: enough that one's few
// blocks leave no multiprocessor idle.
const besides = 4

// stream is a queue of the device's.
type stream struct {
	cu.Stream
	done cu.Event // recorded where another stream waits for this one
	seen int      // the loads it waits for
	busy bool     // has calls that the main stream does not wait for yet
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
	d := &Device{name: name, cpu: host, hosted: map[kernel.Op]bool{}, tasks: make(chan func()), functions: map[string]cu.Function{}, modules: map[string]cu.Module{}, blocks: map[*block]bool{}, spare: map[int64][]cu.DevicePtr{}}
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
	return d.on(func() error {
		// Who waits for the device lets others compute meanwhile; where the context
		// is there already, it stays as it is.
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
		free, _, err := cu.MemInfo()
		if err != nil {
			return fmt.Errorf("ask for memory: %w", err)
		}
		if d.limit = free / 10 * 9; d.limit < leastMemory {
			return fmt.Errorf("%d MiB of its memory are free, at least %d are needed: another program uses the device", free>>20, leastMemory>>20)
		}
		return nil
	})
}

// leastMemory is the bytes that a device is used with, at least. A tenth of what
// is free stays so, for the driver and for who shares the device.
const leastMemory = 64 << 20

// streams are those that compute.
func (d *Device) streams() []*stream {
	all := []*stream{&d.main}
	for i := range d.beside {
		all = append(all, &d.beside[i])
	}
	return all
}

// Close gives the device back. Tensors of its memory must not be used again.
func (d *Device) Close() error {
	err := d.on(func() error {
		for b := range d.blocks {
			d.release(b)
		}
		err := d.drain()
		for _, m := range d.modules {
			m.Unload() // a lost device frees them itself
		}
		return cmp.Or(err, d.ordinal.ReleasePrimaryCtx()) // one line
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

// must runs f on the device's thread. A device that f fails on has broken down.
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
