package ptx

import (
	"errors"
	"fmt"
	"math/bits"
)

const lanes = 32

// files are the register files of a kernel: how many registers each has, and
// the constants and special registers among them.
type files struct {
	n32, n64, preds int
	const32         []constant[uint32]
	const64         []constant[uint64]
	specials        []constant[string]
}

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

type (
	reg32 [lanes]uint32
	reg64 [lanes]uint64
)

// warp is 32 threads of a block with their registers, and for each register
// the lanes that have written it.
type warp struct {
	run    *run
	first  uint32 // its first thread's number in the block
	r32    []reg32
	r64    []reg64
	p      []uint32
	known  [3][]uint32 // of r32, r64 and p
	paths  []path      // the last one runs, the others wait for it
	halted bool        // at a barrier
}

// path is threads of a warp that go together, up to an instruction where
// others wait for them.
type path struct {
	at, join int
	mask     uint32
}

const (
	in32 = iota
	in64
	inPred
)

// instr is a decoded instruction.
type instr struct {
	kind   kind
	guard  int // predicate register, or -1
	negate bool
	exec   func(w *warp, mask uint32) error
	label  string
	target int
	join   int // where the threads that a branch parts meet
	line   int
	text   string
}

type kind uint8

const (
	plain kind = iota
	branch
	barrier
	leave
)

// unwritten is the error of reading a register no instruction wrote.
func unwritten(mask uint32) error {
	return &laneError{bits.TrailingZeros32(mask), "reads a register that was never written"}
}

// laneError is what is wrong with one lane of a warp.
type laneError struct {
	lane int
	why  string
}

func (e *laneError) Error() string { return e.why }

// reset gives a warp its registers at the start of a block.
func (w *warp) reset(k *Kernel, first uint32) {
	f := &k.files
	w.first, w.halted = first, false
	w.paths = append(w.paths[:0], path{0, len(k.code), ^uint32(0)})
	if w.r32 == nil {
		w.r32, w.r64, w.p = make([]reg32, f.n32), make([]reg64, f.n64), make([]uint32, f.preds)
		w.known = [3][]uint32{make([]uint32, f.n32), make([]uint32, f.n64), make([]uint32, f.preds)}
	}
	for _, known := range w.known {
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
		p := &w.paths[len(w.paths)-1]
		if p.at == p.join || p.mask == 0 {
			w.paths = w.paths[:len(w.paths)-1]
			continue
		}
		in := &code[p.at]
		if w.run.budget--; w.run.budget < 0 {
			return w.fault(in, errors.New("is beyond the number of instructions allowed: the kernel does not end"))
		}
		if err := w.step(p, in); err != nil {
			return w.fault(in, err)
		}
	}
	return nil
}

// step runs one instruction for the path p, the last one.
func (w *warp) step(p *path, in *instr) error {
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
	case barrier:
		if mask != ^uint32(0) {
			return &laneError{bits.TrailingZeros32(mask), "is a barrier that not all threads of the warp reach"}
		}
		w.halted = true
	case leave:
		p.at++
		for i := range w.paths {
			w.paths[i].mask &^= mask
		}
	}
	return nil
}

// branch parts a path in those of mask, who go to the target, and the others.
// All of them wait for one another at the branch's join.
func (w *warp) branch(p *path, in *instr, mask uint32) {
	here, next := p.mask, p.at+1
	switch mask {
	case here:
		p.at = in.target
		return
	case 0:
		p.at = next
		return
	}
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

// fault says where an error is.
func (w *warp) fault(in *instr, err error) error {
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

// Trap is what a kernel did that no kernel may do.
type Trap struct {
	Kernel      string
	Line        int // of the PTX
	Instruction string
	Block       [3]uint32
	Thread      [3]uint32
	Why         string
}

func (f *Trap) Error() string {
	return fmt.Sprintf("kernel %s, line %d, block %v thread %v: `%s` %s", f.Kernel, f.Line, f.Block, f.Thread, f.Instruction, f.Why)
}
