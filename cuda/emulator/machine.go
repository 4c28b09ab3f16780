//go:build cuda && cudaemu

package emulator

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/alia-network/alia/cuda/ptx"
)

// machine is the state of the driver and its devices.
type machine struct {
	Config
	used     int64        // bytes allocated
	threads  map[int]bool // the threads that have a context
	memory   *ptx.AddressSpace
	sizes    map[uint64]int64 // of allocations
	modules  map[uintptr]*ptx.Module
	kernels  map[uintptr]*ptx.Kernel
	streams  map[uintptr]*stream
	events   map[uintptr]mark
	handles  uintptr
	launched int
	sticky   int // the error that every call returns after it, as on a device
}

// stream is a queue of work. Its work runs as late as possible: only when the host or another stream
// waits for it. So a result that is read without waiting is missing. An early stream runs its work at
// once, before the work of other streams that it should have waited for. Both show a missing wait.
type stream struct {
	early bool
	work  []func() int // the work from number base on
	base  int
	done  int // the number of the next work to run
}

// end is the number of the next work to be added.
func (s *stream) end() int { return s.base + len(s.work) }

// mark is an event: a place in a stream, counted from the stream's beginning.
type mark struct {
	of *stream
	at int
}

var (
	mu  sync.Mutex // guards now
	now = newMachine(fromEnvironment())
)

func newMachine(c Config) *machine {
	return &machine{
		Config: c, threads: map[int]bool{}, memory: ptx.NewAddressSpace(), sizes: map[uint64]int64{},
		modules: map[uintptr]*ptx.Module{}, kernels: map[uintptr]*ptx.Kernel{},
		streams: map[uintptr]*stream{}, events: map[uintptr]mark{},
	}
}

// The driver's results.
const (
	success        = 0
	invalidValue   = 1
	outOfMemory    = 2
	invalidDevice  = 101
	invalidContext = 201
	invalidPTX     = 218
	invalidHandle  = 400
	notFound       = 500
	launchFailed   = 719
	deviceLost     = 999
)

// handle returns a new handle.
func (m *machine) handle() uintptr {
	m.handles++
	return m.handles
}

// until runs a stream's work up to number at. After an error nothing runs any more.
func (m *machine) until(s *stream, at int) int {
	for ; s.done < at; s.done++ {
		if m.sticky == success { // work after an error is dropped
			m.sticky = s.work[s.done-s.base]()
		}
	}
	return m.sticky
}

// complain writes an error to standard error, since the driver's result is only a number, and returns r.
func (m *machine) complain(r int, err error) int {
	fmt.Fprintln(os.Stderr, "emulator:", err)
	return r
}

// launch runs a kernel with the bytes of its parameters.
func (m *machine) launch(k *ptx.Kernel, grid, block [3]uint32, params []byte) int {
	if m.launched++; m.launched > m.Lost {
		return deviceLost
	}
	if err := k.Launch(m.memory, grid, block, params, 0); err != nil {
		return m.complain(launchFailed, err)
	}
	if k.Name == m.Wrong {
		// Change the last bit of the first element of every tensor, inputs and outputs.
		for at := 0; at+8 <= len(params); at += 8 {
			addr := binary.LittleEndian.Uint64(params[at:])
			if b, err := m.memory.Read(addr, 4); err == nil {
				b[0] ^= 1
				m.memory.Write(addr, b) // just read
			}
		}
	}
	return success
}
