package ptx

import (
	"errors"
	"fmt"
	"math"
)

// run is the state of one launch.
type run struct {
	kernel    *Kernel
	mem       *AddressSpace
	grid      [3]uint32
	blockSize [3]uint32
	block     [3]uint32 // the block that runs now
	params    []byte
	shared    *span
	clock     clock
	budget    int64 // instructions left
}

// Launch runs the kernel on a grid of blocks of threads, one block after the other. params are the
// parameters, little endian, each aligned to its size. A budget above 0 limits the number of
// instructions that warps may execute. An error of the kernel is a [*Trap]; memory then has the
// bytes written so far.
func (k *Kernel) Launch(m *AddressSpace, grid, block [3]uint32, params []byte, budget int64) error {
	r, warps, err := k.start(m, grid, block, params, budget)
	if err != nil {
		return err
	}
	for z := range grid[2] { // any sequence of blocks must give the same result
		for y := range grid[1] {
			for x := range grid[0] {
				r.block = [3]uint32{x, y, z}
				if err := r.runBlock(warps); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// LaunchBlock runs only block at of a grid, for grids that are too large to run.
func (k *Kernel) LaunchBlock(m *AddressSpace, grid, block, at [3]uint32, params []byte, budget int64) error {
	r, warps, err := k.start(m, grid, block, params, budget)
	if err != nil {
		return err
	}
	for i, n := range grid {
		if at[i] >= n {
			return fmt.Errorf("launch %s: block %v is not in the grid %v", k.Name, at, grid)
		}
	}
	r.block = at
	return r.runBlock(warps)
}

// start checks a launch and makes the warps of its blocks.
func (k *Kernel) start(m *AddressSpace, grid, block [3]uint32, params []byte, budget int64) (*run, []warp, error) {
	threads := uint64(block[0]) * uint64(block[1]) * uint64(block[2])
	switch {
	case threads == 0 || threads > uint64(k.threads) || threads%lanes != 0:
		return nil, nil, fmt.Errorf("launch %s: blocks of %v threads are not whole warps of up to %d threads",
			k.Name, block, k.threads)
	case min(grid[0], grid[1], grid[2]) == 0 || grid[0] > math.MaxInt32 || max(grid[1], grid[2]) > math.MaxUint16:
		return nil, nil, fmt.Errorf("launch %s: grid %v is beyond a device's limits", k.Name, grid)
	case len(params) != k.paramBytes():
		return nil, nil, fmt.Errorf("launch %s: there are %d bytes of parameters, want %d",
			k.Name, len(params), k.paramBytes())
	}
	if budget <= 0 {
		budget = math.MaxInt64
	}
	r := &run{kernel: k, mem: m, grid: grid, blockSize: block, params: params, budget: budget}
	// A new epoch: what earlier launches touched is no race.
	r.shared = newSpan(0, make([]byte, k.shared))
	m.epoch++
	r.clock.launch = m.epoch
	warps := make([]warp, threads/lanes)
	for i := range warps {
		warps[i].run = r
	}
	return r, warps, nil
}

// runBlock runs the warps of one block, all of them from barrier to barrier.
func (r *run) runBlock(warps []warp) error {
	m := r.mem
	if m.epoch > math.MaxUint32-1<<20 {
		return fmt.Errorf("launch %s: the memory has no epochs left: make a new AddressSpace", r.kernel.Name)
	}
	// Every block has an epoch of its own, and shared memory and registers without values.
	m.epoch++
	r.clock.block, r.clock.now = m.epoch, m.epoch
	clear(r.shared.known)
	for i := range warps {
		warps[i].reset(r.kernel, uint32(i)*lanes)
	}
	for { // one turn for each barrier
		halted := 0
		for i := range warps {
			if err := warps[i].advance(); err != nil {
				return err
			}
			if warps[i].halted {
				halted++
			}
		}
		if halted == 0 {
			return nil
		}
		if err := r.release(warps); err != nil {
			return err
		}
		m.epoch++
		r.clock.now = m.epoch
	}
}

// release lets the warps go on after a barrier. All must wait at the same instruction.
func (r *run) release(warps []warp) error {
	// Some warp waits; all others must wait at the same barrier.
	var waiting *warp
	for i := range warps {
		w := &warps[i]
		if waiting == nil && w.halted {
			waiting = w
		}
	}
	at := waiting.paths[len(waiting.paths)-1].at
	for i := range warps {
		w := &warps[i]
		top := len(w.paths) - 1
		if !w.halted || w.paths[top].at != at {
			err := errors.New("is a barrier that not all warps of the block reach")
			return waiting.trap(&r.kernel.code[at], err)
		}
		w.halted = false
		w.paths[top].at++
	}
	return nil
}

// special is the value of a special register, such as %tid.x, for a thread of the block.
func (r *run) special(name string, thread uint32) uint32 {
	var v [3]uint32
	switch name[:len(name)-2] {
	case "%tid":
		b := r.blockSize
		v = [3]uint32{thread % b[0], thread / b[0] % b[1], thread / b[0] / b[1]}
	case "%ntid":
		v = r.blockSize
	case "%ctaid":
		v = r.block
	case "%nctaid":
		v = r.grid
	}
	return v[name[len(name)-1]-'x']
}
