package ptx

import (
	"math/bits"
	"strings"
)

// each calls f for every lane of mask. The functions below that matter for speed have loops of their own.
func each(mask uint32, f func(l int)) {
	for ; mask != 0; mask &= mask - 1 {
		f(bits.TrailingZeros32(mask))
	}
}

// resolve finds the registers of an instruction's operands: the first is written, as type to, the
// others are read, as types from.
func (b *body) resolve(o []operand, to string, from ...string) (r [4]int, err error) {
	if err := want(o, 1+len(from)); err != nil {
		return r, err
	}
	for i, t := range from {
		if r[1+i], err = b.read(o[1+i], t); err != nil {
			return r, err
		}
	}
	r[0], err = b.write(o[0], to)
	return r, err
}

// two32 makes an instruction with two operands of up to 32 bits from f. Like all instructions here, it
// is an error to read a register that an enabled lane has not written.
func (b *body) two32(f func(x, y uint32) uint32, to, t string, o []operand) (exec, error) {
	r, err := b.resolve(o, to, t, t)
	return func(w *warp, mask uint32) error {
		known := w.known[in32]
		if bad := mask &^ (known[r[1]] & known[r[2]]); bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		d, x, y := &w.r32[r[0]], &w.r32[r[1]], &w.r32[r[2]]
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			d[l] = f(x[l], y[l])
		}
		return nil
	}, err
}

// two64 makes an instruction with two operands of 64 bits.
func (b *body) two64(f func(x, y uint64) uint64, t string, o []operand) (exec, error) {
	r, err := b.resolve(o, t, t, t)
	return func(w *warp, mask uint32) error {
		known := w.known[in64]
		if bad := mask &^ (known[r[1]] & known[r[2]]); bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		d, x, y := &w.r64[r[0]], &w.r64[r[1]], &w.r64[r[2]]
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			d[l] = f(x[l], y[l])
		}
		return nil
	}, err
}

// shift64 makes a shift of 64 bits by a distance of 32 bits.
func (b *body) shift64(f func(x uint64, by uint32) uint64, t string, o []operand) (exec, error) {
	r, err := b.resolve(o, t, t, "u32")
	return func(w *warp, mask uint32) error {
		if bad := mask &^ (w.known[in64][r[1]] & w.known[in32][r[2]]); bad != 0 {
			return unwritten(bad)
		}
		w.known[in64][r[0]] |= mask
		d, x, y := &w.r64[r[0]], &w.r64[r[1]], &w.r32[r[2]]
		each(mask, func(l int) { d[l] = f(x[l], y[l]) })
		return nil
	}, err
}

// product64 makes a product of 64 bits of operands of 32 bits.
func (b *body) product64(f func(x, y uint32) uint64, t string, o []operand) (exec, error) {
	r, err := b.resolve(o, "u64", t, t)
	return func(w *warp, mask uint32) error {
		if bad := mask &^ (w.known[in32][r[1]] & w.known[in32][r[2]]); bad != 0 {
			return unwritten(bad)
		}
		w.known[in64][r[0]] |= mask
		d, x, y := &w.r64[r[0]], &w.r32[r[1]], &w.r32[r[2]]
		each(mask, func(l int) { d[l] = f(x[l], y[l]) })
		return nil
	}, err
}

// one32 makes an instruction with one operand of 32 bits, or a conversion.
func (b *body) one32(f func(x uint32) uint32, to, from string, o []operand) (exec, error) {
	r, err := b.resolve(o, to, from)
	return func(w *warp, mask uint32) error {
		known := w.known[in32]
		if bad := mask &^ known[r[1]]; bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		d, x := &w.r32[r[0]], &w.r32[r[1]]
		each(mask, func(l int) { d[l] = f(x[l]) })
		return nil
	}, err
}

// one64 makes an instruction with one operand of 64 bits.
func (b *body) one64(f func(x uint64) uint64, t string, o []operand) (exec, error) {
	r, err := b.resolve(o, t, t)
	return func(w *warp, mask uint32) error {
		known := w.known[in64]
		if bad := mask &^ known[r[1]]; bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		d, x := &w.r64[r[0]], &w.r64[r[1]]
		each(mask, func(l int) { d[l] = f(x[l]) })
		return nil
	}, err
}

// three32 makes an instruction with three operands of 32 bits.
func (b *body) three32(f func(x, y, z uint32) uint32, t string, o []operand) (exec, error) {
	r, err := b.resolve(o, t, t, t, t)
	return func(w *warp, mask uint32) error {
		known := w.known[in32]
		if bad := mask &^ (known[r[1]] & known[r[2]] & known[r[3]]); bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		d, x, y, z := &w.r32[r[0]], &w.r32[r[1]], &w.r32[r[2]], &w.r32[r[3]]
		for m := mask; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			d[l] = f(x[l], y[l], z[l])
		}
		return nil
	}, err
}

// logic makes an instruction on one or two predicates.
func (b *body) logic(f func(x, y uint32) uint32, two bool, o []operand) (exec, error) {
	from := []string{"pred"}
	if two {
		from = append(from, "pred")
	}
	if !two && len(o) == 2 && (o[1].text == "0" || o[1].text == "-1") { // a constant
		d, err := b.write(o[0], "pred")
		set := o[1].text == "-1"
		return func(w *warp, mask uint32) error {
			w.set(d, mask, set)
			return nil
		}, err
	}
	r, err := b.resolve(o, "pred", from...)
	if !two {
		r[2] = r[1]
	}
	return func(w *warp, mask uint32) error {
		known := w.known[inPred]
		if bad := mask &^ (known[r[1]] & known[r[2]]); bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		// All lanes at once, by operations on words.
		w.p[r[0]] = w.p[r[0]]&^mask | f(w.p[r[1]], w.p[r[2]])&mask
		return nil
	}, err
}

// set sets a predicate to value for all lanes of mask.
func (w *warp) set(p int, mask uint32, value bool) {
	w.known[inPred][p] |= mask
	w.p[p] &^= mask
	if value {
		w.p[p] |= mask
	}
}

// setp makes a comparison, whose result is a predicate.
func (b *body) setp(op, cmp, t string, o []operand) (exec, error) {
	// The test of one lane, for the width of the type.
	r, err := b.resolve(o, "pred", t, t)
	file := in32
	var test func(w *warp, l int) bool
	if wide(t) {
		file = in64
		if f := compare64(cmp, t); f != nil {
			test = func(w *warp, l int) bool { return f(w.r64[r[1]][l], w.r64[r[2]][l]) }
		}
	} else if f := compare(cmp, t); f != nil {
		test = func(w *warp, l int) bool { return f(w.r32[r[1]][l], w.r32[r[2]][l]) }
	}
	if test == nil {
		return nil, refusal(op)
	}
	return func(w *warp, mask uint32) error {
		known := w.known[file]
		if bad := mask &^ (known[r[1]] & known[r[2]]); bad != 0 {
			return unwritten(bad)
		}
		result := uint32(0)
		for m := mask; m != 0; m &= m - 1 {
			if l := bits.TrailingZeros32(m); test(w, l) {
				result |= 1 << l
			}
		}
		w.known[inPred][r[0]] |= mask
		w.p[r[0]] = w.p[r[0]]&^mask | result
		return nil
	}, err
}

// selp makes a selection of one of two operands by a predicate.
func (b *body) selp(op, t string, o []operand) (exec, error) {
	switch t {
	case "b16", "b32", "u32", "s32", "f32", "b64", "u64", "s64":
	default:
		return nil, refusal(op)
	}
	r, err := b.resolve(o, t, t, t, "pred")
	file := in32
	if wide(t) {
		file = in64
	}
	return func(w *warp, mask uint32) error {
		// Only the operand that a lane selects must have been written.
		known, p := w.known[file], w.p[r[3]]
		bad := mask &^ w.known[inPred][r[3]] // lanes that read a register without a value
		bad |= mask & p &^ known[r[1]]
		bad |= mask &^ p &^ known[r[2]]
		if bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] |= mask
		w.copy(file, r[0], r[1], mask&p)
		w.copy(file, r[0], r[2], mask&^p)
		return nil
	}, err
}

// copy copies the lanes of mask from one register to another of the same file.
func (w *warp) copy(file, to, from int, mask uint32) {
	if file == in64 {
		each(mask, func(l int) { w.r64[to][l] = w.r64[from][l] })
		return
	}
	each(mask, func(l int) { w.r32[to][l] = w.r32[from][l] })
}

// mov makes a copy of a register, a special register or a number.
func (b *body) mov(op, t string, o []operand) (exec, error) {
	switch t {
	case "b16", "u16", "b32", "u32", "s32", "f32", "b64", "u64", "s64":
	default:
		return nil, refusal(op)
	}
	if err := want(o, 2); err != nil {
		return nil, err
	}
	if o[0].mark == '{' {
		return b.halves(op, o)
	}
	// Special registers have type u32.
	to, err := b.write(o[0], t)
	if err != nil {
		return nil, err
	}
	from, special := b.special(o[1].text)
	if !special {
		if from, err = b.read(o[1], t); err != nil {
			return nil, err
		}
	} else if t != "u32" {
		return nil, refusal(op)
	}
	file := in32
	if wide(t) {
		file = in64
	}
	return func(w *warp, mask uint32) error {
		known := w.known[file]
		if bad := mask &^ known[from]; bad != 0 {
			return unwritten(bad)
		}
		known[to] |= mask
		w.copy(file, to, from, mask)
		return nil
	}, nil
}

// halves makes mov.b64 {low, high}, x.
func (b *body) halves(op string, o []operand) (exec, error) {
	if op != "mov.b64" || len(o[0].list) != 2 {
		return nil, refusal(op + " of a vector")
	}
	low, err := b.write(o[0].list[0], "b32")
	if err != nil {
		return nil, err
	}
	high, err := b.write(o[0].list[1], "b32")
	if err != nil {
		return nil, err
	}
	from, err := b.read(o[1], "b64")
	return func(w *warp, mask uint32) error {
		if bad := mask &^ w.known[in64][from]; bad != 0 {
			return unwritten(bad)
		}
		w.known[in32][low] |= mask
		w.known[in32][high] |= mask
		each(mask, func(l int) {
			x := w.r64[from][l]
			w.r32[low][l], w.r32[high][l] = uint32(x), uint32(x>>32)
		})
		return nil
	}, err
}

// widths makes the conversions between 32 and 64 bits.
func (b *body) widths(op string, o []operand) (exec, error) {
	parts := strings.Split(op, ".")
	switch op {
	case "cvt.u64.u32", "cvt.s64.s32": // extension by zeros or by the sign
		r, err := b.resolve(o, "u64", parts[2])
		return func(w *warp, mask uint32) error {
			if bad := mask &^ w.known[in32][r[1]]; bad != 0 {
				return unwritten(bad)
			}
			w.known[in64][r[0]] |= mask
			d, x := &w.r64[r[0]], &w.r32[r[1]]
			each(mask, func(l int) {
				d[l] = uint64(x[l])
				if parts[2] == "s32" {
					d[l] = uint64(int64(int32(x[l])))
				}
			})
			return nil
		}, err
	case "cvt.u32.u64": // the low half
		r, err := b.resolve(o, "u32", "u64")
		return func(w *warp, mask uint32) error {
			if bad := mask &^ w.known[in64][r[1]]; bad != 0 {
				return unwritten(bad)
			}
			w.known[in32][r[0]] |= mask
			d, x := &w.r32[r[0]], &w.r64[r[1]]
			each(mask, func(l int) { d[l] = uint32(x[l]) })
			return nil
		}, err
	}
	return nil, refusal(op)
}

// sources has for each form of shfl.sync the lane that lane l reads from.
var sources = map[string]func(l, by uint32) uint32{
	"shfl.sync.idx.b32":  func(_, by uint32) uint32 { return by & 31 },
	"shfl.sync.bfly.b32": func(l, by uint32) uint32 { return l ^ by&31 },
	"shfl.sync.down.b32": func(l, by uint32) uint32 {
		if l+by&31 > 31 { // beyond the warp: its own value
			return l
		}
		return l + by&31
	},
}

// together returns an error unless all 32 lanes execute an exchange, and its mask o names all of them.
func together(mask uint32, o operand) error {
	if n, err := integer(o.text); err != nil || uint32(n) != ^uint32(0) {
		return &laneError{0, "does not name all 32 lanes"}
	}
	if mask != ^uint32(0) {
		return &laneError{bits.TrailingZeros32(mask), "is an exchange that not all lanes it names reach"}
	}
	return nil
}

// exchange makes the exchanges between the lanes of a warp: shfl.sync and vote.sync.ballot.
func (b *body) exchange(op string, o []operand) (exec, error) {
	// A ballot gives every lane the predicate's bits of all lanes.
	if op == "vote.sync.ballot.b32" {
		if err := want(o, 3); err != nil {
			return nil, err
		}
		r, err := b.resolve(o[:2], "b32", "pred")
		return func(w *warp, mask uint32) error {
			if err := together(mask, o[2]); err != nil {
				return err
			}
			if bad := ^w.known[inPred][r[1]]; bad != 0 {
				return unwritten(bad)
			}
			w.known[in32][r[0]] = mask
			for l := range lanes {
				w.r32[r[0]][l] = w.p[r[1]]
			}
			return nil
		}, err
	}
	// A shuffle gives every lane the value of another lane.
	source := sources[op]
	if source == nil {
		return nil, refusal(op)
	}
	if err := want(o, 5); err != nil {
		return nil, err
	}
	if o[3].text != "31" {
		return nil, refusal(op + " of a part of a warp")
	}
	r, err := b.resolve(o[:3], "b32", "b32", "u32")
	return func(w *warp, mask uint32) error {
		if err := together(mask, o[4]); err != nil {
			return err
		}
		known := w.known[in32]
		if bad := ^(known[r[1]] & known[r[2]]); bad != 0 {
			return unwritten(bad)
		}
		known[r[0]] = mask
		x, by := w.r32[r[1]], &w.r32[r[2]] // x is a copy: the result may be the same register
		for l := range uint32(lanes) {
			w.r32[r[0]][l] = x[source(l, by[l])]
		}
		return nil
	}, err
}
