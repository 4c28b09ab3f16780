//go:build cuda && cudaemu

package emulator

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/alia-network/alia/cuda/ptx"
)

// machine is what the driver knows.
type machine struct {
	Config
	used     int64 // bytes allocated
	threads  map[int]bool
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

// stream is work not done yet. Nothing is done before it must be, so that what
// the host or another stream fails to wait for is missed; or all is done at
// once, ahead of other streams' work, so that what it fails to wait for is
// missed.
type stream struct {
	early bool
	work  []func() int // from the base-th on
	base  int
	done  int // how many of all
}

func (s *stream) end() int { return s.base + len(s.work) }

// mark is a place in a stream, counted from its beginning.
type mark struct {
	of *stream
	at int
}

var (
	mu  sync.Mutex // guards the rest
	now = newMachine(fromEnvironment())
)

func newMachine(c Config) *machine {
	return &machine{
		Config: c, threads: map[int]bool{}, memory: ptx.NewAddressSpace(), sizes: map[uint64]int64{},
		modules: map[uintptr]*ptx.Module{}, kernels: map[uintptr]*ptx.Kernel{}, streams: map[uintptr]*stream{}, events: map[uintptr]mark{},
	}
}

// The driver's numbers for what goes wrong.
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

func (m *machine) handle() uintptr {
	m.handles++
	return m.handles
}

// until does a stream's work up to a place in it.
func (m *machine) until(s *stream, at int) int {
	for ; s.done < at; s.done++ {
		if m.sticky == success {
			m.sticky = s.work[s.done-s.base]()
		}
	}
	return m.sticky
}

// complain says what is wrong where people see it.
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
		// The last bit of what a pointer points to first: an input as well as an
		// output may be hit.
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
