package ptx

import (
	"errors"
	"fmt"
	"math/bits"
)

// lanes is the number of threads in a warp.
const lanes = 32

// files is the register files of a kernel: the number of registers of each, and the constants and
// special registers among them.
type files struct {
	n32, n64, preds int
	const32         []constant[uint32]
	const64         []constant[uint64]
	specials        []constant[string]
}

// constant is a register with a fixed value.
type constant[T any] struct {
	at    int
	value T
}

// grow adds n registers of a class and returns the first.
func (f *files) grow(c class, n int) int {
	count := &f.n32
	switch c {
	case pred:
		count = &f.preds
	case b64:
		count = &f.n64
	}
	*count += n
	return *count - n
}

// A register has a value for each lane.
type (
	reg32 [lanes]uint32
	reg64 [lanes]uint64
)

// warp is 32 threads of a block with their registers. For each register it also has the lanes that
// have written it.
type warp struct {
	run    *run
	first  uint32 // the number of its first thread in the block
	r32    []reg32
	r64    []reg64
	p      []uint32    // predicates, one bit for each lane
	known  [3][]uint32 // of r32, r64 and p: the lanes that have written it
	paths  []path      // the last one runs, the others wait for it
	halted bool        // at a barrier
}

// path is the threads of a warp that execute the same instructions, from at to the instruction join,
// where others wait for them. mask has a bit for each of them.
type path struct {
	at, join int
	mask     uint32
}

// The register files.
const (
	in32 = iota
	in64
	inPred
)

// instr is a decoded instruction.
type instr struct {
	kind   kind
	guard  int  // predicate register that enables lanes, or -1
	negate bool // the guard enables lanes where it is false
	exec   func(w *warp, mask uint32) error
	label  string // of a branch
	target int    // of a branch: the instruction at its label
	join   int    // of a branch: the instruction where its threads converge again
	line   int
	text   string
}

// kind says how an instruction changes the flow of a warp.
type kind uint8

const (
	plain   kind = iota // it runs exec and goes on
	branch              // bra
	barrier             // bar.sync
	leave               // ret, exit
)

// unwritten is the error of reading a register that no instruction has written.
func unwritten(mask uint32) error {
	return &laneError{bits.TrailingZeros32(mask), "reads a register that was never written"}
}

// laneError is an error of one lane of a warp.
type laneError struct {
	lane int
	why  string
}

func (e *laneError) Error() string { return e.why }

// reset prepares a warp for the start of a block: constants and special registers have values, the
// others none.
func (w *warp) reset(k *Kernel, first uint32) {
	f := &k.files
	w.first, w.halted = first, false
	w.paths = append(w.paths[:0], path{0, len(k.code), ^uint32(0)})
	if w.r32 == nil {
		w.r32, w.r64, w.p = make([]reg32, f.n32), make([]reg64, f.n64), make([]uint32, f.preds)
		w.known = [3][]uint32{make([]uint32, f.n32), make([]uint32, f.n64), make([]uint32, f.preds)}
	}
	for _, known := range w.known { // values of the block before are no values
		clear(known)
	}
	for _, c := range f.const32 {
		w.known[in32][c.at] = ^uint32(0)
		for l := range lanes {
			w.r32[c.at][l] = c.value
		}
	}
	for _, c := range f.const64 {
		w.known[in64][c.at] = ^uint32(0)
		for l := range lanes {
			w.r64[c.at][l] = c.value
		}
	}
	for _, s := range f.specials {
		w.known[in32][s.at] = ^uint32(0)
		for l := range lanes {
			w.r32[s.at][l] = w.run.special(s.value, first+uint32(l))
		}
	}
}

// advance runs the warp until all of its threads are at a barrier or done.
func (w *warp) advance() error {
	code := w.run.kernel.code
	for len(w.paths) > 0 && !w.halted {
		// A path that has reached its join is done: the path below has its threads.
		p := &w.paths[len(w.paths)-1]
		if p.at == p.join || p.mask == 0 {
			w.paths = w.paths[:len(w.paths)-1]
			continue
		}
		in := &code[p.at]
		if w.run.budget--; w.run.budget < 0 {
			return w.trap(in, errors.New("is beyond the number of instructions allowed: the kernel does not end"))
		}
		if err := w.step(p, in); err != nil {
			return w.trap(in, err)
		}
	}
	return nil
}

// step executes one instruction of p, the last path.
func (w *warp) step(p *path, in *instr) error {
	// mask is the threads for which the instruction is enabled.
	mask := p.mask
	if in.guard >= 0 {
		if bad := mask &^ w.known[inPred][in.guard]; bad != 0 {
			return unwritten(bad)
		}
		if taken := w.p[in.guard]; in.negate {
			mask &^= taken
		} else {
			mask &= taken
		}
	}
	switch in.kind {
	case plain:
		p.at++
		if mask == 0 {
			return nil
		}
		return in.exec(w, mask)
	case branch:
		w.branch(p, in, mask)
	case barrier: // diverged threads would wait for ever
		if mask != ^uint32(0) {
			return &laneError{bits.TrailingZeros32(mask), "is a barrier that not all threads of the warp reach"}
		}
		w.halted = true
	case leave:
		p.at++
		for i := range w.paths { // the threads leave the paths that wait for them, too
			w.paths[i].mask &^= mask
		}
	}
	return nil
}

// branch divides a path: the threads of mask go to the target, the others to the next instruction. All
// of them wait for one another at the branch's join.
func (w *warp) branch(p *path, in *instr, mask uint32) {
	here, next := p.mask, p.at+1
	// Without divergence there is nothing to divide.
	switch mask {
	case here:
		p.at = in.target
		return
	case 0:
		p.at = next
		return
	}
	// p now waits at the join. If that is where p ends too, it is not needed.
	if p.at = in.join; p.at == p.join {
		w.paths = w.paths[:len(w.paths)-1]
	}
	if next != in.join {
		w.paths = append(w.paths, path{next, in.join, here &^ mask})
	}
	if in.target != in.join {
		w.paths = append(w.paths, path{in.target, in.join, mask})
	}
}

// trap is err with its place: the kernel, the instruction and the thread.
func (w *warp) trap(in *instr, err error) error {
	lane := 0
	if e, ok := err.(*laneError); ok {
		lane = e.lane
	}
	t := w.first + uint32(lane)
	b := w.run.blockSize
	return &Trap{
		Kernel: w.run.kernel.Name, Line: in.line, Instruction: in.text, Block: w.run.block,
		Thread: [3]uint32{t % b[0], t / b[0] % b[1], t / b[0] / b[1]}, Why: err.Error(),
	}
}

// Trap is the error of a kernel that did something undefined, such as a race.
type Trap struct {
	Kernel      string
	Line        int // of the PTX
	Instruction string
	Block       [3]uint32
	Thread      [3]uint32
	Why         string // such as "reads a register that was never written"
}

func (t *Trap) Error() string {
	return fmt.Sprintf("kernel %s, line %d, block %v thread %v: `%s` %s",
		t.Kernel, t.Line, t.Block, t.Thread, t.Instruction, t.Why)
}
